"""Reading one generation's file, and the parts it has in others: nothing unverified reaches HDF5."""

from __future__ import annotations

import bisect
import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cfslurm.adapters.session_data import as_datum, is_expected, unpack
from cfslurm.adapters.session_digest import digest_large
from cfslurm.adapters.session_gather import Holders, load_parts
from cfslurm.adapters.session_io import open_for_reading
from cfslurm.adapters.session_secret import Key
from cfslurm.adapters.session_source import DamageError, Source, open_source
from cfslurm.core.session import layout, values
from cfslurm.core.session.about import About, PartRef, read_about, strange
from cfslurm.core.session.arrays import dtype_from_text, fits
from cfslurm.core.session.content import Content
from cfslurm.core.session.layout import Damage, newer_error
from cfslurm.core.session.log import Segment, read_segment
from cfslurm.core.session.migrate import Tree, about_1, datasets_2
from cfslurm.core.session.trailer import Trailer
from cfslurm.errors import SessionError

if TYPE_CHECKING:
    from cfslurm.core.session.arrays import Array
    from cfslurm.core.session.values import Datum

_MAX_ABOUT_BYTES = 64 * 1024**2


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A generation that is whole."""

    about: About
    content: Content
    trailer: Trailer


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A generation's description and its length; its parts have not been looked at."""

    about: About
    trailer: Trailer
    file_bytes: int


def read_head(path: Path, key: Key | None = None) -> Head | Damage:
    """Read and verify everything of a generation but its parts. Version 1 is read whole.

    Raises:
        FileNotFoundError: it is gone.
        SessionError: a newer cfslurm wrote it, or it is sealed with another key.
        OSError: it cannot be read now; that says nothing about what is in it.
    """
    try:
        with _opened(path, key) as source:
            about, rest = _verified_rest(source)
            if about is None:
                about = about_1(_tree(rest))
            size = os.fstat(source.descriptor).st_size
            return Head(about=about, trailer=source.trailer, file_bytes=size)
    except DamageError as damage:
        return Damage(str(damage))


def read_generation(path: Path, key: Key | None = None) -> Loaded | Damage:
    """Read a generation with everything that belongs to it.

    Raises:
        FileNotFoundError: it is gone.
        SessionError: a newer cfslurm wrote it, or it holds what no cfslurm writes, or it is sealed
            with another key.
        OSError: it cannot be read now; that says nothing about what is in it.
    """
    try:
        with _opened(path, key) as source:
            about, rest = _verified_rest(source)
            if about is None:
                tree = _tree(rest)
                return _loaded(about_1(tree), datasets_2(tree), source.trailer)
            with contextlib.ExitStack() as stack:
                parts = load_parts(about, Holders(source, path.parent, key, stack))
            return _loaded(about, _datasets(about, rest, parts), source.trailer)
    except DamageError as damage:
        return Damage(str(damage))


@contextlib.contextmanager
def _opened(path: Path, key: Key | None) -> Iterator[Source]:
    descriptor = open_for_reading(path)
    try:
        source = open_source(descriptor, key)
        if isinstance(source, Damage):
            raise DamageError(source.reason)
        yield source
    finally:
        os.close(descriptor)


def _verified_rest(source: Source) -> tuple[About | None, list[tuple[int, bytearray]]]:
    """The description, and all of the payload that is no part; version 1 has neither."""
    trailer = source.trailer
    about = None
    holes: list[tuple[int, int]] = []
    if trailer.version > 1:
        about = _read_about(source)
        own = (ref for ref in about.parts.values() if ref.where == trailer.id)
        holes = sorted((ref.at, ref.at + ref.stored_bytes) for ref in own)
    rest = []
    start = 0
    for low, high in [*holes, (trailer.payload_bytes, trailer.payload_bytes)]:
        rest.append((start, source.piece(start, low - start)))
        start = high
    joined = rest[0][1] if len(rest) == 1 else b"".join(piece for _, piece in rest)
    digest = digest_large(memoryview(joined), trailer.kind)
    if source.expected(digest) != trailer.digest:
        raise DamageError("its content was changed")
    return about, rest


