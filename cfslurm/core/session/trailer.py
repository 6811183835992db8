"""The trailer: 64 bytes behind the end of the HDF5 data, where HDF5 does not look."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from enum import IntEnum

from cfslurm.core.session.layout import VERSION, Damage, GenerationId, check_version, newer_error

TRAILER_BYTES = 64
LEAF_BYTES = 4 * 1024**2
DIGEST_BYTES = 16
FRAME_BYTES = 1024**2
TAG_BYTES = 16
SALT_BYTES = 16
_PLAIN = b"\x89CFSES\r\n"
_SEALED = b"\x89CFSEX\r\n"
_TRAILER = struct.Struct("<8sHHIQQ16sQII")


class Digest(IntEnum):
    """How digests are made: of 16 bytes, over the joined digests (16 bytes each) of leaves of 4 MiB.

    XXH3 (128 bits) is by far the fastest and needs a library; of those that Python has, SHA-256 (cut
    to 16 bytes) is faster where the processor has instructions for it, BLAKE2b elsewhere.
    """

    BLAKE2B = 1
    SHA256 = 2
    XXH3 = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Trailer:
    """What a whole generation ends with.

    Units: ``payload_bytes`` is the length of the HDF5 data, ``about_at`` and ``about_bytes`` the
        place of the dataset ``about`` in it. ``digest`` is over the payload without its parts, which
        have digests of their own in ``about``; in version 1 over all of it, and ``about_bytes`` is 0.
    """

    id: GenerationId
    payload_bytes: int
    digest: bytes
    kind: Digest = Digest.BLAKE2B
    about_at: int = 0
    about_bytes: int = 0
    version: int = VERSION
    is_sealed: bool = False

    @property
    def extra_bytes(self) -> int:
        """What stands between payload and trailer: in a sealed file a salt and a tag for each frame."""
        return SALT_BYTES + TAG_BYTES * frames(self.payload_bytes) if self.is_sealed else 0


def frames(payload_bytes: int) -> int:
    """Into how many pieces a sealed payload is cut."""
    return -(-payload_bytes // FRAME_BYTES)


def write_trailer(trailer: Trailer) -> bytes:
    """The 64 bytes.

    Shape: little endian: magic 8, version u16, digest kind u16, epoch u32, generation u64, payload
        length u64, digest 16, place of about u64, its length u32, crc32 of the 60 bytes before it u32.
    """
    head = _TRAILER.pack(
        _SEALED if trailer.is_sealed else _PLAIN, trailer.version, trailer.kind, trailer.id.epoch,
        trailer.id.generation, trailer.payload_bytes, trailer.digest, trailer.about_at,
        trailer.about_bytes, 0,
    )[:-4]  # fmt: skip
    return head + zlib.crc32(head).to_bytes(4, "little")


def read_trailer(tail: bytes, *, file_bytes: int) -> Trailer | Damage:
    """Read the last 64 bytes of a file.

    Raises:
        SessionError: it was written by a newer cfslurm.
    """
    if len(tail) != TRAILER_BYTES:
        return Damage("it is too short")
    magic, version, kind, epoch, generation, length, digest, at, size, crc = _TRAILER.unpack(tail)
    if magic not in (_PLAIN, _SEALED):
        return Damage("its end is missing")
    if zlib.crc32(tail[:-4]) != crc:
        return Damage("its trailer is damaged")
    check_version(version)
    if kind not in tuple(Digest):
        raise newer_error(f"digest kind {kind}")
    trailer = Trailer(
        id=GenerationId(epoch, generation),
        payload_bytes=length,
        digest=digest,
        kind=Digest(kind),
        about_at=at,
        about_bytes=size,
        version=version,
        is_sealed=magic == _SEALED,
    )
    expected = length + trailer.extra_bytes + TRAILER_BYTES
    if expected != file_bytes:
        return Damage(f"it should have {expected} bytes and has {file_bytes}")
    if at + size > length:
        return Damage("its trailer points behind its end")
    return trailer
