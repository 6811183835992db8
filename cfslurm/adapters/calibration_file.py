"""Calibration ledgers: the user's own, and those of others in the place that a site gives.

Each user writes one file only; a file that is not its user's own, a link, or larger than is read is
not believed. Appending one line by one write is whole or absent on a local disk and on NFS, because
only one user writes a file; two commands of that user at once may tear a line, which readers leave out.
"""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from cfslurm.core.models.calibration import Observation, without_repeats
from cfslurm.core.models.calibration_lines import line_of, read_lines

_SUFFIX = ".jsonl"
_MOST_BYTES = 1024 * 1024  # of the user's own file, the newest
_MOST_BYTES_OF_OTHERS = 64 * 1024
_MOST_FILES = 200
_MOST_ENTRIES = 20_000  # of a folder in which all may write


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationFiles:
    """Where observations lie: ``own`` is the user's file, ``shared`` the site's folder if it gives one."""

    user: str
    uid: int
    own: Path
    shared: Path | None = None

    def read(self) -> tuple[tuple[Observation, ...], int]:
        """All observations that can be believed, and how many lines cannot."""
        found: list[Observation] = []
        refused = 0
        for user, uid, path in self._files():
            most = _MOST_BYTES if user == self.user else _MOST_BYTES_OF_OTHERS
            lines = read_lines(_tail(path, owner=uid, most=most), user=user)
            found += lines.observations
            refused += lines.refused
        return without_repeats(found), refused

    def _files(self) -> list[tuple[str, int, Path]]:
        files = [(self.user, self.uid, self.own)]
        if self.shared is not None:
            with suppress(OSError):
                others = sorted(_owners(self.shared) - {(self.user, self.uid)})[:_MOST_FILES]
                files += [(user, uid, self.shared / f"{user}{_SUFFIX}") for user, uid in others]
        return files

    def append(self, observations: Sequence[Observation]) -> None:
        """Add observations to the user's own file, and to the shared one if the user may write there.

        Raises:
            OSError: the user's own file cannot be written.
        """
        self.own.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _append(self.own, observations, mode=0o600)
        if self.shared is not None:
            with suppress(OSError):
                _append(self.shared / f"{self.user}{_SUFFIX}", observations, mode=0o644)


def _owners(folder: Path) -> set[tuple[str, int]]:
    """Whose ledgers lie in a folder: nobody keeps others out by files that bear other names.

    Raises:
        OSError: the folder cannot be read.
    """
    names: dict[int, str] = {}
    found: set[tuple[str, int]] = set()
    with os.scandir(folder) as entries:
        for entry in islice(entries, _MOST_ENTRIES):
            if not entry.name.endswith(_SUFFIX):
                continue
            uid = entry.stat(follow_symlinks=False).st_uid
            if uid not in names:
                names[uid] = _name(uid)
            if entry.name == f"{names[uid]}{_SUFFIX}":
                found.add((names[uid], uid))
    return found


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return ""


def _tail(path: Path, *, owner: int, most: int) -> Iterable[str]:
    """The newest lines of a file that belongs to somebody; none if it does not, or is not there."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return ()
    with os.fdopen(descriptor, "rb") as file:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode) or about.st_uid != owner:
            return ()
        skipped = max(0, about.st_size - most)
        file.seek(skipped)
        lines = file.read(most).decode("utf-8", "replace").split("\n")
    return lines[1:] if skipped else lines


def _append(path: Path, observations: Sequence[Observation], *, mode: int) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK
    descriptor = os.open(path, flags, mode)
    try:
        os.write(descriptor, "".join(line_of(one) for one in observations).encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
