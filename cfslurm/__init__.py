"""Runs agents, tasks and language models on Slurm clusters with mixed GPUs."""

__version__ = "0.1.0"
