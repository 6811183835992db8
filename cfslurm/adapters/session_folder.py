"""A session's folder: the newest generation that is whole, and the journal behind it."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cfslurm.adapters.files import sync_folder
from cfslurm.adapters.session_io import Access, list_folder
from cfslurm.adapters.session_journal import read_journal_after
from cfslurm.adapters.session_secret import Key
from cfslurm.core.documents import Json
from cfslurm.core.session import layout
from cfslurm.core.session.journal import Change
from cfslurm.core.session.layout import Damage, GenerationId, Listing
from cfslurm.errors import SessionError

if TYPE_CHECKING:
    from cfslurm.adapters.session_load import Loaded

_RELISTINGS = 20
_REMEDIES = {
    errno.ENOSPC: "Free some space there, then save again: the last generation is untouched.",
    errno.EDQUOT: "Your quota is used up; free some space, then save again.",
    errno.EFBIG: "The limit on the size of files is too low; see `ulimit -f`.",
    errno.EROFS: "Put the sessions on a filesystem that this node may write.",
    errno.EACCES: "Sessions are private; use the account that made it, or another folder.",
    errno.EPERM: "Put the sessions on a filesystem that has hard links.",
    errno.EOPNOTSUPP: "Put the sessions on a filesystem that has hard links.",
    errno.ENOENT: "The session's folder is gone; do not move it while the session is open.",
}


@contextlib.contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn what the filesystem says into a `SessionError`."""
    try:
        yield
    except OSError as error:
        raise SessionError(
            f"session {path.name}: {error.strerror or error} ({path})",
            remedy=_REMEDIES.get(error.errno or 0, "Look at the filesystem, then try again."),
        ) from error


def make_folder(path: Path, access: Access | None = None) -> None:
    """Make a folder if there is none, private or the lab's, whatever the umask says."""
    access = access or Access()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(mode=0o700)
    except FileExistsError:
        return
    if access.group is not None:
        os.chown(path, -1, access.group)
    path.chmod(access.folder_mode)
    sync_folder(path.parent)


@dataclass(frozen=True, slots=True, kw_only=True)
class Newest:
    """The newest generation that is whole, and what was recorded after it."""

    loaded: Loaded
    steps: dict[str, Json]
    commits: tuple[Change, ...]
    warnings: tuple[str, ...]


def read_newest(folder: Path, key: Key | None = None) -> Newest | None:
    """Read the newest whole generation, at any time and without a claim; None if there is none yet.

    Raises:
        SessionError: none is whole, or one is not ours to read.
        OSError: something cannot be read now. Older ones are then not looked at: they would lose
            what was saved.
    """
    for _ in range(_RELISTINGS):
        listing = list_folder(folder)
        with contextlib.suppress(FileNotFoundError):  # pruned since: there are newer ones
            return _read_newest(folder, listing, key)
    raise SessionError(
        f"session {folder.name} changes faster than it can be read",
        remedy="Read it again, or give it more time between its checkpoints.",
    )


def read_at(folder: Path, which: GenerationId, key: Key | None = None) -> Newest:
    """Read one generation as it was saved, with the results of all steps that were recorded since.

    Raises:
        SessionError: it is damaged, or not ours to read.
        OSError: something cannot be read now.
    """
    found = read_one(folder / which.file_name, key)
    if isinstance(found, Damage):
        raise SessionError(
            f"session {folder.name}: {which.file_name} is damaged: {found.reason}",
            remedy="Remove the marks of its round (r*) here: the gang then goes back one round more.",
        )
    steps, _ = _read_journals(folder, list_folder(folder), which, key, [])
    return Newest(loaded=found, steps=steps, commits=(), warnings=())


def _read_newest(folder: Path, listing: Listing, key: Key | None) -> Newest | None:
    warnings: list[str] = []
    for which in reversed(listing.generations):
        found = read_one(folder / which.file_name, key)
        if isinstance(found, Damage):
            warnings.append(f"{which.file_name} is passed over: {found.reason}")
            continue
        steps, commits = _read_journals(folder, listing, which, key, warnings)
        return Newest(loaded=found, steps=steps, commits=commits, warnings=tuple(warnings))
    if listing.generations:
        raise SessionError(
            f"session {folder.name} has no whole generation: {'; '.join(warnings)}",
            remedy=f"Restore {folder} from a backup, or move it away to begin anew.",
        )
    return None


def _read_journals(
    folder: Path, listing: Listing, which: GenerationId, key: Key | None, warnings: list[str]
) -> tuple[dict[str, Json], tuple[Change, ...]]:
    """The results of all steps after a generation; and the commits that go on from it."""
    steps: dict[str, Json] = {}
    commits: list[Change] = []
    ours = set(journals_of(listing, which))
    goes_on = True
    lost = 0
    for after in listing.journals:
        if after < which:
            continue
        recorded = read_journal_after(folder, after, key)
        steps = {**recorded.steps, **steps}
        if after in ours and goes_on:
            commits += recorded.commits
        else:
            lost += len(recorded.commits)
        if recorded.damaged:
            goes_on = False
            warnings.append(
                f"{after.journal_name} has {recorded.damaged} damaged lines: their steps run again,"
                " and commits behind them are lost"
            )
    if lost:
        warnings.append(f"{lost} commits after a damaged file are lost")
    return steps, tuple(commits)


def journals_of(listing: Listing, which: GenerationId) -> tuple[GenerationId, ...]:
    """The journals that go on from a generation: its own, and those begun after a failed write."""
    later = [found for found in listing.generations if found > which]
    return tuple(
        journal
        for journal in listing.journals
        if which <= journal and journal.epoch == which.epoch and not (later and later[0] <= journal)
    )


def read_one(path: Path, key: Key | None = None) -> Loaded | Damage:
    """Read one generation; damage is also a whole file under another's name.

    Raises:
        FileNotFoundError: it is gone.
        SessionError: it is not ours to read.
        OSError: it cannot be read now.
    """
    from cfslurm.adapters.session_load import read_generation

    try:
        found = read_generation(path, key)
    except SessionError as error:
        raise SessionError(f"{path.name}: {error.message}", remedy=error.remedy) from error
    if isinstance(found, Damage):
        path.stat()  # gone meanwhile, with files that it needs: no damage
        return found
    return misnamed(path, found.trailer.id) or found


def misnamed(path: Path, which: GenerationId) -> Damage | None:
    """Damage if a file is a generation other than its name says."""
    named = layout.read_listing([path.name]).generations
    if named and named != (which,):
        return Damage(f"it is {which.file_name} under another name")
    return None


def sweep(folder: Path, *, below: int) -> None:
    """Remove what writers of earlier epochs left half-written; one that still lives is fenced anyway."""
    for epoch, name in list_folder(folder).temporary:
        if epoch < below:
            (folder / name).unlink(missing_ok=True)
