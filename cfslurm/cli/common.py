"""What many commands share: their context, and options that mean the same everywhere."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from cfslurm.cli.options import Options

if TYPE_CHECKING:
    from cfslurm.core.hardware.age import Age
    from cfslurm.core.hardware.graph import HardwareGraph
    from cfslurm.core.hardware.parts import Freshness
    from cfslurm.wiring import Context

F = TypeVar("F", bound=Callable[..., Any])

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
workflow_argument = click.argument(
    "file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE"
)

# Both set the same parameter, and the last one given counts.
fresh_option = click.option(
    "--fresh", "asked", flag_value="now", help="Ask Slurm for everything, whatever is kept."
)
last_known_option = click.option(
    "--last-known", "asked", flag_value="kept",
    help="Take what Slurm said last, however old, and do not ask it.",
)  # fmt: skip


def context_of(ctx: click.Context) -> Context:
    """The context of this call.

    Raises:
        UserInputError: a setting or the site file is wrong.
    """
    from cfslurm.wiring import live

    options = ctx.obj if isinstance(ctx.obj, Options) else Options()
    return live(options.site)


def say(text: str) -> None:
    """Progress for people: on standard error, and only where somebody looks at it."""
    if sys.stderr.isatty():
        from cfslurm.core.report.tables import printable

        click.echo(f"cfslurm: {printable(text)} …", err=True)


def freshness_of(asked: str | None, usual: Freshness) -> Freshness:
    """What --fresh or --last-known asks for, or else what is usual for the command."""
    from cfslurm.core.hardware.parts import Freshness

    return Freshness(asked) if asked else usual


def age(graph: HardwareGraph, context: Context, *, file: Path | None = None) -> Age:
    """How old a graph is now; ``file`` is where it was recorded, if it was.

    Raises:
        UserInputError: the graph has a date that is none.
    """
    from cfslurm.core.hardware.age import age_of

    return age_of(graph, now=context.clock.now(), file=str(file or ""))
