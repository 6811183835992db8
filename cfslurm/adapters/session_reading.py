"""Reading a verified HDF5 file with suspicion: a right digest does not make its author a friend.

Only what cfslurm itself writes is read: groups and contiguous datasets, each reached by one hard
link, without filters, of plain types, and together not larger than the file. So nothing outside the
file is opened, no plugin is loaded, and no size is believed that the file does not have.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
from h5py import h5a, h5d, h5f, h5g, h5l, h5o, h5s, h5t

from cfslurm.core.session import layout
from cfslurm.core.session.arrays import from_stored
from cfslurm.core.session.content import Content, Stamp
from cfslurm.core.session.layout import Trailer, check_version, newer_error
from cfslurm.core.session.values import MAX_DEPTH
from cfslurm.errors import SessionError

if TYPE_CHECKING:
    from cfslurm.core.session.arrays import Array
    from cfslurm.core.session.values import Datum

_MAX_ATTRIBUTE_BYTES = 4096
_STATE_PREFIX = f"{layout.STATE}/"


def read_content(file: Any, trailer: Trailer) -> tuple[Stamp, Content]:
    """Everything of a generation, in memory.

    Raises:
        SessionError: it holds what no cfslurm of this version writes.
        OSError, RuntimeError, KeyError, TypeError, ValueError: HDF5 cannot read it.
    """
    with h5py.File(file, "r") as root:
        if root.id.get_create_plist().get_userblock() != 0:
            raise _strange("a user block")
        stamp = _read_stamp(root.id, trailer)
        room = trailer.payload_bytes
        found: dict[str, Datum] = {}
        for path, dataset in _datasets(root.id, "", 0):
            size = _checked_bytes(dataset, path)
            if size > room:
                raise _strange(f"more data in {path!r} than the file has bytes")
            room -= size
            found[path] = _read_datum(dataset, path)
    return stamp, _content(found)


def _content(found: dict[str, Datum]) -> Content:
    named = {path: found.pop(path, None) for path in layout.NAMED_DATASETS}
    if missing := [path for path, datum in named.items() if datum is None]:
        raise _strange(f"no {missing[0]}")
    state = {path.removeprefix(_STATE_PREFIX): datum for path, datum in found.items()}
    return Content(
        state_json=_raw(named, layout.STATE_JSON),
        data=state,
        events=_lines(_raw(named, layout.EVENTS_DATA), named[layout.EVENTS_OFFSETS]),
        steps_json=_raw(named, layout.STEPS),
        rng_json=_raw(named, layout.RNG),
    )


def _raw(named: dict[str, Datum | None], path: str) -> bytes:
    array = named[path]
    if isinstance(array, np.ndarray) and array.dtype == np.uint8 and array.ndim == 1:
        return array.tobytes()
    raise _strange(f"{path} that is no list of bytes")


def _lines(text: bytes, offsets: Datum | None) -> tuple[bytes, ...]:
    """The events, one a line; the offsets must say the same as the line breaks."""
    lines = tuple(text.split(b"\n"))
    starts = np.zeros(len(lines), "<u8")
    starts[1:] = np.cumsum([len(line) + 1 for line in lines[:-1]], dtype="<u8")
    if lines[-1] or not isinstance(offsets, np.ndarray) or not np.array_equal(starts, offsets):
        raise _strange("events and offsets that do not fit each other")
    return lines[:-1]


def _read_stamp(root: h5f.FileID, trailer: Trailer) -> Stamp:
    if _read_text(root, "schema") != layout.SCHEMA:
        raise _strange("no session")
    check_version(_read_int(root, "schema_version"))
    stamp = Stamp(
        id=layout.GenerationId(_read_int(root, "epoch"), _read_int(root, "generation")),
        session=_read_text(root, "session"),
        writer=_read_text(root, "writer"),
        parent=_read_text(root, "parent"),
        saved_at=_read_text(root, "saved_at"),
    )
    if stamp.id != trailer.id or _read_int(root, "complete") != 1:
        raise _strange("attributes that do not fit its trailer")
    return stamp


def _attribute(thing: Any, name: str) -> tuple[h5a.AttrID, h5t.TypeID]:
    raw = name.encode()
    if not h5a.exists(thing, raw):
        raise _strange(f"no attribute {name}")
    attribute = h5a.open(thing, raw)
    kind = attribute.get_type()
    space = attribute.get_space()
    if space.get_simple_extent_type() != h5s.SCALAR or kind.get_size() > _MAX_ATTRIBUTE_BYTES:
        raise _strange(f"a strange attribute {name}")
    return attribute, kind


def _read_text(thing: Any, name: str) -> str:
    attribute, kind = _attribute(thing, name)
    if kind.get_class() != h5t.STRING or kind.is_variable_str():
        raise _strange(f"an attribute {name} that is no text of fixed length")
    value = np.empty((), f"S{kind.get_size()}")
    attribute.read(value)
    return bytes(value[()]).decode("ascii", "backslashreplace")


def _read_int(thing: Any, name: str) -> int:
    attribute, kind = _attribute(thing, name)
    if kind.get_class() != h5t.INTEGER or kind.get_size() != 8:
        raise _strange(f"an attribute {name} that is no integer of 64 bits")
    value = np.empty((), "<i8")
    attribute.read(value)
    return int(value)


def _datasets(group: h5g.GroupID, prefix: str, depth: int) -> Iterator[tuple[str, h5d.DatasetID]]:
    """All datasets below a group, by path; every object must be there exactly once."""
    if depth > MAX_DEPTH + 2:
        raise _strange("groups that are nested too deeply")
    for raw in group:
        name = raw.decode("ascii", "backslashreplace")
        if group.links.get_info(raw).type != h5l.TYPE_HARD:
            raise _strange(f"the link {prefix + name!r} that points elsewhere")
        about = h5o.get_info(group, raw)
        if about.rc != 1:
            raise _strange(f"two links to {prefix + name!r}")
        path = prefix + name
        if about.type == h5o.TYPE_GROUP and _is_expected(path, is_group=True):
            yield from _datasets(h5g.open(group, raw), f"{path}/", depth + 1)
        elif about.type == h5o.TYPE_DATASET and _is_expected(path, is_group=False):
            yield path, h5d.open(group, raw)
        else:
            raise newer_error(f"it holds {path!r}")


def _is_expected(path: str, *, is_group: bool) -> bool:
    if path.startswith(_STATE_PREFIX):
        return True
    return path in (layout.STATE, "events") if is_group else path in layout.NAMED_DATASETS


def _checked_bytes(dataset: h5d.DatasetID, path: str) -> int:
    """The size of a dataset, after making sure that it lies in this file as plain bytes."""
    plist = dataset.get_create_plist()
    if plist.get_layout() != h5d.CONTIGUOUS or plist.get_external_count() or plist.get_nfilters():
        raise _strange(f"{path!r}, which is not stored as plain bytes in this file")
    space = dataset.get_space()
    if space.get_simple_extent_type() == h5s.NULL:
        raise _strange(f"{path!r}, which has no shape")
    kind = dataset.get_type()
    if not _is_plain(kind, 0):
        raise _strange(f"{path!r}, which is of a type that no session has")
    size = int(kind.get_size())
    for length in space.get_simple_extent_dims():
        size *= int(length)
    if size != dataset.get_storage_size():
        raise _strange(f"{path!r}, which claims {size} bytes and has {dataset.get_storage_size()}")
    return size


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


def _read_datum(dataset: h5d.DatasetID, path: str) -> Datum:
    array: Array = np.empty(dataset.shape, dataset.dtype)
    dataset.read(h5s.ALL, h5s.ALL, array)
    if not path.startswith(_STATE_PREFIX):
        return array
    kind = _read_text(dataset, layout.KIND)
    if kind == layout.KIND_BYTES and array.dtype == np.uint8 and array.ndim == 1:
        return array.tobytes()
    if kind == layout.KIND_ARRAY:
        tag = _read_text(dataset, layout.DTYPE) if h5a.exists(dataset, b"dtype") else None
        try:
            return from_stored(array, tag)
        except ValueError as error:
            raise _strange(f"{path!r}, which does not fit its dtype ({error})") from error
    raise newer_error(f"{path!r} is of kind {kind!r}")


def _strange(what: str) -> SessionError:
    return SessionError(
        f"the file holds {what}: no cfslurm has written it so",
        remedy="Find out who wrote it; move it out of the folder to go on from the one before it.",
    )
