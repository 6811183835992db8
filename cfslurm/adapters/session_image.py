"""The HDF5 structure of a generation: made once by HDF5 for a shape, filled in by us as often as it fits.

HDF5 gives every dataset its place and writes the structure around it into memory. Data never pass
through it: they go from where they lie to the file. A generation with the names and sizes of the one
before it, which is most of them, needs no HDF5 at all.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cfslurm.core.session import layout

if TYPE_CHECKING:
    import numpy as np

_PAGE = 4096
_KEPT = 4


@dataclass(frozen=True, slots=True)
class Spec:
    """A dataset to be: its path, the dtype and shape as stored, and what it says of itself.

    ``packed_bytes`` is the length of its packed content (zlib, one chunk); 0 if it is not packed.
    """

    path: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    kind: str = ""
    tag: str = ""
    packed_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An HDF5 file without its data: its length, its structure by page, and where each dataset belongs.

    Shape: ``places`` has the first byte of each dataset, in the order of the specs.
    """

    length: int
    pages: Mapping[int, bytes]
    places: tuple[int, ...]

    def structure(self, start: int, end: int) -> bytes:
        """The bytes of a stretch in which there are no data."""
        found = bytearray(end - start)
        for page in range(start // _PAGE, -(-end // _PAGE)):
            if page in self.pages:
                low, high = max(start, page * _PAGE), min(end, (page + 1) * _PAGE)
                found[low - start : high - start] = self.pages[page][low % _PAGE :][: high - low]
        return bytes(found)


@dataclass(slots=True)
class Images:
    """The last few shapes, so that HDF5 is asked once for each."""

    _known: dict[tuple[Spec, ...], Image] = field(default_factory=dict)

    def image(self, specs: Sequence[Spec]) -> Image:
        """The structure for some datasets."""
        key = tuple(specs)
        if key not in self._known:
            while len(self._known) >= _KEPT:
                del self._known[next(iter(self._known))]
            self._known[key] = make_image(specs)
        return self._known[key]


def make_image(specs: Sequence[Spec]) -> Image:
    """Let HDF5 lay out some datasets."""
    import h5py
    import numpy as np

    memory = MemoryFile()
    with h5py.File(
        memory, "w", libver=("v110", "v110"), track_order=False,
        alignment_threshold=layout.PART_BYTES, alignment_interval=layout.ALIGNMENT,
    ) as root:  # fmt: skip
        root.attrs.create("schema", np.bytes_(layout.SCHEMA.encode()))
        root.attrs.create("schema_version", np.int64(layout.VERSION), dtype="<i8")
        root.create_group(layout.STATE)
        root.create_group(layout.EVENTS)
        made = [_make_dataset(root, spec) for spec in specs]
        places = tuple(_place(dataset, spec) for dataset, spec in zip(made, specs, strict=True))
        del made
    pages = {number: bytes(page) for number, page in memory.pages.items()}
    return Image(length=memory.length, pages=pages, places=places)


def _make_dataset(root: Any, spec: Spec) -> Any:
    import numpy as np
    from h5py import h5d, h5p, h5s, h5t

    links = h5p.create(h5p.LINK_CREATE)
    links.set_create_intermediate_group(True)
    options = h5p.create(h5p.DATASET_CREATE)
    options.set_obj_track_times(False)
    options.set_fill_time(h5d.FILL_TIME_NEVER)
    if spec.packed_bytes:
        options.set_chunk(spec.shape)
        options.set_deflate(1)
    else:
        options.set_layout(h5d.CONTIGUOUS)
        options.set_alloc_time(h5d.ALLOC_TIME_EARLY)
    space = h5s.create_simple(spec.shape) if spec.shape else h5s.create(h5s.SCALAR)
    made = h5d.create(
        root.id, spec.path.encode("ascii"), h5t.py_create(spec.dtype, logical=True), space, options,
        links,
    )  # fmt: skip
    if spec.packed_bytes:
        made.write_direct_chunk((0,) * len(spec.shape), bytes(spec.packed_bytes))
    attributes = root[spec.path].attrs if spec.kind or spec.tag else None
    for name, text in ((layout.KIND, spec.kind), (layout.DTYPE, spec.tag)):
        if text and attributes is not None:
            attributes.create(name, np.bytes_(text.encode("ascii")))
    return made


def _place(dataset: Any, spec: Spec) -> int:
    if spec.packed_bytes:
        return int(dataset.get_chunk_info(0).byte_offset)
    return int(dataset.get_offset() or 0)


class MemoryFile:
    """A file in memory as h5py wants it, in pages, so that what is never written costs nothing."""

    def __init__(self, length: int = 0) -> None:
        self.pages: dict[int, bytearray] = {}
        self.length = length
        self._position = 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go somewhere."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.length}[whence]
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        """Where we are."""
        return self._position

    def read(self, size: int = -1) -> bytes:
        """Never called; h5py asks whether it is there."""
        raise NotImplementedError

    def readinto(self, buffer: memoryview) -> int:
        """Fill the buffer; with zeros where nothing was written."""
        view = memoryview(buffer).cast("B")
        done = 0
        while done < len(view):
            page, offset = divmod(self._position + done, _PAGE)
            count = min(len(view) - done, _PAGE - offset)
            stored = self.pages.get(page)
            view[done : done + count] = stored[offset : offset + count] if stored else bytes(count)
            done += count
        self._position += done
        return done

    def write(self, buffer: memoryview) -> int:
        """Write all of the buffer."""
        view = memoryview(buffer).cast("B")
        done = 0
        while done < len(view):
            page, offset = divmod(self._position + done, _PAGE)
            count = min(len(view) - done, _PAGE - offset)
            stored = self.pages.setdefault(page, bytearray(_PAGE))
            stored[offset : offset + count] = view[done : done + count]
            done += count
        self._position += done
        self.length = max(self.length, self._position)
        return done

    def truncate(self, size: int | None = None) -> int:
        """Make the file this long."""
        self.length = self._position if size is None else size
        return self.length

    def flush(self) -> None:
        """Nothing is held back."""
