"""The dataset ``about``: where a generation comes from, and where each of its large parts lies.

A part is a dataset of 64 KiB or more. It lies in the file of the generation that wrote it first, which
may be an earlier one, and has a digest of its own: so a generation is as complete and as checked as
one that holds everything itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from cfslurm.core.documents import Json
from cfslurm.core.session import layout
from cfslurm.core.session.layout import GenerationId
from cfslurm.core.session.trailer import Digest, Trailer
from cfslurm.errors import SessionError

_DIGEST = re.compile(r"(blake2b|sha256|xxh3):[0-9a-f]{32}")
_MAX_RATIO = 128  # of text that was packed; beyond that nobody packs, so it is a bomb


@dataclass(frozen=True, slots=True, kw_only=True)
class PartRef:
    """A part: in which file, under which name and at which byte it lies, and what it is.

    Units: ``stored_bytes`` is its length in the file, ``size_bytes`` that of its content; they differ
        where it ``is_packed`` (zlib). ``digest`` is of the content; empty for a dataset that is no
        part: it lies in this file, and the trailer's digest is over it.
    Shape: ``dtype`` is a tag as numpy writes it, ``<f4``, or JSON for a structure.
    """

    where: GenerationId
    name: str
    at: int
    stored_bytes: int
    size_bytes: int
    digest: str
    dtype: str
    shape: tuple[int, ...]
    kind: str = ""
    tag: str = ""
    is_packed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """Where a generation comes from.

    Shape: ``parent`` is the file name of the generation it goes on from and the hexadecimal digest
        of that, as ``g0003-000000000056.h5:1f…``; empty in the first. ``saved_at`` is UTC.
    """

    id: GenerationId
    session: str
    writer: str
    parent: str
    saved_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a generation says of itself: parts, and small datasets, by their names in this generation."""

    stamp: Stamp
    events: int
    parts: Mapping[str, PartRef] = field(default_factory=dict)
    small: Mapping[str, PartRef] = field(default_factory=dict)

    @property
    def holders(self) -> frozenset[GenerationId]:
        """The other generations whose files this one needs."""
        return frozenset(ref.where for ref in self.parts.values()) - {self.stamp.id}


def digest_text(kind: Digest, digest: bytes) -> str:
    """A part's digest as it is written: ``sha256:1f…``."""
    return f"{kind.name.lower()}:{digest.hex()}"


def digest_kind(text: str) -> Digest:
    """How a part's digest was made."""
    return Digest[text.partition(":")[0].upper()]


def about_document(about: About) -> dict[str, Json]:
    """As JSON."""
    stamp = about.stamp
    return {
        "session": stamp.session,
        "epoch": stamp.id.epoch,
        "generation": stamp.id.generation,
        "writer": stamp.writer,
        "parent": stamp.parent,
        "saved_at": stamp.saved_at,
        "events": about.events,
        "parts": {path: _part_document(ref) for path, ref in about.parts.items()},
        "small": {path: _place_document(ref) for path, ref in about.small.items()},
    }


def _part_document(ref: PartRef) -> dict[str, Json]:
    document: dict[str, Json] = {"file": ref.where.file_name, "name": ref.name}
    return {**document, "digest": ref.digest, **_place_document(ref)}


def _place_document(ref: PartRef) -> dict[str, Json]:
    document: dict[str, Json] = {
        "at": ref.at,
        "stored": ref.stored_bytes,
        "bytes": ref.size_bytes,
        "dtype": ref.dtype,
        "shape": list(ref.shape),
    }
    extra = {"kind": ref.kind, "tag": ref.tag}
    return {
        **document,
        **{k: v for k, v in extra.items() if v},
        **({"packed": True} if ref.is_packed else {}),
    }


def read_about(document: Json, trailer: Trailer) -> About:
    """Undo `about_document`, with suspicion.

    Raises:
        SessionError: a stranger wrote it, or it is another generation's.
    """
    match document:
        case {
            "session": str(session),
            "epoch": int(epoch),
            "generation": int(generation),
            "writer": str(writer),
            "parent": str(parent),
            "saved_at": str(saved_at),
            "events": int(events),
            "parts": dict(parts),
            "small": dict(small),
        } if GenerationId(epoch, generation) == trailer.id and events >= 0:
            stamp = Stamp(
                id=trailer.id, session=session, writer=writer, parent=parent, saved_at=saved_at
            )
            refs = {path: _read_part(path, part) for path, part in parts.items()}
            here = {path: _read_small(path, one, trailer.id) for path, one in small.items()}
        case _:
            raise strange("a dataset about that does not fit its trailer")
    if refs.keys() & here.keys():
        raise strange("a dataset twice")
    _check_places([*refs.values(), *here.values()], trailer)
    return About(stamp=stamp, events=events, parts=refs, small=here)


def _read_part(path: str, document: Json) -> PartRef:
    match document:
        case {
            "file": str(file),
            "name": str(name),
            "digest": str(digest),
            "stored": int(stored),
        } if stored > 0 and _DIGEST.fullmatch(digest):
            where = layout.read_listing([file]).generations
            if where:
                small = _read_small(path, document, where[0])
                return replace(small, name=name, digest=digest)
    raise strange(f"a part {path[:100]!r} that is not described as one")


def _read_small(path: str, document: Json, where: GenerationId) -> PartRef:
    match document:
        case {
            "at": int(at),
            "stored": int(stored),
            "bytes": int(size),
            "dtype": str(dtype),
            "shape": list(shape),
            **rest,
        } if at >= 0 and stored >= 0:
            lengths = tuple(n for n in shape if type(n) is int and n >= 0)
            kind, tag = rest.get("kind", ""), rest.get("tag", "")
            packed = rest.get("packed", False)
            fits = size == stored if packed is False else stored < size <= _MAX_RATIO * stored
            if len(lengths) == len(shape) <= 33 and fits and isinstance(packed, bool):
                return PartRef(
                    where=where, name=path, at=at, stored_bytes=stored, size_bytes=size, digest="",
                    dtype=dtype, shape=lengths, kind=str(kind), tag=str(tag), is_packed=packed,
                )  # fmt: skip
    raise strange(f"a dataset {path[:100]!r} that is not described as one")


def _check_places(refs: Iterable[PartRef], trailer: Trailer) -> None:
    """No two datasets of a file overlap, and those of this file lie in it."""
    ends: dict[GenerationId, int] = {}
    for ref in sorted(refs, key=lambda ref: (ref.where, ref.at, ref.stored_bytes)):
        if not ref.stored_bytes:
            continue
        if ref.at < ends.get(ref.where, 0):
            raise strange("parts that overlap")
        ends[ref.where] = ref.at + ref.stored_bytes
    if ends.get(trailer.id, 0) > trailer.payload_bytes:
        raise strange("a part that lies behind its end")
    if any(where > trailer.id for where in ends):
        raise strange("a part in a later generation")


def strange(what: str) -> SessionError:
    """The error for a file whose digest is right, but which no cfslurm has written so."""
    return SessionError(
        f"the file holds {what}: no cfslurm has written it so",
        remedy="Find out who wrote it; move it out of the folder to go on from the one before it.",
    )
