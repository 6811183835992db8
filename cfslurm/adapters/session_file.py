"""Writing one generation's file: structure from `session_image`, data straight from where they lie.

Hashing and writing go on beside each other, and every byte is touched once by each. Nothing is synced
before the end: measured, syncing meanwhile takes longer, because the disk is asked to flush each time.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from cfslurm.adapters.session_blobs import BYTE, Blob, blobs_of, packed, padded
from cfslurm.adapters.session_digest import Workers, digest_of, fastest, secure
from cfslurm.adapters.session_image import Image, Images, Spec
from cfslurm.adapters.session_io import write_all
from cfslurm.adapters.session_parts import KnownParts
from cfslurm.adapters.session_secret import Key
from cfslurm.core.session import layout, values
from cfslurm.core.session.about import About, PartRef, Stamp, about_document, digest_text
from cfslurm.core.session.content import Content
from cfslurm.core.session.trailer import FRAME_BYTES, Digest, Trailer, write_trailer

_UNKNOWN_PLACE = 10**15


@dataclass(slots=True, kw_only=True)
class Store:
    """What a writer keeps between its generations, and how it writes them."""

    folder: Path
    packs: bool = False
    key: Key | None = field(default=None, repr=False)
    known: KnownParts = field(default_factory=KnownParts)
    images: Images = field(default_factory=Images)

    def learn(self, about: About, content: Content) -> None:
        """Know the parts of a generation that was read."""
        self.known.learn(about.parts, [blob for blob in blobs_of(content) if blob.is_part])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """A generation that is about to be written. ``blobs`` go into this file, in the order of places."""

    blobs: tuple[Blob, ...]
    image: Image
    about_bytes: int
    draft: About

    @property
    def parts(self) -> Iterator[tuple[Blob, int]]:
        """The parts in this file, each with its place."""
        pairs = zip(self.blobs, self.image.places[1:], strict=True)
        return ((blob, place) for blob, place in pairs if blob.is_part)


def write_generation(
    descriptor: int, stamp: Stamp, content: Content, store: Store
) -> tuple[Trailer, About, Callable[[], None]]:
    """Write a whole generation into an empty file, and bring it to stable storage.

    The last of the answers is to be called once the file has its name: then the store knows its parts.

    Raises:
        OSError: it cannot be written; the file is then worthless.
    """
    kind = fastest() if store.key is None else secure()
    blobs = blobs_of(content)
    with Workers() as workers:
        large = [blob for blob in blobs if blob.is_part]
        old = store.known.unchanged(large, workers, store.folder)
        events = sum(segment.count for segment in content.events)
        new = [blob for blob in blobs if blob.spec.path not in old]
        if store.packs:
            new = [packed(blob) for blob in new]
        plan = _plan(About(stamp=stamp, events=events, parts=old), new, store.images)
        write = _write_plain if store.key is None else _write_sealed
        trailer, about = write(descriptor, plan, kind, (workers, store.key))
    return trailer, about, lambda: store.known.learn(about.parts, large)


def _plan(about: About, new: Sequence[Blob], images: Images) -> _Plan:
    """Lay out what is new beside the parts that ``about`` knows already."""
    new = sorted(new, key=lambda blob: blob.is_part)
    draft = {b.spec.path: _reference(b, about.stamp) for b in new if b.is_part}
    small = {b.spec.path: _reference(b, about.stamp) for b in new if not b.is_part}
    about = replace(about, parts=draft | dict(about.parts), small=small)
    length = len(_about_bytes(about))
    spec = Spec(path=layout.ABOUT, dtype=BYTE, shape=(length,))
    image = images.image((spec, *(blob.spec for blob in new)))
    return _Plan(blobs=tuple(new), image=image, about_bytes=length, draft=about)


def _reference(blob: Blob, stamp: Stamp) -> PartRef:
    """What will be said of a part, with the longest place there can be."""
    return PartRef(
        where=stamp.id,
        name=blob.spec.path,
        at=_UNKNOWN_PLACE,
        stored_bytes=len(blob.stored),
        size_bytes=len(blob.view),
        digest=digest_text(Digest.BLAKE2B, bytes(16)),
        dtype=blob.tag,
        shape=blob.spec.shape,
        kind=blob.spec.kind,
        tag=blob.spec.tag,
        is_packed=bool(blob.spec.packed_bytes),
    )


def _about_bytes(about: About) -> bytes:
    return padded(values.to_bytes(about_document(about)), b" ")


def _finished(plan: _Plan, digests: Mapping[str, str]) -> About:
    """The draft with its places and digests."""
    parts = dict(plan.draft.parts)
    for blob, place in plan.parts:
        path = blob.spec.path
        parts[path] = replace(parts[path], at=place, digest=digests[path])
    small = {
        blob.spec.path: replace(plan.draft.small[blob.spec.path], at=place)
        for blob, place in zip(plan.blobs, plan.image.places[1:], strict=True)
        if not blob.is_part
    }
    return replace(plan.draft, parts=parts, small=small)


def _rest(plan: _Plan, about: About) -> list[tuple[int, bytearray]]:
    """Everything but the parts: stretches of the payload, in their order."""
    image, text = plan.image, values.to_bytes(about_document(about)).ljust(plan.about_bytes)
    data = [
        (place, b.stored)
        for b, place in zip(plan.blobs, image.places[1:], strict=True)
        if not b.is_part
    ]
    data = sorted([(image.places[0], memoryview(text)), *data], key=lambda pair: pair[0])
    holes = sorted((place, place + len(blob.stored)) for blob, place in plan.parts)
    found = []
    start = 0
    for low, high in [*holes, (image.length, image.length)]:
        stretch = bytearray(image.structure(start, low))
        while data and data[0][0] < low:
            place, view = data.pop(0)
            stretch[place - start : place - start + len(view)] = view
        found.append((start, stretch))
        start = high
    return found


def _trailer(plan: _Plan, kind: Digest, digest: bytes, *, is_sealed: bool) -> Trailer:
    return Trailer(
        id=plan.draft.stamp.id,
        payload_bytes=plan.image.length,
        digest=digest,
        kind=kind,
        about_at=plan.image.places[0],
        about_bytes=plan.about_bytes,
        is_sealed=is_sealed,
    )


_Help = tuple[Workers, Key | None]


def _write_plain(descriptor: int, plan: _Plan, kind: Digest, help_: _Help) -> tuple[Trailer, About]:
    """Parts first, while they are hashed; then the rest, which has their digests."""
    workers, _ = help_
    waiting = {}
    for blob, place in plan.parts:
        waiting[blob.spec.path] = workers.digest(blob.view, kind)
        write_all(descriptor, blob.stored, at=place)
    about = _finished(plan, {p: digest_text(kind, result()) for p, result in waiting.items()})
    rest = _rest(plan, about)
    digest = digest_of(b"".join(stretch for _, stretch in rest), kind)
    trailer = _trailer(plan, kind, digest, is_sealed=False)
    rest[-1][1].extend(write_trailer(trailer))
    for start, stretch in rest:
        write_all(descriptor, stretch, at=start)
    os.fsync(descriptor)
    return trailer, about


def _write_sealed(
    descriptor: int, plan: _Plan, kind: Digest, help_: _Help
) -> tuple[Trailer, About]:
    """Hash first: the description stands at the beginning, and frames are sealed in their order."""
    workers, key = help_
    assert key is not None
    waiting = {blob.spec.path: workers.digest(blob.view, kind) for blob, _ in plan.parts}
    about = _finished(plan, {p: digest_text(kind, result()) for p, result in waiting.items()})
    rest = _rest(plan, about)
    digest = digest_of(b"".join(stretch for _, stretch in rest), kind)
    trailer = _trailer(plan, kind, digest, is_sealed=True)
    salt = key.new_salt()
    seal = key.for_file(salt, trailer)
    pieces = [(start, memoryview(stretch)) for start, stretch in rest]
    pieces += [(place, blob.stored) for blob, place in plan.parts]
    pieces.sort(key=lambda piece: piece[0])
    tags = [salt]
    for number, frame in enumerate(_frames(view for _, view in pieces)):
        sealed, tag = seal.seal_frame(number, frame)
        write_all(descriptor, sealed, at=number * FRAME_BYTES)
        tags.append(tag)
    end = b"".join(tags) + write_trailer(replace(trailer, digest=seal.veil(digest)))
    write_all(descriptor, end, at=plan.image.length)
    os.fsync(descriptor)
    return trailer, about


def _frames(views: Iterator[memoryview]) -> Iterator[memoryview | bytes]:
    """The same bytes in frames of 1 MiB; the last may be shorter."""
    held = bytearray()
    for view in views:
        at = 0
        while at < len(view):
            count = min(FRAME_BYTES - len(held), len(view) - at)
            if not held and count == FRAME_BYTES:
                yield view[at : at + count]
            else:
                held += view[at : at + count]
                if len(held) == FRAME_BYTES:
                    yield bytes(held)
                    held.clear()
            at += count
    if held:
        yield bytes(held)
