"""cfslurm sessions show."""

from __future__ import annotations

import click

from cfslurm.cli.common import json_option
from cfslurm.cli.sessions.places import (
    generation_option,
    key_of,
    place,
    run_option,
    session_argument,
)


@click.command(
    name="show",
    epilog="Examples:  cfslurm sessions show agent.0   ·   cfslurm sessions show agent.0 --events 50   ·   "
    "cfslurm sessions show ./sessions/agent --generation 7",
)
@session_argument
@run_option
@generation_option
@click.option(
    "--events", "most", type=click.IntRange(min=0), default=10, show_default=True, metavar="N",
    help="Only the last N events.",
)  # fmt: skip
@json_option
@click.pass_context
def command(
    ctx: click.Context, *, session: str, run: str, generation: int | None, most: int, as_json: bool
) -> None:
    """Print the state and the last events of SESSION; messages with a role as a conversation.

    SESSION is a session's name in the run, its folder, or the file of one generation.
    """
    from cfslurm.cli.output import print_json
    from cfslurm.core.report.session_table import last_events, show_text
    from cfslurm.core.session import values
    from cfslurm.node.session_snapshot import read_session

    found = read_session(place(ctx, session, run), key=key_of(ctx), generation=generation)
    if not as_json:
        click.echo(show_text(found, most))
        return
    print_json(
        "cfslurm.session_state/1",
        warnings=found.warnings,
        name=found.name,
        epoch=found.epoch,
        generation=found.generation,
        saved_at=found.saved_at,
        writer=found.writer,
        state=values.encode(dict(found.state), name="session"),
        events_total=len(found.events),
        events=values.encode(last_events(found, most), name="events"),
        steps=values.encode(dict(found.steps), name="steps"),
    )
