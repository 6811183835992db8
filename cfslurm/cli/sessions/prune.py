"""cfslurm sessions prune."""

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
    name="prune",
    epilog="Examples:  cfslurm sessions prune agent.0 --keep 1 --dry-run   ·   "
    "cfslurm sessions prune agent.0 --keep 3 --daily 7",
)
@session_argument
@run_option
@click.option(
    "--keep", type=click.IntRange(min=1), default=3, show_default=True, metavar="N",
    help="The last N generations stay.",
)  # fmt: skip
@click.option(
    "--hourly", type=click.IntRange(min=0), default=0, show_default=True, metavar="N",
    help="Of each of the last N hours that have one, the last generation stays.",
)  # fmt: skip
@click.option(
    "--daily", type=click.IntRange(min=0), default=0, show_default=True, metavar="N",
    help="Of each of the last N days that have one, the last generation stays.",
)  # fmt: skip
@dry_run_option
@take_over_option
@json_option
@click.pass_context
def command(
    ctx: click.Context, *, session: str, run: str, keep: int, hourly: int, daily: int, is_dry: bool,
    take_over: bool, as_json: bool,
) -> None:  # fmt: skip
    """Remove generations of SESSION that are too old, and what only they need.

    The newest one that is whole always stays. Refused while somebody writes it.
    """
    from cfslurm.cli.output import print_json
    from cfslurm.core.report.session_table import prune_text
    from cfslurm.core.session.retention import Keep
    from cfslurm.node.session_upkeep import plan_pruning, prune

    folder, environment = place(ctx, session, run), context_of(ctx).environment
    rule = Keep(last=keep, hourly=hourly, daily=daily)
    if is_dry:
        plan = plan_pruning(folder, environment, rule)
    else:
        plan = prune(folder, environment, rule, take_over=take_over)
    demoted = tuple(which.file_name for which in plan.demote)
    if as_json:
        print_json(
            "cfslurm.session_prune/1", removed=plan.remove, parts_only=demoted, is_done=not is_dry
        )
    else:
        click.echo(prune_text(plan.remove, demoted, deed="to remove" if is_dry else "removed"))
