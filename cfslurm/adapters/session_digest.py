"""Digests of large data: leaves in several threads, while the disk is busy anyway."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Any

from cfslurm.core.session.trailer import DIGEST_BYTES, LEAF_BYTES, Digest
from cfslurm.errors import SessionError

_MAX_THREADS = 8
_SHA_FLAGS = {"sha_ni", "sha2"}  # x86 and ARM, as /proc/cpuinfo calls them


@lru_cache(maxsize=1)
def fastest() -> Digest:
    """The fastest digest there is here: XXH3 where its library is installed. It finds accidents only."""
    try:
        import xxhash  # noqa: F401
    except ImportError:
        return secure()
    return Digest.XXH3


@lru_cache(maxsize=1)
def secure() -> Digest:
    """The faster one of the digests for which nobody can make up equal content.

    Source: measured with OpenSSL 3 on AMD EPYC with SHA instructions: SHA-256 1.8 GiB/s, BLAKE2b 1.2
        GiB/s, XXH3 24 GiB/s; without those instructions SHA-256 has about 0.4 GiB/s.
    """
    try:
        words = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").split()
    except OSError:
        return Digest.BLAKE2B
    return Digest.BLAKE2B if _SHA_FLAGS.isdisjoint(words) else Digest.SHA256


def digest_of(data: memoryview | bytes, kind: Digest) -> bytes:
    """The digest of data at hand, in this thread."""
    view = memoryview(data)
    return root([leaf(piece, kind) for piece in leaves(view)], kind)


def digest_large(view: memoryview, kind: Digest) -> bytes:
    """The digest of data at hand, in several threads if that is worth it."""
    if len(view) <= LEAF_BYTES:
        return digest_of(view, kind)
    with Workers() as workers:
        return workers.digest(view, kind)()


def leaves(view: memoryview) -> Iterator[memoryview]:
    """The pieces of 4 MiB that are hashed by themselves."""
    return (view[at : at + LEAF_BYTES] for at in range(0, len(view), LEAF_BYTES))


def leaf(piece: memoryview | bytes | bytearray, kind: Digest) -> bytes:
    """The digest of one piece."""
    if kind is Digest.XXH3:
        return _xxh3(piece)
    if kind is Digest.SHA256:
        return hashlib.sha256(piece, usedforsecurity=False).digest()[:DIGEST_BYTES]
    return hashlib.blake2b(piece, digest_size=DIGEST_BYTES, usedforsecurity=False).digest()


def _xxh3(piece: memoryview | bytes | bytearray) -> bytes:
    try:
        import xxhash
    except ImportError as error:
        raise SessionError(
            "the session's digests are of a kind that needs the library xxhash",
            remedy="pip install 'cfslurm[fast]', as where the session was written.",
        ) from error
    return xxhash.xxh3_128_digest(piece)


def root(found: Sequence[bytes], kind: Digest) -> bytes:
    """The digest of the whole from those of its pieces."""
    return leaf(b"".join(found), kind)


class Workers:
    """A pool of threads, as many as there are processors; none where no thread can be started.

    Its work is hashing and reading, which Python lets run beside each other.
    """

    def __init__(self) -> None:
        count = min(_MAX_THREADS, len(os.sched_getaffinity(0)))
        self._pool: ThreadPoolExecutor | None = ThreadPoolExecutor(count)

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def start(self, work: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Do something soon."""
        if self._pool is not None:
            try:
                return self._pool.submit(work, *arguments)
            except RuntimeError:  # the limit on processes and threads is reached
                self._pool = None
        done: Future[Any] = Future()
        try:
            done.set_result(work(*arguments))
        except Exception as error:  # noqa: BLE001 - raised where the result is asked for
            done.set_exception(error)
        return done

    def digest(self, view: memoryview, kind: Digest) -> Callable[[], bytes]:
        """Begin to compute a digest; the result is what the answer returns when it is called."""
        waiting = [self.start(leaf, piece, kind) for piece in leaves(view)]
        return lambda: root(results(waiting), kind)


def results(waiting: Iterable[Future[Any]]) -> list[Any]:
    """What was computed, in order; the first error is raised."""
    return [one.result() for one in waiting]
