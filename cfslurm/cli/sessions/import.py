"""cfslurm sessions import."""  # noqa: N999 - named as its command

from __future__ import annotations

from pathlib import Path

import click

from cfslurm.cli.common import context_of, json_option
from cfslurm.cli.sessions.made import tell
from cfslurm.cli.sessions.places import new_place, run_option


@click.command(
    name="import",
    epilog="Examples:  cfslurm sessions import agent.h5 agent.0   ·   "
    "cfslurm sessions import agent.h5 ./sessions/agent",
)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE")
@click.argument("new", metavar="NEW")
@run_option
@json_option
@click.pass_context
def command(ctx: click.Context, *, file: Path, new: str, run: str, as_json: bool) -> None:
    """Begin the session NEW with FILE, a file that `cfslurm sessions export` wrote, or a generation's."""
    from cfslurm.errors import UserInputError
    from cfslurm.node.session_copies import fork

    if file.suffix != ".h5":
        raise UserInputError(f"{file} is no ….h5", remedy="Give a file that `export` wrote.")
    target = new_place(ctx, new, run)
    tell(fork(file.absolute(), target, context_of(ctx).environment), as_json=as_json)
