"""The writing end of a session, for the process that has claimed an epoch."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from cfslurm.adapters.files import sync_folder
from cfslurm.adapters.session_claims import close_claim, holder_of
from cfslurm.adapters.session_folder import Newest
from cfslurm.adapters.session_io import access_of, link_new, list_folder, temporary_file
from cfslurm.adapters.session_journal import Journal, JournalBrokenError
from cfslurm.adapters.session_pruning import Pruner
from cfslurm.core.documents import Json
from cfslurm.core.session import journal, layout
from cfslurm.core.session.about import Stamp
from cfslurm.core.session.claims import Claim, superseded
from cfslurm.core.session.content import Content
from cfslurm.core.session.layout import GenerationId
from cfslurm.core.session.retention import Keep
from cfslurm.core.session.trailer import Trailer
from cfslurm.errors import SessionError

if TYPE_CHECKING:
    from cfslurm.adapters.session_file import Store


class SessionWriter:
    """Publishes generations, appends to journals, removes what is too old."""

    def __init__(
        self, folder: Path, claim: Claim, store: Store, *, keep: Keep, parent: Newest | None
    ) -> None:
        self.claim = claim
        self._folder = folder
        self._store = store
        self._keep = keep
        self._access = access_of(folder)
        self._parent = ""
        self._last = GenerationId(claim.epoch, 0)
        self._pruner = Pruner(folder, store.key)
        self._journal: Journal | None = None
        if parent is not None:
            self._go_on_from(parent)

    def _go_on_from(self, parent: Newest) -> None:
        loaded = parent.loaded
        self._parent = f"{loaded.trailer.id.file_name}:{loaded.trailer.digest.hex()}"
        self._last = GenerationId(self.claim.epoch, loaded.trailer.id.generation)
        self._pruner.learn(loaded.about)
        if loaded.trailer.is_sealed == (self._store.key is not None):
            self._store.learn(loaded.about, loaded.content)

    @property
    def journal_bytes(self) -> int:
        """The length of the journal since the last generation."""
        return self._journal.length if self._journal is not None else 0

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
        from cfslurm.adapters import session_file

        temporary = self._folder / layout.temporary_name(self.claim.epoch, secrets.token_hex(8))
        try:
            with temporary_file(temporary, self._access) as descriptor:
                trailer, about, learn = session_file.write_generation(
                    descriptor, stamp, content, self._store
                )
                if not link_new(temporary, self._folder / stamp.id.file_name):
                    raise FileExistsError(errno.EEXIST, f"{stamp.id.file_name} is there already")
        except FileNotFoundError:
            self.check_fence()  # a later attempt sweeps our temporary files away
            raise
        sync_folder(self._folder)
        learn()
        self._pruner.learn(about)
        return trailer

    def prune(self) -> None:
        """Remove generations and journals that are too old; what cannot be removed stays."""
        with contextlib.suppress(OSError):
            self._pruner.prune(self._pruner.plan(self._last, self._keep))

    def come_from(self, origin: str) -> None:
        """Say where the first generation comes from, if that is another session: file name and digest."""
        self._parent = origin

    def commit(self, change: journal.Change) -> None:
        """Append a change to the journal; when this returns, it survives a crash.

        Raises:
            SessionSupersededError: a later attempt has the session.
            OSError: it could not be written; the next save must be a generation.
        """
        self.check_fence()
        self._append(journal.commit_texts(self.claim.epoch, change))

    def record(self, key: str, result: Json) -> None:
        """Append a step's result to the journal; when this returns, it survives a crash.

        Raises:
            SessionSupersededError: a later attempt has the session and may not know of it.
            OSError: it could not be written.
        """
        self._append((journal.step_text(self.claim.epoch, key, result),))

    def _append(self, texts: tuple[bytes, ...]) -> None:
        if self._journal is None:
            try:
                self._journal = self._new_journal()
            except BaseException:
                self._skip()  # a torn first line may stand there
                raise
        try:
            self._journal.record(texts)
        except JournalBrokenError as broken:
            self._close_journal()
            self._skip()
            raise broken.reason from None
        self.check_fence()

    def _new_journal(self) -> Journal:
        head = journal.header(self.claim.session, self._last)
        path = self._folder / self._last.journal_name
        return Journal(path, head, self._access, self._store.key)

    def _skip(self) -> None:
        """Leave a journal that may be torn; the next one goes on behind it."""
        self._last = GenerationId(self.claim.epoch, self._last.generation + 1)

    def _close_journal(self) -> None:
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    def release(self) -> None:
        """Say that this process writes no more."""
        self._close_journal()
        if os.getpid() == self.claim.holder.pid:
            close_claim(self._folder, self.claim.epoch)