def _read_about(source: Source) -> About:
    """The description, before anything is known to be right: whatever is wrong with it is damage."""
    trailer = source.trailer
    if not 0 < trailer.about_bytes <= _MAX_ABOUT_BYTES:
        raise DamageError("its description has no length")
    raw = source.piece(trailer.about_at, trailer.about_bytes)
    try:
        return read_about(values.from_bytes(bytes(raw)), trailer)
    except SessionError as error:
        raise DamageError(f"its description is damaged ({error.message[:200]})") from error


def _tree(rest: list[tuple[int, bytearray]]) -> Tree:
    """What HDF5 says of a file of version 1, all of which is one piece; later ones are read without it."""
    from cfslurm.adapters.session_apart import read_apart

    ((_, content),) = rest
    return read_apart(content)


def _datasets(
    about: About, rest: list[tuple[int, bytearray]], parts: Mapping[str, Array]
) -> dict[str, Datum]:
    """All datasets, from where the description says that they are."""
    found: dict[str, Datum] = {}
    for path, content in parts.items():
        found[path] = _datum(path, about.parts[path], content)
    starts = [start for start, _ in rest]
    for path, ref in about.small.items():
        start, stretch = rest[bisect.bisect_right(starts, ref.at) - 1]
        raw = memoryview(stretch)[ref.at - start :][: ref.stored_bytes]
        if len(raw) != ref.stored_bytes:
            raise strange(f"a dataset {path[:100]!r} that lies elsewhere than it says")
        content = unpack(raw, ref.size_bytes, path) if ref.is_packed else np.frombuffer(raw, "u1")
        found[path] = _datum(path, ref, content.copy())
    return found


def _datum(path: str, ref: PartRef, content: Array) -> Datum:
    """A dataset as what it says it is."""
    if not is_expected(path):
        raise newer_error(f"it holds {path[:200]!r}")
    try:
        dtype = dtype_from_text(ref.dtype)
        if not fits(dtype, ref.shape, len(content)):
            raise ValueError(f"{len(content)} bytes are no {dtype} of {ref.shape}")
        array = (
            content.view(dtype).reshape(ref.shape) if len(content) else np.empty(ref.shape, dtype)
        )
    except ValueError as error:
        raise strange(f"{path[:100]!r}, which does not fit its shape ({error})") from error
    is_state = path.startswith(layout.STATE_PREFIX)
    return as_datum(path, array, ref.kind, ref.tag) if is_state else array


def _loaded(about: About, found: Mapping[str, Datum], trailer: Trailer) -> Loaded:
    if about.stamp.id != trailer.id:
        raise strange("attributes that do not fit its trailer")
    state = {
        path.removeprefix(layout.STATE_PREFIX): datum
        for path, datum in found.items()
        if path.startswith(layout.STATE_PREFIX)
    }
    content = Content(
        state_json=_raw(found, layout.STATE_JSON),
        data=state,
        events=_segments(found, about if trailer.version > 1 else None),
        steps_json=_raw(found, layout.STEPS),
        rng_json=_raw(found, layout.RNG),
    )
    return Loaded(about=about, content=content, trailer=trailer)


def _segments(found: Mapping[str, Datum], about: About | None) -> tuple[Segment, ...]:
    """The events; the segments must follow each other without a gap."""
    names = sorted(path for path in found if path.startswith(layout.EVENTS_PREFIX))
    segments: list[Segment] = []
    count = 0
    for name in names:
        first = int(name.removeprefix(layout.EVENTS_PREFIX))
        if first != count:
            raise strange("events that do not follow each other")
        segments.append(read_segment(first, _raw(found, name)))
        count += segments[-1].count
    if about is not None and count != about.events:
        raise strange(f"{count} events instead of {about.events}")
    return tuple(segments)


def _raw(found: Mapping[str, Datum], path: str) -> bytes:
    datum = found.get(path)
    if datum is None:
        raise strange(f"no {path}")
    if isinstance(datum, np.ndarray) and datum.dtype == np.uint8 and datum.ndim == 1:
        return datum.tobytes()
    raise strange(f"{path} that is no list of bytes")
