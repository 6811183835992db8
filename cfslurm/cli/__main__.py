"""``python -I -m cfslurm.cli``: the command line where no console script is at hand."""

from cfslurm.cli.main import run

run()
