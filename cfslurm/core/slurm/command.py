"""A call of a program, and what came back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

# Slurm cuts lists of array tasks at 64 bytes unless told otherwise, in squeue's %K and in JSON too.
# Times as seconds since the epoch need no time zone. Source: facts measured on 22.05 to 26.05.
SLURM_ENVIRONMENT: Mapping[str, str] = {
    "SLURM_BITSTR_LEN": "0",
    "SLURM_TIME_FORMAT": "%s",
    "LC_ALL": "C",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A program call: a tuple from birth to execve, never a shell line.

    ``environment`` is added to the caller's own. ``inherit`` names the only variables that are taken
    from the caller; None takes all but Slurm's own options. ``directory`` is where it runs.
    """

    argv: tuple[str, ...]
    timeout_s: float = 30.0
    stdin: str | None = None
    environment: Mapping[str, str] = field(default_factory=lambda: SLURM_ENVIRONMENT)
    inherit: tuple[str, ...] | None = None
    directory: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """The end of a call. A non-zero ``returncode`` is a value: only the reader knows if it is bad."""

    command: Command
    returncode: int
    stdout: str
    stderr: str
