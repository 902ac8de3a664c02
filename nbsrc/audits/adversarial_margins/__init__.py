"""What adversarial training does to margins, gaps and singular values: runs read and judged."""
