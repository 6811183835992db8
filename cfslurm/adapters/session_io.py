"""Small deeds on a session's files: private, exclusive, whole, and after errors gone."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from cfslurm.core.session import layout


def list_folder(folder: Path) -> layout.Listing:
    """What lies in a session's folder. Asking for a single name could be answered from a stale cache."""
    return layout.read_listing(path.name for path in folder.iterdir())


def create(path: Path) -> int:
    """Create a private file and open it for reading and writing; the umask has no say."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags, layout.FILE_MODE)
    try:
        os.fchmod(descriptor, layout.FILE_MODE)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


@contextlib.contextmanager
def temporary_file(path: Path) -> Iterator[int]:
    """Create a file for as long as it takes to fill it and to give it another name."""
    try:
        descriptor = create(path)
        try:
            yield descriptor
        finally:
            os.close(descriptor)
    finally:
        path.unlink(missing_ok=True)


def write_all(descriptor: int, data: bytes | memoryview, *, at: int) -> None:
    """Write all of it; a system call may write less than it was given."""
    view = memoryview(data).cast("B")
    end = at + len(view)
    while view:
        view = view[os.pwrite(descriptor, view, end - len(view)) :]


def link_new(temporary: Path, final: Path) -> bool:
    """Give a finished file its name; False if the name is taken.

    A network filesystem may lose the answer and repeat the question: the name is then taken by us.
    """
    try:
        os.link(temporary, final, follow_symlinks=False)
    except FileExistsError:
        return temporary.stat().st_ino == final.stat(follow_symlinks=False).st_ino
    return True
