"""A session's folder: published generations, the newest that is whole, and the journal between."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cfslurm.adapters.files import sync_folder
from cfslurm.adapters.session_claims import close_claim, holder_of
from cfslurm.adapters.session_file import read_generation, write_generation
from cfslurm.adapters.session_io import create, link_new, list_folder, temporary_file, write_all
from cfslurm.core.documents import Json
from cfslurm.core.session import journal, layout
from cfslurm.core.session.claims import Claim, superseded
from cfslurm.core.session.content import Content, Stamp
from cfslurm.core.session.layout import Damage, GenerationId, Trailer
from cfslurm.errors import SessionError

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


def make_folder(path: Path) -> None:
    """Make a private folder if there is none, whatever the umask says."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(mode=layout.FOLDER_MODE)
    except FileExistsError:
        return
    path.chmod(layout.FOLDER_MODE)
    sync_folder(path.parent)


@dataclass(frozen=True, slots=True, kw_only=True)
class Newest:
    """The newest generation that is whole, and what was recorded after it."""

    stamp: Stamp
    content: Content
    digest: bytes
    steps: dict[str, Json]
    warnings: tuple[str, ...]


def read_newest(folder: Path) -> Newest | None:
    """Read the newest whole generation, at any time and without a claim; None if there is none yet.

    Raises:
        SessionError: none is whole, or one is not ours to read.
        OSError: something cannot be read now. Older ones are then not looked at: they would lose
            what was saved.
    """
    for _ in range(_RELISTINGS):
        listing = list_folder(folder)
        with contextlib.suppress(FileNotFoundError):  # pruned since: there are newer ones
            return _read_newest(folder, listing)
    raise SessionError(
        f"session {folder.name} changes faster than it can be read",
        remedy="Read it again, or give it more time between its checkpoints.",
    )


def _read_newest(folder: Path, listing: layout.Listing) -> Newest | None:
    warnings: list[str] = []
    for which in reversed(listing.generations):
        found = read_one(folder / which.file_name)
        if isinstance(found, Damage):
            warnings.append(f"{which.file_name} is passed over: {found.reason}")
            continue
        steps: dict[str, Json] = {}
        for after in listing.journals:
            if after >= which:
                recorded = read_journal_after(folder, after)
                steps = {**recorded.steps, **steps}
                if recorded.damaged:
                    warnings.append(
                        f"{after.journal_name} has {recorded.damaged} damaged lines: their steps"
                        " run again"
                    )
        stamp, content, trailer = found
        return Newest(
            stamp=stamp,
            content=content,
            digest=trailer.digest,
            steps=steps,
            warnings=tuple(warnings),
        )
    if listing.generations:
        raise SessionError(
            f"session {folder.name} has no whole generation: {'; '.join(warnings)}",
            remedy=f"Restore {folder} from a backup, or move it away to begin anew.",
        )
    return None


def read_one(path: Path) -> tuple[Stamp, Content, Trailer] | Damage:
    """Read one generation; damage is also a whole file under another's name.

    Raises:
        FileNotFoundError: it is gone.
        SessionError: it is not ours to read.
        OSError: it cannot be read now.
    """
    try:
        found = read_generation(path)
    except SessionError as error:
        raise SessionError(f"{path.name}: {error.message}", remedy=error.remedy) from error
    if isinstance(found, Damage):
        return found
    named = layout.read_listing([path.name]).generations
    if named and named != (found[2].id,):
        return Damage(f"it is {found[2].id.file_name} under another name")
    return found


def read_journal_after(folder: Path, which: layout.GenerationId) -> journal.Recorded:
    """What was recorded after a generation.

    Raises:
        SessionError: a newer cfslurm wrote it.
        OSError: it cannot be read.
    """
    return journal.read_journal(_read_regular(folder / which.journal_name), which)


def _read_regular(path: Path) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, f"{path.name} is no regular file")
        return file.read()


def sweep(folder: Path, *, below: int) -> None:
    """Remove what writers of earlier epochs left half-written; one that still lives is fenced anyway."""
    for epoch, name in list_folder(folder).temporary:
        if epoch < below:
            (folder / name).unlink(missing_ok=True)


