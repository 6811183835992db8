"""What cfslurm does, step by step: each stage takes its ports as arguments."""
