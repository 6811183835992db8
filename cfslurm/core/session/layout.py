"""The layout of a session, version 1: names of files, names inside a generation, the trailer.

A session is a folder. Everything in it is written once under a name of its own and never changed
(a journal only grows), so a reader needs no lock. docs/reference/session-format.md says the rest.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass

from cfslurm.errors import SessionError

SCHEMA = "cfslurm.session"
VERSION = 1
CLAIM_SCHEMA = "cfslurm.session.claim/1"
JOURNAL_SCHEMA = "cfslurm.session.journal/1"

# Inside a generation. Groups hold groups and datasets; every dataset but those below `state` is named.
STATE = "state"
STATE_JSON = "state_json"
EVENTS_DATA = "events/data"
EVENTS_OFFSETS = "events/offsets"
STEPS = "steps"
RNG = "rng"
NAMED_DATASETS = (STATE_JSON, EVENTS_DATA, EVENTS_OFFSETS, STEPS, RNG)

# Attributes of a dataset below `state`.
KIND = "kind"
DTYPE = "dtype"
KIND_ARRAY = "array"
KIND_BYTES = "bytes"

FOLDER_MODE = 0o700
FILE_MODE = 0o600
KEEP = 3
KEEP_CLAIMS = 10

_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_EPOCH = re.compile(r"epoch-(\d{4,9})(\.closed)?")
_GENERATION = re.compile(r"([gj])(\d{4,9})-(\d{12})\.(h5|log)")
_TEMPORARY = re.compile(r"\.tmp-(\d{4,9})-[0-9a-f]{1,64}")


@dataclass(frozen=True, slots=True, order=True)
class GenerationId:
    """Which generation; the epoch counts first, so an old writer's late save is never the newest."""

    epoch: int
    generation: int

    @property
    def file_name(self) -> str:
        """The generation's file: ``g0003-000000000057.h5``."""
        return f"g{self.epoch:04d}-{self.generation:012d}.h5"

    @property
    def journal_name(self) -> str:
        """The journal of what was recorded after it: ``j0003-000000000057.log``."""
        return f"j{self.epoch:04d}-{self.generation:012d}.log"


def claim_name(epoch: int) -> str:
    """The file that says who may write in an epoch."""
    return f"epoch-{epoch:04d}"


def closed_name(epoch: int) -> str:
    """The file that says that the holder of an epoch has ended and will not write again."""
    return f"epoch-{epoch:04d}.closed"


def temporary_name(epoch: int, token: str) -> str:
    """A file that is being written; readers pass it over."""
    return f".tmp-{epoch:04d}-{token}"


def is_label(text: str) -> bool:
    """True for a session's name: up to 200 letters, digits, ``.``, ``_`` and ``-``."""
    return _LABEL.fullmatch(text) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What lies in a session's folder, each in ascending order; strange files are passed over."""

    epochs: tuple[int, ...] = ()
    closed: frozenset[int] = frozenset()
    generations: tuple[GenerationId, ...] = ()
    journals: tuple[GenerationId, ...] = ()
    temporary: tuple[tuple[int, str], ...] = ()

    @property
    def newest_epoch(self) -> int:
        """The highest number that was ever claimed; 0 in a new folder."""
        of_files = (found.epoch for found in (*self.generations, *self.journals))
        return max((*self.epochs, *self.closed, *of_files), default=0)


def read_listing(names: Iterable[str]) -> Listing:
    """Sort the names of a folder by what they are."""
    epochs: set[int] = set()
    closed: set[int] = set()
    temporary: list[tuple[int, str]] = []
    found: dict[str, list[GenerationId]] = {"g": [], "j": []}
    for name in names:
        if match := _EPOCH.fullmatch(name):
            (closed if match[2] else epochs).add(int(match[1]))
        elif match := _GENERATION.fullmatch(name):
            which = GenerationId(int(match[2]), int(match[3]))
            if name in (which.file_name, which.journal_name):
                found[match[1]].append(which)
        elif match := _TEMPORARY.fullmatch(name):
            temporary.append((int(match[1]), name))
    return Listing(
        epochs=tuple(sorted(epochs)),
        closed=frozenset(closed),
        generations=tuple(sorted(found["g"])),
        journals=tuple(sorted(found["j"])),
        temporary=tuple(sorted(temporary)),
    )


