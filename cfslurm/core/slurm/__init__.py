"""The Slurm language and only that: build the call, read the answer. Nothing here runs a program."""
