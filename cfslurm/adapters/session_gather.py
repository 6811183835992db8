"""Gathering the pieces of a generation: its parts, from the files that hold them."""

from __future__ import annotations

import contextlib
import os
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cfslurm.adapters.session_digest import Workers, digest_of, leaf, results, root
from cfslurm.adapters.session_io import open_holder
from cfslurm.adapters.session_secret import Key
from cfslurm.adapters.session_source import DamageError, Source, open_source
from cfslurm.core.session.about import About, PartRef, digest_kind, digest_text
from cfslurm.core.session.layout import Damage, GenerationId
from cfslurm.core.session.trailer import LEAF_BYTES
from cfslurm.errors import SessionError

if TYPE_CHECKING:
    from cfslurm.core.session.arrays import Array


class Holders:
    """The files that have a generation's parts, each opened once."""

    def __init__(
        self, own: Source, folder: Path, key: Key | None, stack: contextlib.ExitStack
    ) -> None:
        self._open = {own.trailer.id: own}
        self._folder = folder
        self._key = key
        self._stack = stack

    def source(self, which: GenerationId) -> Source:
        """The file of a generation.

        Raises:
            DamageError: it is gone, or another one.
        """
        if which not in self._open:
            try:
                descriptor = open_holder(self._folder, which)
            except FileNotFoundError as error:
                raise DamageError(f"{which.file_name}, which has parts of it, is gone") from error
            self._stack.callback(os.close, descriptor)
            source = open_source(descriptor, self._key)
            if isinstance(source, Damage):
                raise DamageError(f"{which.file_name}, which has parts of it: {source.reason}")
            if source.trailer.id != which:
                raise DamageError(f"{which.file_name}, which has parts of it, is another one")
            self._open[which] = source
        return self._open[which]


def load_parts(about: About, holders: Holders) -> dict[str, Array]:
    """The content of all parts as bytes, verified: read one after the other, hashed beside that."""
    found: dict[str, Array] = {}
    with Workers() as workers:
        waiting = []
        for path, ref in about.parts.items():
            source = holders.source(ref.where)
            if ref.at + ref.stored_bytes > source.trailer.payload_bytes:
                raise DamageError(f"its part {path[:100]!r} lies behind the end of its file")
            content: Array = np.empty(ref.stored_bytes, np.uint8)
            leaves = _read(workers, source, ref, content)
            if ref.is_packed:
                content = _unpacked(path, ref, content)
                leaves = [workers.start(digest_of, content.data, digest_kind(ref.digest))]
            waiting.append((path, ref, leaves, content))
        for path, ref, leaves, content in waiting:
            kind = digest_kind(ref.digest)
            digests = results(leaves)
            digest = digests[0] if ref.is_packed else root(digests, kind)
            if digest_text(kind, digest) != ref.digest:
                raise DamageError(f"its part {path[:100]!r} in {ref.where.file_name} was changed")
            found[path] = content
    return found


def _read(workers: Workers, source: Source, ref: PartRef, into: Array) -> list[Future[Any]]:
    """Read a part from beginning to end, as disks like it; a leaf is hashed as soon as it is there."""
    view = into.data
    kind = digest_kind(ref.digest)
    leaves = []
    for start in range(0, len(view), LEAF_BYTES):
        piece = view[start : start + LEAF_BYTES]
        source.read(piece, at=ref.at + start)
        if not ref.is_packed:
            leaves.append(workers.start(leaf, piece, kind))
    return leaves


def _unpacked(path: str, ref: PartRef, stored: Array) -> Array:
    from cfslurm.adapters.session_data import unpack

    try:
        return unpack(stored.data, ref.size_bytes, path)
    except SessionError as error:
        raise DamageError(error.message) from error
