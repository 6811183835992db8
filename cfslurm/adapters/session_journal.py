"""The writing end of a journal: what was promised stays, what failed is cut off."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from cfslurm.adapters.files import sync_folder
from cfslurm.adapters.session_io import Access, create, open_for_reading, read_all, write_all
from cfslurm.adapters.session_secret import FileKey, Key, needs_key
from cfslurm.core.session import journal
from cfslurm.core.session.layout import GenerationId
from cfslurm.errors import SessionError

_MAX_BYTES = 1024**3


class JournalBrokenError(Exception):
    """A journal in which nothing may be written any more; the next record needs a new one."""

    def __init__(self, reason: BaseException) -> None:
        super().__init__(str(reason))
        self.reason = reason


class Journal:
    """A journal that this process has made. Its records are lines; see `cfslurm.core.session.journal`."""

    def __init__(self, path: Path, head: bytes, access: Access, key: Key | None) -> None:
        self._key: FileKey | None = None
        if key is not None:
            salt = key.new_salt()
            self._key = key.for_journal(salt)
            head = head[:-1] + b',"salt":"%s"}' % salt.hex().encode()
        self._descriptor = create(path, access)
        self._lines = 0
        self._good = 0
        try:
            self._add([journal.line(head)])
            sync_folder(path.parent)
        except BaseException:
            self.close()
            raise

    @property
    def length(self) -> int:
        """In bytes."""
        return self._good

    def record(self, texts: tuple[bytes, ...]) -> None:
        """Add records, all or none; when this returns, they survive a crash.

        Raises:
            OSError: they could not be written, and are not there; others may follow.
            JournalBrokenError: they could not be written, and nothing may follow.
        """
        lines = [
            journal.line(self._sealed(self._lines + number, text))
            for number, text in enumerate(texts)
        ]
        try:
            self._add(lines)
        except BaseException as error:
            try:
                os.ftruncate(self._descriptor, self._good)
                os.fdatasync(self._descriptor)
            except OSError:
                raise JournalBrokenError(error) from error
            raise

    def _sealed(self, number: int, text: bytes) -> bytes:
        """A record as it stands in the file; a sealed one as hexadecimal digits in quotes."""
        if self._key is None:
            return text
        return b'"%s"' % self._key.seal_record(number, text).hex().encode()

    def _add(self, lines: list[bytes]) -> None:
        data = b"".join(lines)
        write_all(self._descriptor, data, at=self._good)
        os.fdatasync(self._descriptor)
        self._good += len(data)
        self._lines += len(lines)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._descriptor)


def read_journal_after(folder: Path, which: GenerationId, key: Key | None) -> journal.Recorded:
    """What was recorded after a generation.

    Raises:
        SessionError: a newer cfslurm wrote it, or it is sealed and the key is not the right one.
        FileNotFoundError: it is gone.
        OSError: it cannot be read.
    """
    raw = _read(folder / which.journal_name)
    salt = journal.salt_of(raw)
    if salt is None:
        return journal.read_journal(raw, which)
    if key is None:
        raise needs_key()
    cipher = key.for_journal(salt)

    def opened(text: bytes, number: int) -> bytes | None:
        try:
            sealed = bytes.fromhex(text[1:-1].decode("ascii"))
        except ValueError:
            return None
        return cipher.open_record(number, sealed)

    return journal.read_journal(raw, which, opened)


def _read(path: Path) -> bytes:
    descriptor = open_for_reading(path)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > _MAX_BYTES:
            raise SessionError(
                f"{path.name} is no journal of a session, or has more than {_MAX_BYTES} bytes",
                remedy="Move it out of the folder; the steps that were in it run again then.",
            )
        raw = bytearray(status.st_size)
        try:
            read_all(descriptor, memoryview(raw), at=0)
        except EOFError:
            return os.pread(descriptor, len(raw), 0)
        return bytes(raw)
    finally:
        os.close(descriptor)
