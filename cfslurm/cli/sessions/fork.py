"""cfslurm sessions fork."""

from __future__ import annotations

import click

from cfslurm.cli.common import context_of, json_option
from cfslurm.cli.sessions.made import tell
from cfslurm.cli.sessions.places import (
    generation_option,
    new_place,
    place,
    run_option,
    session_argument,
    to_run_option,
)


@click.command(
    name="fork",
    epilog="Examples:  cfslurm sessions fork agent.0 agent.try   ·   "
    "cfslurm sessions fork agent.0 agent.try --generation 57",
)
@session_argument
@click.argument("new", metavar="NEW")
@run_option
@to_run_option
@generation_option
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    *,
    session: str,
    new: str,
    run: str,
    to_run: str | None,
    generation: int | None,
    as_json: bool,
) -> None:
    """Begin the session NEW with what SESSION holds now, or held in an earlier generation.

    SESSION is only read, at any time. NEW is a name in the run, or a folder, with a slash.
    """
    from cfslurm.node.session_copies import fork

    source, target = place(ctx, session, run), new_place(ctx, new, to_run or run)
    environment = context_of(ctx).environment
    tell(fork(source, target, environment, generation=generation), as_json=as_json)
