"""One generation as an HDF5 file; with `session_reading` the only place that speaks h5py.

HDF5 never opens a file here: it reads and writes through an object of ours, so that it can follow
no path, take no lock, and meets no error half-way (its own clean-up after a full disk is not safe).
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cfslurm.adapters.session_digest import digest
from cfslurm.adapters.session_io import write_all
from cfslurm.core.session import layout
from cfslurm.core.session.content import Content, Stamp
from cfslurm.core.session.layout import Damage, Trailer
from cfslurm.errors import SessionError

if TYPE_CHECKING:
    from cfslurm.core.session.arrays import Array

_LIBVER = ("v110", "v110")
_HDF5_ERRORS = (OSError, RuntimeError, KeyError, TypeError, ValueError)


class DescriptorFile:
    """A file as h5py wants it. The first error is kept until `raise_error`; then writes do nothing.

    An exception inside HDF5's callbacks would leave the library with a file that it cannot close.
    """

    def __init__(self, descriptor: int, length: int = 0) -> None:
        self._error: BaseException | None = None
        self._descriptor = descriptor
        self._position = 0
        self._length = length

    @property
    def has_failed(self) -> bool:
        """True if something could not be read or written."""
        return self._error is not None

    def raise_error(self) -> None:
        """Raise what was kept, if anything.

        It must not be kept any longer: HDF5 holds on to this object, the error to the frames it
        went through, and those to HDF5's property list, which would outlive Python and crash it.
        """
        error, self._error = self._error, None
        if error is not None:
            raise error

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go somewhere."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._length}[whence]
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        """Where we are."""
        return self._position

    def read(self, size: int = -1) -> bytes:
        """Never called; h5py asks whether it is there."""
        raise NotImplementedError

    def readinto(self, buffer: memoryview) -> int:
        """Fill the buffer from the file, and with zeros behind its end."""
        view = memoryview(buffer).cast("B")
        asked = len(view)
        try:
            while view:
                allowed = max(0, min(len(view), self._length - self._position))
                count = os.preadv(self._descriptor, [view[:allowed]], self._position)
                if count == 0:
                    view[:] = bytes(len(view))
                    break
                view = view[count:]
                self._position += count
        except BaseException as error:  # noqa: BLE001 - kept, and raised once HDF5 has let go
            view[:] = bytes(len(view))
            self._error = self._error or error
        return asked

    def write(self, buffer: memoryview) -> int:
        """Write all of the buffer."""
        end = self._position + buffer.nbytes
        try:
            if self._error is None:
                write_all(self._descriptor, buffer, at=self._position)
        except BaseException as error:  # noqa: BLE001 - kept, and raised once HDF5 has let go
            self._error = error
        self._length = max(self._length, end)
        self._position = end
        return buffer.nbytes

    def truncate(self, size: int | None = None) -> int:
        """Make the file this long."""
        self._length = self._position if size is None else size
        try:
            os.ftruncate(self._descriptor, self._length)
        except BaseException as error:  # noqa: BLE001 - kept, and raised once HDF5 has let go
            self._error = self._error or error
        return self._length

    def flush(self) -> None:
        """Nothing is held back."""


def write_generation(descriptor: int, stamp: Stamp, content: Content) -> Trailer:
    """Write a whole generation into an empty file, and bring it to stable storage.

    Raises:
        OSError: it cannot be written; the file is then worthless.
    """
    file = DescriptorFile(descriptor)
    _write_hdf5(file, stamp, content)
    length = os.fstat(descriptor).st_size
    large = length > layout.LEAF_BYTES

    def sync() -> None:
        if large:  # the disk writes while the digest is computed; little is left for the last fsync
            os.fdatasync(descriptor)

    trailer = Trailer(
        id=stamp.id, payload_bytes=length, digest=digest(descriptor, length, meanwhile=sync)
    )
    write_all(descriptor, layout.write_trailer(trailer), at=length)
    os.fsync(descriptor)
    return trailer


def _write_hdf5(file: DescriptorFile, stamp: Stamp, content: Content) -> None:
    import h5py

    try:
        with h5py.File(file, "w", libver=_LIBVER, track_order=False) as root:
            _fill(root, stamp, content)
    except _HDF5_ERRORS:
        if not file.has_failed:
            raise
    file.raise_error()


def _fill(root: Any, stamp: Stamp, content: Content) -> None:
    import numpy as np

    from cfslurm.core.session.arrays import to_stored

    def put(name: str, data: Array) -> Any:
        return root.create_dataset(name, data=data, track_times=False)

    root.create_group(layout.STATE)
    for path, datum in content.data.items():
        place = f"{layout.STATE}/{path}"
        if isinstance(datum, bytes):
            dataset, kind, tag = put(place, np.frombuffer(datum, np.uint8)), layout.KIND_BYTES, None
        else:
            stored, tag = to_stored(datum)
            dataset, kind = put(place, stored), layout.KIND_ARRAY
        _put_text(dataset, layout.KIND, kind)
        if tag is not None:
            _put_text(dataset, layout.DTYPE, tag)
    put(layout.STATE_JSON, np.frombuffer(content.state_json, np.uint8))
    lengths = np.fromiter((len(line) + 1 for line in content.events), np.uint64)
    lines = b"".join(piece for line in content.events for piece in (line, b"\n"))
    put(layout.EVENTS_DATA, np.frombuffer(lines, np.uint8))
    offsets = np.zeros(len(lengths) + 1, "<u8")
    offsets[1:] = np.cumsum(lengths)
    put(layout.EVENTS_OFFSETS, offsets)
    put(layout.STEPS, np.frombuffer(content.steps_json, np.uint8))
    put(layout.RNG, np.frombuffer(content.rng_json, np.uint8))
    _put_stamp(root, stamp)


def _put_stamp(root: Any, stamp: Stamp) -> None:
    import numpy as np

    texts = {
        "schema": layout.SCHEMA,
        "session": stamp.session,
        "writer": stamp.writer,
        "parent": stamp.parent,
        "saved_at": stamp.saved_at,
    }
    for name, text in texts.items():
        _put_text(root, name, text)
    numbers = {
        "schema_version": layout.VERSION,
        "epoch": stamp.id.epoch,
        "generation": stamp.id.generation,
        "complete": 1,
    }
    for name, number in numbers.items():
        root.attrs.create(name, np.int64(number), dtype="<i8")


def _put_text(thing: Any, name: str, text: str) -> None:
    """Text of fixed length: it needs no heap, and a reader knows its size beforehand."""
    import numpy as np

    thing.attrs.create(name, np.bytes_(text.encode("ascii") or b"\0"))


def read_generation(path: Path) -> tuple[Stamp, Content, Trailer] | Damage:
    """Read a generation; nothing of it reaches HDF5 before its digest has been verified.

    Raises:
        FileNotFoundError: it is gone.
        SessionError: a newer cfslurm wrote it, or it holds what no cfslurm writes.
        OSError: it cannot be read now; that says nothing about what is in it.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        trailer = _verified(descriptor)
        if isinstance(trailer, Damage):
            return trailer
        file = DescriptorFile(descriptor, trailer.payload_bytes)
        return _read_hdf5(file, trailer)
    finally:
        os.close(descriptor)


def _verified(descriptor: int) -> Trailer | Damage:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        return Damage("it is no regular file")
    tail = os.pread(descriptor, layout.TRAILER_BYTES, max(0, status.st_size - layout.TRAILER_BYTES))
    trailer = layout.read_trailer(tail, file_bytes=status.st_size)
    if isinstance(trailer, Damage):
        return trailer
    try:
        found = digest(descriptor, trailer.payload_bytes)
    except EOFError:
        return Damage("it became shorter while it was read")
    return trailer if found == trailer.digest else Damage("its content was changed")


def _read_hdf5(file: DescriptorFile, trailer: Trailer) -> tuple[Stamp, Content, Trailer] | Damage:
    from cfslurm.adapters.session_reading import read_content

    found, problem = None, ""
    try:
        found = read_content(file, trailer)
    except _HDF5_ERRORS as error:
        problem = str(error)
    except SessionError:
        if not file.has_failed:
            raise
    file.raise_error()  # what the disk said explains everything else
    return Damage(f"HDF5 cannot read it ({problem})") if found is None else (*found, trailer)
