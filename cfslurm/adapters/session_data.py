"""What the bytes of a dataset mean."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import numpy as np

from cfslurm.core.session import layout
from cfslurm.core.session.about import strange
from cfslurm.core.session.arrays import from_stored
from cfslurm.core.session.layout import newer_error

if TYPE_CHECKING:
    from cfslurm.core.session.arrays import Array
    from cfslurm.core.session.values import Datum


def is_expected(path: str) -> bool:
    """True for the name of a dataset that this version has."""
    if path in layout.NAMED_DATASETS or path.startswith(layout.STATE_PREFIX):
        return True
    name = path.removeprefix(layout.EVENTS_PREFIX)
    return name != path and len(name) == 12 and name.isascii() and name.isdigit()


def unpack(raw: bytes | memoryview, size: int, path: str) -> Array:
    """Packed content as bytes of its own; never more than it says.

    Raises:
        SessionError: it is something else.
    """
    worker = zlib.decompressobj()
    try:
        found = worker.decompress(raw, size)
    except zlib.error:
        found = b""
    if len(found) != size or worker.unconsumed_tail or worker.decompress(b"", 1):
        raise strange(f"{path!r}, which is not packed as it says")
    return np.frombuffer(bytearray(found), np.uint8)


def as_datum(path: str, array: Array, kind: str, tag: str) -> Datum:
    """What a dataset of the state means.

    Raises:
        SessionError: it does not fit what it says of itself.
    """
    if kind == layout.KIND_BYTES and array.dtype == np.uint8 and array.ndim == 1:
        return array.tobytes()
    if kind == layout.KIND_ARRAY:
        try:
            return from_stored(array, tag or None)
        except ValueError as error:
            raise strange(f"{path!r}, which does not fit its dtype ({error})") from error
    raise newer_error(f"{path!r} is of kind {kind!r}")
