"""Where a session lies, and what its environment says about it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field, replace
from pathlib import Path

from cfslurm.adapters.environment import Environment
from cfslurm.adapters.session_io import Access, group_number
from cfslurm.adapters.session_secret import Key, key_from_command, key_from_file
from cfslurm.core.session import layout
from cfslurm.core.session.retention import Keep
from cfslurm.errors import SessionError
from cfslurm.node.session_rounds import Together, told

INTERVAL_S = 300.0
_ZIP = "zip"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A session's folder and name, how often it is saved, what is kept, and how it is written."""

    folder: Path
    label: str
    interval_s: float
    keep: Keep
    access: Access = field(default_factory=Access)
    packs: bool = False
    key: Key | None = field(default=None, repr=False)
    together: Together | None = None


def find_place(environment: Environment, name: str | None, directory: str | Path | None) -> Place:
    """Inside a job of cfslurm the place is given; elsewhere it follows from name and directory.

    Raises:
        SessionError: no name, a variable that makes no sense, or no key where one is named.
    """
    given = environment.get("CFSLURM_SESSION_DIR")
    if directory is None and given is not None:
        folder = environment.directory / given
        label = environment.get("CFSLURM_SESSION") or folder.name
        return replace(place_of(environment, folder, label), together=told(environment))
    label = name or environment.get("CFSLURM_SESSION") or ""
    folder = environment.directory / (directory or "sessions") / label
    return place_of(environment, folder, label)


def place_of(environment: Environment, folder: Path, label: str) -> Place:
    """A place, with everything that the environment says of sessions.

    Raises:
        SessionError: a bad name, a variable that makes no sense, or no key where one is named.
    """
    if not layout.is_label(label):
        raise SessionError(
            f"{label!r} is no name of a session",
            remedy="Use letters, digits, dots, dashes and underscores, a letter or digit first.",
        )
    keep = Keep(
        last=int(_number(environment, "CFSLURM_SESSION_KEEP", layout.KEEP, least=1)),
        hourly=int(_number(environment, "CFSLURM_SESSION_KEEP_HOURLY", 0, least=0)),
        daily=int(_number(environment, "CFSLURM_SESSION_KEEP_DAILY", 0, least=0)),
    )
    group = environment.get("CFSLURM_SESSION_GROUP")
    return Place(
        folder=folder,
        label=label,
        interval_s=_number(environment, "CFSLURM_SESSION_INTERVAL", INTERVAL_S, least=0),
        keep=keep,
        access=Access(group=group_number(group) if group is not None else None),
        packs=_packs(environment),
        key=find_key(environment),
    )


def find_key(environment: Environment) -> Key | None:
    """The key of the user's sessions, if there is one; the environment says only where it is.

    Raises:
        SessionError: it is named, and not to be had.
    """
    path = environment.get("CFSLURM_SESSION_KEY_FILE")
    if path is not None:
        return key_from_file(environment.directory / Path(path).expanduser())
    command = environment.get("CFSLURM_SESSION_KEY_COMMAND")
    if command is None:
        return None
    try:
        argv = tuple(shlex.split(command))
    except ValueError as error:
        raise SessionError(
            f"CFSLURM_SESSION_KEY_COMMAND is no command: {error}",
            remedy="Quote it as for a shell; no shell runs it.",
        ) from error
    return key_from_command(argv)


def _packs(environment: Environment) -> bool:
    text = environment.get("CFSLURM_SESSION_COMPRESSION")
    if text not in (None, _ZIP, "none"):
        raise SessionError(
            f"CFSLURM_SESSION_COMPRESSION is {text!r}", remedy=f"Set it to {_ZIP} or none."
        )
    return text == _ZIP


def _number(environment: Environment, variable: str, default: float, *, least: int) -> float:
    text = environment.get(variable)
    if text is None:
        return default
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not least <= number < 1e9:
        raise SessionError(
            f"{variable} is {text!r}", remedy=f"Set it to a number that is at least {least}."
        )
    return number
