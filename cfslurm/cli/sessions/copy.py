"""cfslurm sessions copy."""

from __future__ import annotations

import click

from cfslurm.cli.common import context_of, json_option
from cfslurm.cli.sessions.made import tell
from cfslurm.cli.sessions.places import (
    new_place,
    place,
    run_option,
    session_argument,
    to_run_option,
)


@click.command(
    name="copy",
    epilog="Examples:  cfslurm sessions copy agent.0 agent.backup   ·   "
    "cfslurm sessions copy agent.0 /archive/agent.0",
)
@session_argument
@click.argument("new", metavar="NEW")
@run_option
@to_run_option
@json_option
@click.pass_context
def command(
    ctx: click.Context, *, session: str, new: str, run: str, to_run: str | None, as_json: bool
) -> None:
    """Copy SESSION with all generations that are kept; every byte is verified on the way.

    SESSION is only read, at any time. NEW is a name in the run, or a folder, with a slash.
    """
    from cfslurm.node.session_copies import copy

    source, target = place(ctx, session, run), new_place(ctx, new, to_run or run)
    tell(copy(source, target, context_of(ctx).environment), as_json=as_json)
