"""cfslurm sessions export."""

from __future__ import annotations

from pathlib import Path

import click

from cfslurm.cli.common import context_of, json_option
from cfslurm.cli.sessions.made import tell
from cfslurm.cli.sessions.places import generation_option, place, run_option, session_argument


@click.command(
    name="export",
    epilog="Examples:  cfslurm sessions export agent.0 agent.h5   ·   "
    "cfslurm sessions export agent.0 events.jsonl",
)
@session_argument
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE")
@run_option
@generation_option
@json_option
@click.pass_context
def command(
    ctx: click.Context, *, session: str, file: Path, run: str, generation: int | None, as_json: bool
) -> None:
    """Write SESSION into FILE, which needs nothing else and is not encrypted: ….h5, or its events: ….jsonl.

    FILE is private (0600) and must not be there.
    """
    from cfslurm.errors import UserInputError
    from cfslurm.node.session_copies import export_events, export_file

    ways = {".h5": export_file, ".jsonl": export_events}
    if file.suffix not in ways:
        raise UserInputError(
            f"{file} is neither ….h5 nor ….jsonl", remedy="Give it one of these endings."
        )
    source, environment = place(ctx, session, run), context_of(ctx).environment
    made = ways[file.suffix](source, file.absolute(), environment, generation=generation)
    tell(made, as_json=as_json)
