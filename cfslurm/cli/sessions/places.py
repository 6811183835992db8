"""Which session is meant: a name in a run, or a folder; and options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cfslurm.cli.common import context_of

if TYPE_CHECKING:
    from cfslurm.adapters.session_secret import Key

run_option = click.option(
    "--run",
    default="last",
    show_default=True,
    metavar="RUN",
    help="The run that has the session, or a folder of sessions: ./sessions.",
)
to_run_option = click.option(
    "--to-run", metavar="RUN", help="The run or folder that gets it; the same one if not given."
)
take_over_option = click.option(
    "--take-over", is_flag=True,
    help="Also if its holder cannot be seen from here and has not closed it.",
)  # fmt: skip
dry_run_option = click.option(
    "--dry-run", "is_dry", is_flag=True, help="Only say what would be done."
)
generation_option = click.option(
    "--generation", type=click.IntRange(min=1), metavar="N",
    help="As it was in generation N, which must still be kept.",
)  # fmt: skip


session_argument = click.argument("session", metavar="SESSION")


def key_of(ctx: click.Context) -> Key | None:
    """The key of the user's sessions, if there is one."""
    from cfslurm.node.session_place import find_key

    return find_key(context_of(ctx).environment)


def folder_of(ctx: click.Context, run: str) -> Path:
    """Where a run has its sessions; with a slash or a dot, a folder of sessions outside of runs.

    Raises:
        UserInputError: there is no such folder.
        RunError: there is no such run.
    """
    from cfslurm.adapters.run_directory import open_run
    from cfslurm.core.run.names import SESSIONS
    from cfslurm.errors import UserInputError

    if "/" in run or run in {".", ".."}:
        folder = Path(run).absolute()
        if not folder.is_dir():
            raise UserInputError(
                f"{run} is no folder",
                remedy="Name the folder that holds the sessions, as ./sessions, or a run.",
            )
        return folder
    context = context_of(ctx)
    return open_run(context.runs, run, context.environment).path / SESSIONS


def folders_of(ctx: click.Context, run: str) -> tuple[Path, ...]:
    """The sessions of a run."""
    from cfslurm.adapters.session_survey import session_folders

    return session_folders(folder_of(ctx, run))


def place(ctx: click.Context, session: str, run: str) -> Path:
    """A session's folder, or a generation's file.

    Raises:
        UserInputError: the run has no such session.
    """
    from cfslurm.core.workflow.names import nearest
    from cfslurm.errors import UserInputError

    if "/" in session:
        return Path(session).absolute()
    names = {folder.name: folder for folder in folders_of(ctx, run)}
    if session not in names:
        near = nearest(session, names)
        raise UserInputError(
            f"the run has no session {session!r}",
            remedy=(f"Did you mean {near!r}? A" if near else "`cfslurm sessions ls` lists them; a")
            + " folder elsewhere is named with a slash: ./sessions/agent.",
        )
    return names[session]


def new_place(ctx: click.Context, name: str, run: str) -> Path:
    """Where a new session is to lie.

    Raises:
        UserInputError: it is no name of a session.
    """
    from cfslurm.core.session.layout import is_label
    from cfslurm.errors import UserInputError

    folder = Path(name).absolute() if "/" in name else folder_of(ctx, run) / name
    if not is_label(folder.name):
        raise UserInputError(
            f"{folder.name!r} is no name of a session",
            remedy="Use letters, digits, dots, dashes and underscores, a letter or digit first.",
        )
    return folder
