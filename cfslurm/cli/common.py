"""What many commands share: their context, and options that mean the same everywhere."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from cfslurm.cli.options import Options

if TYPE_CHECKING:
    from cfslurm.wiring import Context

F = TypeVar("F", bound=Callable[..., Any])

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
workflow_argument = click.argument(
    "file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE"
)


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
        click.echo(f"cfslurm: {text} …", err=True)
