"""cfslurm models: one file per subcommand, imported when it is called."""

from __future__ import annotations

import click

from cfslurm.cli.lazy import LazyGroup

SUBCOMMANDS: dict[str, dict[str, str]] = {
    "Commands": {
        "find": "All variants of a model on the Hub, and why some cannot be used.",
        "show": "Everything of one variant: files, hashes, parameters, bytes by part.",
        "size": "GPU memory that variants need, term by term, and whether they fit.",
        "fit": "What runs where: variants against the nodes of this cluster, how fast and how good.",
        "formats": "Which quantization formats engines run on which GPUs.",
        "calibrate": "What finished work has taken against what was predicted.",
        "ls": "The variants that lie in the model cache and its tiers.",
    },
}


@click.command(
    name="models",
    cls=LazyGroup,
    package="cfslurm.cli.models",
    sections=SUBCOMMANDS,
    no_args_is_help=True,
    epilog="Examples:  cfslurm models find Qwen/Qwen3-8B   ·   cfslurm models ls",
)
def command() -> None:
    """Which variants of a model there are, and what is in the model cache."""
