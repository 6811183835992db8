"""Plan → text for Slurm: submissions, batch scripts, configuration files."""
