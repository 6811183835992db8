"""Reading a verified file of version 1 with HDF5, with suspicion: a right digest makes nobody a friend.

Only what cfslurm itself wrote is read: groups and contiguous datasets, each reached by one hard link,
of plain types, and together not larger than the file. So nothing outside the file is opened, no plugin
loaded, and no size believed that the file does not have. Later versions are read without HDF5.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
from h5py import h5a, h5d, h5g, h5l, h5o, h5s, h5t

from cfslurm.adapters.session_data import as_datum
from cfslurm.adapters.session_image import MemoryFile
from cfslurm.core.session import layout
from cfslurm.core.session.about import strange
from cfslurm.core.session.layout import newer_error
from cfslurm.core.session.migrate import (
    EVENTS_DATA_1,
    EVENTS_OFFSETS_1,
    NUMBERS_1,
    TEXTS_1,
    Tree,
)
from cfslurm.core.session.values import MAX_DEPTH

if TYPE_CHECKING:
    from cfslurm.core.session.arrays import Array
    from cfslurm.core.session.values import Datum

HDF5_ERRORS = (OSError, RuntimeError, KeyError, TypeError, ValueError, OverflowError)
_MAX_ATTRIBUTE_BYTES = 4096
_KNOWN = (*layout.NAMED_DATASETS, EVENTS_DATA_1, EVENTS_OFFSETS_1)


def read_tree(file: MemoryFile) -> Tree:
    """Everything in a file of version 1.

    Raises:
        SessionError: it holds what no cfslurm of this version writes.
        OSError, RuntimeError, KeyError, TypeError, ValueError: HDF5 cannot read it.
    """
    with h5py.File(file, "r") as root:
        if root.id.get_create_plist().get_userblock() != 0:
            raise strange("a user block")
        if _read_text(root.id, "schema") != layout.SCHEMA:
            raise strange("no session")
        if _read_int(root.id, "schema_version") != 1:
            raise strange("a version that does not fit its trailer")
        return Tree(
            datasets=dict(_datasets(root.id, "", 0, [file.length])),
            texts={name: _read_text(root.id, name) for name in TEXTS_1},
            numbers={name: _read_int(root.id, name) for name in NUMBERS_1},
        )


def _datasets(
    group: h5g.GroupID, prefix: str, depth: int, room: list[int]
) -> Iterator[tuple[str, Datum]]:
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
        is_state = path.startswith(f"{layout.STATE}/")
        if about.type == h5o.TYPE_GROUP and (is_state or path in (layout.STATE, layout.EVENTS)):
            yield from _datasets(h5g.open(group, raw), f"{path}/", depth + 1, room)
        elif about.type == h5o.TYPE_DATASET and (is_state or path in _KNOWN):
            yield path, _read(h5d.open(group, raw), path, room)
        else:
            raise newer_error(f"it holds {path[:200]!r}")


def _read(dataset: h5d.DatasetID, path: str, room: list[int]) -> Datum:
    size = _checked_bytes(dataset, path)
    if size > room[0]:
        raise strange(f"more data in {path!r} than the file has bytes")
    room[0] -= size
    array: Array = np.empty(dataset.shape, dataset.dtype)
    dataset.read(h5s.ALL, h5s.ALL, array)
    if not path.startswith(layout.STATE_PREFIX):
        return array
    tag = _read_text(dataset, layout.DTYPE) if h5a.exists(dataset, b"dtype") else ""
    return as_datum(path, array, _read_text(dataset, layout.KIND), tag)


def _checked_bytes(dataset: h5d.DatasetID, path: str) -> int:
    """The size of a dataset.

    Raises:
        SessionError: it is stored or typed as no session's is, or claims more than it has.
    """
    plist = dataset.get_create_plist()
    if plist.get_layout() != h5d.CONTIGUOUS or plist.get_external_count() or plist.get_nfilters():
        raise strange(f"{path!r}, which is not stored as plain bytes in this file")
    space = dataset.get_space()
    if space.get_simple_extent_type() == h5s.NULL:
        raise strange(f"{path!r}, which has no shape")
    kind = dataset.get_type()
    if not _is_plain(kind, 0):
        raise strange(f"{path!r}, which is of a type that no session has")
    size = int(kind.get_size())
    for length in space.get_simple_extent_dims():
        size *= int(length)
    if size != dataset.get_storage_size():
        raise strange(f"{path!r}, which claims {size} bytes and has {dataset.get_storage_size()}")
    return size


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
