"""cfslurm sessions repair."""

from __future__ import annotations

import click

from cfslurm.cli.common import context_of, json_option
from cfslurm.cli.sessions.places import (
    dry_run_option,
    place,
    run_option,
    session_argument,
    take_over_option,
)


@click.command(
    name="repair",
    epilog="Examples:  cfslurm sessions repair agent.0 --dry-run   ·   cfslurm sessions repair agent.0",
)
@session_argument
@run_option
@dry_run_option
@take_over_option
@json_option
@click.pass_context
def command(
    ctx: click.Context, *, session: str, run: str, is_dry: bool, take_over: bool, as_json: bool
) -> None:
    """Put damaged generations and unfinished files of SESSION aside, into its folder `quarantine`.

    Nothing is removed, changed or made up: the session goes on from the newest generation that is whole.
    Refused while somebody writes it, and if none is whole.
    """
    from cfslurm.cli.output import print_json
    from cfslurm.core.report.session_table import repair_text
    from cfslurm.node.session_upkeep import plan_repair, repair

    folder, environment = place(ctx, session, run), context_of(ctx).environment
    found = (
        plan_repair(folder, environment)
        if is_dry
        else repair(folder, environment, take_over=take_over)
    )
    if as_json:
        print_json(
            "cfslurm.session_repair/1",
            newest=found.newest,
            damaged=found.damaged,
            unfinished=found.unfinished,
            is_done=not is_dry,
        )
    else:
        deed = "to put aside" if is_dry else "put aside"
        click.echo(repair_text(found.newest, found.damaged, found.unfinished, deed=deed))