def expendable(listing: Listing, published: GenerationId, *, keep: int) -> tuple[str, ...]:
    """What may go after a generation was published: all but it and the ``keep - 1`` before it.

    A generation that sorts after the published one is another writer's: not ours to judge. Journals
    go with their generations. The last claims stay, because they tell who had the session.
    """
    ours = [found for found in listing.generations if found <= published]
    kept = ours[-max(keep, 1) :]
    first = kept[0] if kept else published
    old_claims = [e for e in listing.epochs if e <= published.epoch - KEEP_CLAIMS]
    return (
        *(found.file_name for found in ours if found < first),
        *(found.journal_name for found in listing.journals if found < first),
        *(claim_name(epoch) for epoch in old_claims),
        *(closed_name(e) for e in sorted(listing.closed) if e <= published.epoch - KEEP_CLAIMS),
    )


# The trailer stands after the end of the HDF5 data, where HDF5 does not look.
TRAILER_BYTES = 64
LEAF_BYTES = 4 * 1024**2
DIGEST_BYTES = 16
DIGEST_BLAKE2B_LEAVES = 1
_MAGIC = b"\x89CFSES\r\n"
_TRAILER = struct.Struct("<8sHHIQQ16s12sI")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trailer:
    """What a whole generation ends with; ``digest`` is over the ``payload_bytes`` before it.

    The digest is BLAKE2b with 16 bytes over the joined BLAKE2b digests (16 bytes each) of the
    payload's pieces of 4 MiB, so that several threads can compute it.
    """

    id: GenerationId
    payload_bytes: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class Damage:
    """Why a file is not what was once written: torn, cut off, changed, overwritten."""

    reason: str


def write_trailer(trailer: Trailer) -> bytes:
    """The 64 bytes.

    Shape: little endian: magic 8, version u16, digest kind u16, epoch u32, generation u64, payload
        length u64, digest 16, zeros 12, crc32 of the 60 bytes before it u32.
    """
    head = _TRAILER.pack(
        _MAGIC, VERSION, DIGEST_BLAKE2B_LEAVES, trailer.id.epoch, trailer.id.generation,
        trailer.payload_bytes, trailer.digest, bytes(12), 0,
    )[:-4]  # fmt: skip
    return head + zlib.crc32(head).to_bytes(4, "little")


def read_trailer(tail: bytes, *, file_bytes: int) -> Trailer | Damage:
    """Read the last 64 bytes of a file.

    Raises:
        SessionError: it was written by a newer cfslurm.
    """
    if len(tail) != TRAILER_BYTES:
        return Damage("it is too short")
    magic, version, kind, epoch, generation, length, digest, _, crc = _TRAILER.unpack(tail)
    if magic != _MAGIC:
        return Damage("its end is missing")
    if zlib.crc32(tail[:-4]) != crc:
        return Damage("its trailer is damaged")
    check_version(version)
    if kind != DIGEST_BLAKE2B_LEAVES:
        raise newer_error(f"digest kind {kind}")
    if length != file_bytes - TRAILER_BYTES:
        return Damage(f"it should have {length + TRAILER_BYTES} bytes and has {file_bytes}")
    return Trailer(id=GenerationId(epoch, generation), payload_bytes=length, digest=digest)


def check_version(version: int) -> None:
    """Refuse a version that this cfslurm does not know.

    Raises:
        SessionError: it is newer, or no version at all.
    """
    if version > VERSION:
        raise newer_error(f"format version {version}")
    if version < 1:
        raise SessionError(
            f"the session has format version {version}, which never existed",
            remedy="Move the file out of the folder; the generation before it is read then.",
        )


def newer_error(what: str) -> SessionError:
    """The error for something that only a newer cfslurm can have written."""
    return SessionError(
        f"the session was written by a newer cfslurm: {what}",
        remedy="Upgrade cfslurm where this runs; going on with the old one would lose state.",
    )
