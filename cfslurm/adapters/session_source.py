"""The payload of a generation's file as bytes at places, whether it is sealed or not."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field

from cfslurm.adapters.session_io import read_all
from cfslurm.adapters.session_secret import FileKey, Key, needs_key
from cfslurm.core.session.layout import Damage
from cfslurm.core.session.trailer import (
    FRAME_BYTES,
    SALT_BYTES,
    TAG_BYTES,
    TRAILER_BYTES,
    Trailer,
    frames,
    read_trailer,
)


class DamageError(Exception):
    """What was read is not what was once written; never leaves the adapters."""


@dataclass(slots=True)
class Source:
    """An open file with a whole trailer."""

    descriptor: int
    trailer: Trailer

    def read(self, into: memoryview, *, at: int) -> None:
        """Fill a buffer from a place in the payload. Several threads may do so at once.

        Raises:
            DamageError: the file is shorter than it says, or was changed.
            OSError: it cannot be read now.
        """
        try:
            read_all(self.descriptor, into, at=at)
        except EOFError as error:
            raise DamageError("it became shorter while it was read") from error

    def expected(self, digest: bytes) -> bytes:
        """What stands in the trailer if this is the digest of the payload's rest."""
        return digest

    def piece(self, at: int, length: int) -> bytearray:
        """A piece of the payload."""
        found = bytearray(length)
        self.read(memoryview(found), at=at)
        return found


@dataclass(slots=True)
class SealedSource(Source):
    """A sealed file. The frame that was opened last stays at hand."""

    key: FileKey = field(repr=False)
    tags: bytes = field(repr=False)

    def read(self, into: memoryview, *, at: int) -> None:
        """Fill a buffer with what was sealed."""
        end = at + len(into)
        for number in range(at // FRAME_BYTES, -(-end // FRAME_BYTES)):
            start = number * FRAME_BYTES
            length = min(FRAME_BYTES, self.trailer.payload_bytes - start)
            raw = bytearray(length)
            Source.read(self, memoryview(raw), at=start)
            tag = self.tags[number * TAG_BYTES : (number + 1) * TAG_BYTES]
            opened = self.key.open_frame(number, raw, tag)
            if opened is None:
                raise DamageError("its content was changed")
            low, high = max(at, start), min(end, start + length)
            into[low - at : high - at] = memoryview(opened)[low - start : high - start]

    def expected(self, digest: bytes) -> bytes:
        """The digest, in a form that tells nothing of the content."""
        return self.key.veil(digest)


def open_source(descriptor: int, key: Key | None) -> Source | Damage:
    """Look at the end of a file.

    Raises:
        SessionError: a newer cfslurm wrote it; or it is sealed, and there is no key or another one.
        OSError: it cannot be read now.
    """
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        return Damage("it is no regular file")
    tail = os.pread(descriptor, TRAILER_BYTES, max(0, status.st_size - TRAILER_BYTES))
    trailer = read_trailer(tail, file_bytes=status.st_size)
    if isinstance(trailer, Damage):
        return trailer
    if not trailer.is_sealed:
        return Source(descriptor, trailer)
    if key is None:
        raise needs_key()
    block = bytearray(trailer.extra_bytes)
    try:
        read_all(descriptor, memoryview(block), at=trailer.payload_bytes)
    except EOFError:
        return Damage("it became shorter while it was read")
    salt, tags = bytes(block[:SALT_BYTES]), bytes(block[SALT_BYTES:])
    assert len(tags) == TAG_BYTES * frames(trailer.payload_bytes)
    return SealedSource(descriptor, trailer, key=key.for_file(salt, trailer), tags=tags)
