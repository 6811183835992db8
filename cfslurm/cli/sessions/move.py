"""cfslurm sessions move."""

from __future__ import annotations

import click

from cfslurm.cli.common import context_of, json_option
from cfslurm.cli.sessions.made import tell
from cfslurm.cli.sessions.places import (
    new_place,
    place,
    run_option,
    session_argument,
    take_over_option,
    to_run_option,
)


@click.command(
    name="move",
    epilog="Examples:  cfslurm sessions move agent.0 agent.0 --run lab-3f09a1 --to-run last",
)
@session_argument
@click.argument("new", metavar="NEW")
@run_option
@to_run_option
@take_over_option
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    *,
    session: str,
    new: str,
    run: str,
    to_run: str | None,
    take_over: bool,
    as_json: bool,
) -> None:
    """Move SESSION to another run or folder. Refused while somebody writes it."""
    from cfslurm.node.session_copies import move

    source, target = place(ctx, session, run), new_place(ctx, new, to_run or run)
    tell(move(source, target, context_of(ctx).environment, take_over=take_over), as_json=as_json)
