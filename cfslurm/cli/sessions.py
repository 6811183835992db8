"""cfslurm sessions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cfslurm.cli.common import context_of, json_option
from cfslurm.errors import ANSWER_IS_NO

if TYPE_CHECKING:
    from cfslurm.adapters.session_secret import Key
    from cfslurm.core.session.survey import GenerationFacts

_SCHEMA = "cfslurm.sessions/1"
_run_option = click.option(
    "--run", default="last", show_default=True, metavar="RUN", help="The run that has the session."
)


@click.group(
    name="sessions",
    epilog="Examples:  cfslurm sessions ls   ·   cfslurm sessions show agent.0   ·   "
    "cfslurm sessions verify",
)
def command() -> None:
    """What agents and tasks have saved, and whether it is whole.

    Everything here only reads, at any time, also while a job writes.
    """


@command.command(
    name="ls", epilog="Examples:  cfslurm sessions ls   ·   cfslurm sessions ls lab-3f09a1"
)
@click.argument("run", metavar="[RUN]", default="last")
@json_option
@click.pass_context
def list_all(ctx: click.Context, *, run: str, as_json: bool) -> int | None:
    """List the sessions of a run. Exits with 1 if something of one cannot be read."""
    from cfslurm.adapters.session_survey import look_at, session_folders
    from cfslurm.cli.output import print_json
    from cfslurm.core.report.session_table import list_text

    found = [look_at(folder, _key(ctx)) for folder in session_folders(_folder_of(ctx, run))]
    if as_json:
        print_json(_SCHEMA, sessions=found)
    elif not found:
        click.echo("the run has no session; a workflow asks for them with session:")
    else:
        click.echo(list_text(found))
    return ANSWER_IS_NO if any(facts.problem for facts in found) else None


@command.command(
    epilog="Examples:  cfslurm sessions show agent.0   ·   cfslurm sessions show agent.0 --events 50   ·   "
    "cfslurm sessions show runs/lab-3f09a1/sessions/agent.0/g0001-000000000007.h5"
)
@click.argument("session", metavar="SESSION")
@_run_option
@click.option(
    "--events", "most", type=click.IntRange(min=0), default=10, show_default=True, metavar="N",
    help="Only the last N events.",
)  # fmt: skip
@json_option
@click.pass_context
def show(ctx: click.Context, *, session: str, run: str, most: int, as_json: bool) -> None:
    """Print the state and the last events of SESSION.

    SESSION is a session's name in the run, its folder, or the file of one generation.
    """
    from cfslurm.cli.output import print_json
    from cfslurm.core.report.session_table import last_events, show_text
    from cfslurm.core.session import values
    from cfslurm.node.session_snapshot import read_session

    found = read_session(_place(ctx, session, run), key=_key(ctx))
    if as_json:
        events = last_events(found, most)
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
            events=values.encode(events, name="events"),
            steps=values.encode(dict(found.steps), name="steps"),
        )
    else:
        click.echo(show_text(found, most))


@command.command(
    epilog="Examples:  cfslurm sessions verify   ·   cfslurm sessions verify agent.0 --run lab-3f09a1"
)
@click.argument("session", metavar="[SESSION]…", nargs=-1)
@_run_option
@json_option
@click.pass_context
def verify(ctx: click.Context, *, session: tuple[str, ...], run: str, as_json: bool) -> int | None:
    """Read every generation to its last byte and compare the checksums. Exits with 1 if one is damaged.

    Without SESSION, all sessions of the run.
    """
    from cfslurm.adapters.session_folder import translated
    from cfslurm.adapters.session_survey import session_folders
    from cfslurm.adapters.session_survey import verify as verify_folder
    from cfslurm.cli.output import print_json
    from cfslurm.core.report.session_table import verify_text
    from cfslurm.node.session_snapshot import no_session

    named = [_place(ctx, name, run) for name in session]
    found: dict[str, tuple[GenerationFacts, ...]] = {}
    for folder in named or session_folders(_folder_of(ctx, run)):
        with translated(folder):
            found[str(folder)] = verify_folder(folder, _key(ctx))
        if named and not found[str(folder)]:
            raise no_session(folder)
    if as_json:
        print_json("cfslurm.session_verify/1", sessions=found)
    else:
        click.echo(verify_text(found))
    bad = any(g.damage or g.journal_damage for generations in found.values() for g in generations)
    return ANSWER_IS_NO if bad else None


def _key(ctx: click.Context) -> Key | None:
    from cfslurm.node.session_place import find_key

    return find_key(context_of(ctx).environment)


def _folder_of(ctx: click.Context, run: str) -> Path:
    from cfslurm.adapters.run_directory import open_run
    from cfslurm.core.run.names import SESSIONS

    context = context_of(ctx)
    return open_run(context.runs, run, context.environment).path / SESSIONS


def _place(ctx: click.Context, session: str, run: str) -> Path:
    """A session's folder or a generation's file.

    Raises:
        UserInputError: the run has no such session.
    """
    from cfslurm.adapters.session_survey import session_folders
    from cfslurm.core.workflow.names import nearest
    from cfslurm.errors import UserInputError

    if "/" in session:
        return Path(session)
    names = {folder.name: folder for folder in session_folders(_folder_of(ctx, run))}
    if session not in names:
        near = nearest(session, names)
        raise UserInputError(
            f"the run has no session {session!r}",
            remedy=f"Did you mean {near!r}?"
            if near
            else "`cfslurm sessions ls` lists them; "
            "a folder elsewhere is named with a slash: ./sessions/agent.",
        )
    return names[session]
