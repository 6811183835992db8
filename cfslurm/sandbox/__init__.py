"""A private, real Slurm with pretend GPUs."""
