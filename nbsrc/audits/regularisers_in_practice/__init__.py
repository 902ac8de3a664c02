"""What records of trained networks say about paper D's experiments."""
