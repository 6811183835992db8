"""The digest of a generation: pieces in several threads, while the disk is busy anyway."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from cfslurm.core.session.layout import DIGEST_BYTES, LEAF_BYTES

_MAX_THREADS = 4


def _nothing() -> None:
    pass


def digest(descriptor: int, length: int, *, meanwhile: Callable[[], None] = _nothing) -> bytes:
    """The digest of the first ``length`` bytes of a file; ``meanwhile`` runs beside it.

    Raises:
        EOFError: the file is shorter.
        OSError: it cannot be read.
    """
    starts = range(0, length, LEAF_BYTES)

    def leaf(start: int) -> bytes:
        return _leaf(descriptor, start, min(LEAF_BYTES, length - start))

    if len(starts) < 2:
        leaves = [leaf(start) for start in starts]
        meanwhile()
    else:
        threads = min(_MAX_THREADS, len(starts), len(os.sched_getaffinity(0)))
        with ThreadPoolExecutor(threads) as pool:
            try:
                found = pool.map(leaf, starts)
            except RuntimeError:  # the limit on processes and threads is reached
                found = map(leaf, starts)
            meanwhile()
            leaves = list(found)
    return hashlib.blake2b(b"".join(leaves), digest_size=DIGEST_BYTES).digest()


def _leaf(descriptor: int, start: int, length: int) -> bytes:
    piece = bytearray(length)
    view = memoryview(piece)
    while view:
        count = os.preadv(descriptor, [view], start + length - len(view))
        if count == 0:
            raise EOFError(f"the file ends before byte {start + length}")
        view = view[count:]
    return hashlib.blake2b(piece, digest_size=DIGEST_BYTES).digest()