class SessionWriter:
    """The writing end of a session, for the process that has claimed an epoch."""

    def __init__(self, folder: Path, claim: Claim, *, keep: int, parent: Newest | None) -> None:
        self.claim = claim
        self._folder = folder
        self._keep = keep
        self._parent = (
            f"{parent.stamp.id.file_name}:{parent.digest.hex()}" if parent is not None else ""
        )
        self._last = GenerationId(claim.epoch, parent.stamp.id.generation if parent else 0)
        self._journal: int | None = None

    def check_fence(self) -> None:
        """Stop if a later attempt has claimed the session.

        Raises:
            SessionSupersededError: one has.
            SessionError: this is a fork of the process that has the session.
        """
        if os.getpid() != self.claim.holder.pid:
            raise SessionError(
                f"session {self.claim.session} belongs to process {self.claim.holder.pid}",
                remedy="Use a session only in the process that has opened it, not in its children.",
            )
        newest = list_folder(self._folder).newest_epoch
        if newest > self.claim.epoch:
            by = holder_of(self._folder, newest).holder.text
            raise superseded(self.claim.session, by)

    def publish(self, content: Content, *, writer: str, saved_at: str) -> GenerationId:
        """Save a generation; when this returns, it survives a crash, and no later attempt missed it.

        The fence is looked at again afterwards: who claims later than that reads this generation.

        Raises:
            SessionSupersededError: a later attempt has the session.
            OSError: it could not be saved; the generations before are untouched.
        """
        self.check_fence()
        self._close_journal()
        self._last = GenerationId(self.claim.epoch, self._last.generation + 1)
        stamp = Stamp(
            id=self._last,
            session=self.claim.session,
            writer=writer,
            parent=self._parent,
            saved_at=saved_at,
        )
        trailer = self._publish(stamp, content)
        self.check_fence()
        self._parent = f"{self._last.file_name}:{trailer.digest.hex()}"
        return self._last

    def _publish(self, stamp: Stamp, content: Content) -> Trailer:
        temporary = self._folder / layout.temporary_name(self.claim.epoch, secrets.token_hex(8))
        try:
            with temporary_file(temporary) as descriptor:
                trailer = write_generation(descriptor, stamp, content)
                if not link_new(temporary, self._folder / stamp.id.file_name):
                    raise FileExistsError(errno.EEXIST, f"{stamp.id.file_name} is there already")
        except FileNotFoundError:
            self.check_fence()  # a later attempt sweeps our temporary files away
            raise
        sync_folder(self._folder)
        return trailer

    def prune(self) -> None:
        """Remove generations and journals that are too old; what cannot be removed stays."""
        with contextlib.suppress(OSError):
            listing = list_folder(self._folder)
            for name in layout.expendable(listing, self._last, keep=self._keep):
                (self._folder / name).unlink(missing_ok=True)

    def record(self, record: dict[str, Json]) -> None:
        """Append to the journal; when this returns, the record survives a crash.

        Raises:
            SessionSupersededError: a later attempt has the session and may not know of it.
            OSError: it could not be written.
        """
        try:
            if self._journal is None:
                self._journal = self._open_journal()
            _append(self._journal, journal.frame(record))
        except BaseException:
            # A torn line may end the file now, and nothing must follow it: records go into a new one.
            self._close_journal()
            self._last = GenerationId(self.claim.epoch, self._last.generation + 1)
            raise
        self.check_fence()

    def _open_journal(self) -> int:
        descriptor = create(self._folder / self._last.journal_name)
        try:
            _append(descriptor, journal.frame(journal.header(self.claim.session, self._last)))
            sync_folder(self._folder)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def _close_journal(self) -> None:
        if self._journal is not None:
            os.close(self._journal)
            self._journal = None

    def release(self) -> None:
        """Say that this process writes no more."""
        self._close_journal()
        if os.getpid() == self.claim.holder.pid:
            close_claim(self._folder, self.claim.epoch)


def _append(descriptor: int, line: bytes) -> None:
    """Add a line to stable storage."""
    write_all(descriptor, line, at=os.fstat(descriptor).st_size)
    os.fdatasync(descriptor)
