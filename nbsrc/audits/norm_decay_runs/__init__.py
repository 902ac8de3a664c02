"""Layer norms of trained networks: reading the records of runs and judging what paper A says."""
