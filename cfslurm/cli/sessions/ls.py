"""cfslurm sessions ls."""

from __future__ import annotations

import click

from cfslurm.cli.common import json_option
from cfslurm.cli.sessions.places import folders_of, key_of
from cfslurm.errors import ANSWER_IS_NO


@click.command(
    name="ls",
    epilog="Examples:  cfslurm sessions ls   ·   cfslurm sessions ls lab-3f09a1   ·   … ls ./sessions",
)
@click.argument("run", metavar="[RUN]", default="last")
@json_option
@click.pass_context
def command(ctx: click.Context, *, run: str, as_json: bool) -> int | None:
    """List the sessions of a run, or of a folder. Exits with 1 if something of one cannot be read."""
    from cfslurm.adapters.session_survey import look_at
    from cfslurm.cli.output import print_json
    from cfslurm.core.report.session_table import list_text

    key = key_of(ctx)
    found = [look_at(folder, key) for folder in folders_of(ctx, run)]
    if as_json:
        print_json("cfslurm.sessions/1", sessions=found)
    elif not found:
        click.echo(
            f"there is no session in {run}: a workflow asks for them with session:, "
            "and those outside of runs are listed by their folder: ls ./sessions"
        )
    else:
        click.echo(list_text(found))
    return ANSWER_IS_NO if any(facts.problem for facts in found) else None
