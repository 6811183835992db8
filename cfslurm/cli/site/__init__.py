"""cfslurm site: one file per subcommand, imported when it is called."""

from __future__ import annotations

import click

from cfslurm.cli.lazy import LazyGroup

SUBCOMMANDS: dict[str, dict[str, str]] = {
    "Commands": {
        "render": "Slurm's own files for nodes with GPUs: gres.conf, NodeName lines, topology.",
    },
}


@click.command(
    name="site",
    cls=LazyGroup,
    package="cfslurm.cli.site",
    sections=SUBCOMMANDS,
    no_args_is_help=True,
    epilog="Example:  cfslurm site render --hardware hardware.json -o slurm-files",
)
def command() -> None:
    """For those who run the cluster: what Slurm and cfslurm are told of it."""
