"""Where a session lies, and what its environment says about it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cfslurm.adapters.environment import Environment
from cfslurm.core.session import layout
from cfslurm.errors import SessionError

INTERVAL_S = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A session's folder and name, how often it is saved, and how many generations are kept."""

    folder: Path
    label: str
    interval_s: float
    keep: int


def find_place(environment: Environment, name: str | None, directory: str | Path | None) -> Place:
    """Inside a job of cfslurm the place is given; elsewhere it follows from name and directory.

    Raises:
        SessionError: no name, or a variable that makes no sense.
    """
    given = environment.get("CFSLURM_SESSION_DIR")
    if directory is None and given is not None:
        folder = environment.directory / given
        label = environment.get("CFSLURM_SESSION") or folder.name
    else:
        label = name or environment.get("CFSLURM_SESSION") or ""
        folder = environment.directory / (directory or "sessions") / label
    if not layout.is_label(label):
        raise SessionError(
            f"{label!r} is no name of a session",
            remedy="Use letters, digits, dots, dashes and underscores, a letter or digit first.",
        )
    return Place(
        folder=folder,
        label=label,
        interval_s=_number(environment, "CFSLURM_SESSION_INTERVAL", INTERVAL_S, least=0),
        keep=int(_number(environment, "CFSLURM_SESSION_KEEP", layout.KEEP, least=1)),
    )


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
