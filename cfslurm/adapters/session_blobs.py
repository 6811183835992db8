"""What a generation is made of: its datasets as bytes, where they lie in memory."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cfslurm.adapters.session_image import Spec
from cfslurm.core.session import layout
from cfslurm.core.session.about import PartRef
from cfslurm.core.session.arrays import dtype_text, to_stored
from cfslurm.core.session.content import Content

_PROBES = 256
_PROBE_BYTES = 512
BYTE = np.dtype("u1")
_PACK_FROM = 4096
_SAMPLE_BYTES = 256 * 1024
_WORTH, _BOMB = 1.2, 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """A dataset to be written.

    Shape: ``view`` is its content, flat; ``stored`` what goes into the file, which differs if it is
        packed. ``owner`` is the object that the content belongs to; bytes never change, arrays may.
    """

    spec: Spec
    view: memoryview
    stored: memoryview
    owner: object

    @property
    def is_part(self) -> bool:
        """True for a dataset with a digest of its own."""
        return len(self.view) >= layout.PART_BYTES

    @property
    def tag(self) -> str:
        """Its dtype as text."""
        return dtype_text(self.spec.dtype)

    def is_what(self, ref: PartRef) -> bool:
        """True if it would be read back in the same way as a part."""
        same = (self.tag, self.spec.shape, self.spec.kind, self.spec.tag, len(self.view))
        return same == (ref.dtype, ref.shape, ref.kind, ref.tag, ref.size_bytes)

    def probe(self) -> int:
        """A quick look: other probes mean other content, the same ones prove nothing."""
        step = max(1, (len(self.view) - _PROBE_BYTES) // _PROBES)
        found = 0
        for at in range(0, len(self.view), step):
            found = zlib.crc32(self.view[at : at + _PROBE_BYTES], found)
        return found


def blobs_of(content: Content) -> list[Blob]:
    """All datasets of a generation but ``about``."""
    return [
        *(blob_of(path, datum) for path, datum in content.data.items()),
        *(_text(f"{layout.EVENTS_PREFIX}{s.first:012d}", s.data, b"\n") for s in content.events),
        _text(layout.STATE_JSON, content.state_json, b" "),
        _text(layout.STEPS, content.steps_json, b" "),
        _text(layout.RNG, content.rng_json, b" "),
    ]


def padded_length(length: int) -> int:
    """The length that text is filled up to, so that a little more of it does not change the shape.

    >>> [padded_length(n) for n in (0, 1, 256, 5000, 60_000, 70_000)]
    [256, 256, 256, 5120, 61440, 70000]
    """
    if length >= layout.PART_BYTES:
        return length
    step = max(256, 1 << max(0, length.bit_length() - 4))
    return max(256, -(-length // step) * step)


def padded(text: bytes, filling: bytes) -> bytes:
    """Text with blanks or line breaks behind it."""
    length = padded_length(len(text))
    return text if length == len(text) else text.ljust(length, filling)


def _text(path: str, text: bytes, filling: bytes) -> Blob:
    data = padded(text, filling)
    view = memoryview(data)
    spec = Spec(path=path, dtype=BYTE, shape=(len(data),))
    return Blob(spec=spec, view=view, stored=view, owner=data)


def blob_of(path: str, datum: Any) -> Blob:
    """An array or long bytes of the state."""
    path = f"{layout.STATE_PREFIX}{path}"
    if isinstance(datum, bytes):
        view = memoryview(datum)
        spec = Spec(path=path, dtype=BYTE, shape=(len(datum),), kind=layout.KIND_BYTES)
    else:
        array, tag = to_stored(datum)
        view = array.reshape(-1).view(np.uint8).data if array.nbytes else memoryview(b"")
        spec = Spec(
            path=path, dtype=array.dtype, shape=array.shape, kind=layout.KIND_ARRAY, tag=tag or ""
        )
    return Blob(spec=spec, view=view, stored=view, owner=datum)


def packed(blob: Blob) -> Blob:
    """The blob packed, where that makes a difference and not an absurd one."""
    if len(blob.view) < _PACK_FROM or not blob.spec.shape or not _is_worth_it(blob):
        return blob
    small = zlib.compress(blob.view, 1)
    if not _WORTH * len(small) <= len(blob.view) <= _BOMB * len(small):
        return blob
    spec = replace(blob.spec, packed_bytes=len(small))
    return replace(blob, spec=spec, stored=memoryview(small))


def _is_worth_it(blob: Blob) -> bool:
    sample = blob.view[:_SAMPLE_BYTES]
    return len(zlib.compress(sample, 1)) * _WORTH <= len(sample)
