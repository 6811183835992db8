"""Reading the verified HDF5 data of a generation with suspicion: a right digest makes nobody a friend.

Only what cfslurm itself writes is read: groups and datasets, each reached by one hard link, of plain
types, contiguous or packed in one piece, and together not larger than what was read of the file. So
nothing outside the file is opened, no plugin loaded, and no size believed that the file does not have.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
from h5py import h5a, h5d, h5g, h5l, h5o, h5s, h5t, h5z

from cfslurm.adapters.session_image import MemoryFile
from cfslurm.core.session import layout
from cfslurm.core.session.about import PartRef, strange
from cfslurm.core.session.arrays import from_stored
from cfslurm.core.session.layout import check_version, newer_error
from cfslurm.core.session.migrate import NUMBERS_1, TEXTS_1, Tree
from cfslurm.core.session.values import MAX_DEPTH

if TYPE_CHECKING:
    from cfslurm.core.session.arrays import Array
    from cfslurm.core.session.values import Datum

HDF5_ERRORS = (OSError, RuntimeError, KeyError, TypeError, ValueError, OverflowError)
_MAX_ATTRIBUTE_BYTES = 4096
_MAX_RATIO = 128
_KNOWN = {
    1: (*layout.NAMED_DATASETS, "events/data", "events/offsets"),
    2: (*layout.NAMED_DATASETS, layout.ABOUT),
}


def read_tree(
    file: MemoryFile, version: int, parts: Mapping[str, PartRef], loaded: Mapping[str, Array]
) -> Tree:
    """Everything in the file; ``loaded`` are the parts of it, as bytes, which do not go through HDF5.

    Raises:
        SessionError: it holds what no cfslurm of this version writes.
        OSError, RuntimeError, KeyError, TypeError, ValueError: HDF5 cannot read it.
    """
    with h5py.File(file, "r") as root:
        if root.id.get_create_plist().get_userblock() != 0:
            raise strange("a user block")
        if _read_text(root.id, "schema") != layout.SCHEMA:
            raise strange("no session")
        check_version(_read_int(root.id, "schema_version"))
        if _read_int(root.id, "schema_version") != version:
            raise strange("a version that does not fit its trailer")
        reader = _Reader(file.length, version, parts, loaded)
        found = dict(reader.datasets(root.id, "", 0))
        if missing := parts.keys() - found.keys():
            raise strange(f"no {min(missing)[:100]}")
        is_first = version == 1
        return Tree(
            version=version,
            datasets=found,
            texts={name: _read_text(root.id, name) for name in TEXTS_1} if is_first else {},
            numbers={name: _read_int(root.id, name) for name in NUMBERS_1} if is_first else {},
        )


class _Reader:
    def __init__(
        self, room: int, version: int, parts: Mapping[str, PartRef], loaded: Mapping[str, Array]
    ) -> None:
        self.room = room
        self.known = _KNOWN[version]
        self.parts = parts
        self.loaded = loaded

    def datasets(self, group: h5g.GroupID, prefix: str, depth: int) -> Iterator[tuple[str, Datum]]:
        """All datasets below a group, by path; every object must be there exactly once."""
        if depth > MAX_DEPTH + 2:
            raise strange("groups that are nested too deeply")
        for raw in group:
            path = prefix + raw.decode("ascii", "backslashreplace")
            if group.links.get_info(raw).type != h5l.TYPE_HARD:
                raise strange(f"the link {path!r} that points elsewhere")
            about = h5o.get_info(group, raw)
            if about.rc != 1:
                raise strange(f"two links to {path!r}")
            if about.type == h5o.TYPE_GROUP and self._is_expected_group(path):
                yield from self.datasets(h5g.open(group, raw), f"{path}/", depth + 1)
            elif about.type == h5o.TYPE_DATASET and self._is_expected(path):
                yield path, self._read(h5d.open(group, raw), path)
            else:
                raise newer_error(f"it holds {path[:200]!r}")

    def _is_expected_group(self, path: str) -> bool:
        return path in (layout.STATE, layout.EVENTS) or path.startswith(layout.STATE_PREFIX)

    def _is_expected(self, path: str) -> bool:
        if path in self.known or path.startswith(layout.STATE_PREFIX):
            return True
        name = path.removeprefix(layout.EVENTS_PREFIX)
        return name != path and len(name) == 12 and name.isascii() and name.isdigit()

    def _read(self, dataset: h5d.DatasetID, path: str) -> Datum:
        size, stored = _checked_sizes(dataset, path)
        ref = self.parts.get(path)
        if ref is not None:
            self._check_part(dataset, path, (size, stored))
            raw = self.loaded[path]
            array = raw.view(dataset.dtype).reshape(dataset.shape)
        else:
            if stored > self.room:
                raise strange(f"more data in {path!r} than the file has bytes")
            self.room -= stored
            array = _unpacked(dataset, path, size) if stored != size else _plain(dataset)
        return _as_datum(dataset, path, array)

    def _check_part(self, dataset: h5d.DatasetID, path: str, sizes: tuple[int, int]) -> None:
        ref = self.parts[path]
        told = (ref.size_bytes, ref.stored_bytes, ref.shape)
        place = dataset.get_chunk_info(0).byte_offset if ref.is_packed else dataset.get_offset()
        if told != (*sizes, dataset.shape) or ref.at != place:
            raise strange(f"a part {path!r} that lies elsewhere than it says")


def _plain(dataset: h5d.DatasetID) -> Array:
    array: Array = np.empty(dataset.shape, dataset.dtype)
    dataset.read(h5s.ALL, h5s.ALL, array)
    return array


def _unpacked(dataset: h5d.DatasetID, path: str, size: int) -> Array:
    _, raw = dataset.read_direct_chunk((0,) * len(dataset.shape))
    array: Array = unpack(raw, size, path).view(dataset.dtype).reshape(dataset.shape)
    return array


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


def _checked_sizes(dataset: h5d.DatasetID, path: str) -> tuple[int, int]:
    """The bytes of a dataset in memory and in the file.

    Raises:
        SessionError: it is stored or typed as no session's is, or claims more than it has.
    """
    space = dataset.get_space()
    if space.get_simple_extent_type() == h5s.NULL:
        raise strange(f"{path!r}, which has no shape")
    kind = dataset.get_type()
    if not _is_plain(kind, 0):
        raise strange(f"{path!r}, which is of a type that no session has")
    size = int(kind.get_size())
    for length in space.get_simple_extent_dims():
        size *= int(length)
    stored = int(dataset.get_storage_size())
    plist = dataset.get_create_plist()
    if plist.get_external_count():
        raise strange(f"{path!r}, which is not stored as plain bytes in this file")
    if plist.get_layout() == h5d.CONTIGUOUS and not plist.get_nfilters():
        if size != stored:
            raise strange(f"{path!r}, which claims {size} bytes and has {stored}")
    elif not _is_packed(dataset, plist) or not stored < size <= _MAX_RATIO * stored:
        raise strange(f"{path!r}, which is not stored as plain bytes in this file")
    return size, stored


def _is_packed(dataset: h5d.DatasetID, plist: Any) -> bool:
    """True for one chunk that holds everything, packed by zlib and by nothing else."""
    return bool(
        plist.get_layout() == h5d.CHUNKED
        and plist.get_nfilters() == 1
        and plist.get_filter(0)[0] == h5z.FILTER_DEFLATE
        and plist.get_chunk() == dataset.shape
        and dataset.get_num_chunks() == 1
        and dataset.get_chunk_info(0).filter_mask == 0
    )


def _as_datum(dataset: h5d.DatasetID, path: str, array: Array) -> Datum:
    if not path.startswith(layout.STATE_PREFIX):
        return array
    tag = _read_text(dataset, layout.DTYPE) if h5a.exists(dataset, b"dtype") else ""
    return as_datum(path, array, _read_text(dataset, layout.KIND), tag)


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


def _attribute(thing: Any, name: str) -> tuple[h5a.AttrID, h5t.TypeID]:
    raw = name.encode()
    if not h5a.exists(thing, raw):
        raise strange(f"no attribute {name}")
    attribute = h5a.open(thing, raw)
    kind = attribute.get_type()
    space = attribute.get_space()
    if space.get_simple_extent_type() != h5s.SCALAR or kind.get_size() > _MAX_ATTRIBUTE_BYTES:
        raise strange(f"a strange attribute {name}")
    return attribute, kind


def _read_text(thing: Any, name: str) -> str:
    attribute, kind = _attribute(thing, name)
    if kind.get_class() != h5t.STRING or kind.is_variable_str():
        raise strange(f"an attribute {name} that is no text of fixed length")
    value = np.empty((), f"S{kind.get_size()}")
    attribute.read(value)
    return bytes(value[()]).decode("ascii", "backslashreplace")


def _read_int(thing: Any, name: str) -> int:
    attribute, kind = _attribute(thing, name)
    if kind.get_class() != h5t.INTEGER or kind.get_size() != 8:
        raise strange(f"an attribute {name} that is no integer of 64 bits")
    value = np.empty((), "<i8")
    attribute.read(value)
    return int(value)


def _is_plain(kind: h5t.TypeID, depth: int) -> bool:
    """True for numbers, fixed text, booleans, and structures and fixed arrays of those."""
    match kind.get_class():
        case h5t.INTEGER | h5t.FLOAT | h5t.ENUM:
            return bool(kind.get_size() <= 8)
        case h5t.STRING:
            return not kind.is_variable_str()
        case h5t.ARRAY if depth < MAX_DEPTH:
            return _is_plain(kind.get_super(), depth + 1)
        case h5t.COMPOUND if depth < MAX_DEPTH:
            members = range(kind.get_nmembers())
            return all(_is_plain(kind.get_member_type(i), depth + 1) for i in members)
    return False
