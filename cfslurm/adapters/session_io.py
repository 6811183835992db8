"""Small deeds on a session's files: private or the lab's, exclusive, whole, and after errors gone."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cfslurm.core.session import layout
from cfslurm.core.session.layout import GenerationId
from cfslurm.errors import SessionError

_FOLDER_PRIVATE, _FILE_PRIVATE = 0o700, 0o600
_FOLDER_SHARED, _FILE_SHARED = 0o3770, 0o640  # a mate reads, and removes nothing that is not his


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Who may read a session's files; ``group`` is a number of the system, None for nobody but us."""

    group: int | None = None

    @property
    def folder_mode(self) -> int:
        """The folder's mode."""
        return _FOLDER_PRIVATE if self.group is None else _FOLDER_SHARED

    @property
    def file_mode(self) -> int:
        """The mode of its files."""
        return _FILE_PRIVATE if self.group is None else _FILE_SHARED


def group_number(name: str) -> int:
    """The number of a group of the system.

    Raises:
        SessionError: there is none of this name, or we are not in it.
    """
    import grp

    try:
        number = grp.getgrnam(name).gr_gid
    except KeyError:
        number = -1
    if number not in (os.getegid(), *os.getgroups()) and (number < 0 or os.geteuid() != 0):
        raise SessionError(
            f"{name!r} is no group that you are in", remedy="`id -Gn` prints your groups."
        )
    return number


def access_of(folder: Path) -> Access:
    """As the folder is shared, so are the files in it."""
    status = folder.stat()
    return Access(group=status.st_gid if status.st_mode & stat.S_ISGID else None)


def list_folder(folder: Path) -> layout.Listing:
    """What lies in a session's folder. Asking for a single name could be answered from a stale cache."""
    return layout.read_listing(os.listdir(folder))  # noqa: PTH208 - names are all that is wanted


def create(path: Path, access: Access) -> int:
    """Create a file and open it for reading and writing; the umask has no say."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags, _FILE_PRIVATE)
    try:
        if access.group is not None:
            os.fchown(descriptor, -1, access.group)
        os.fchmod(descriptor, access.file_mode)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


@contextlib.contextmanager
def temporary_file(path: Path, access: Access) -> Iterator[int]:
    """Create a file for as long as it takes to fill it and to give it another name."""
    try:
        descriptor = create(path, access)
        try:
            yield descriptor
        finally:
            os.close(descriptor)
    finally:
        path.unlink(missing_ok=True)


def write_all(descriptor: int, data: bytes | bytearray | memoryview, *, at: int) -> None:
    """Write all of it; a system call may write less than it was given."""
    view = memoryview(data).cast("B")
    end = at + len(view)
    while view:
        view = view[os.pwrite(descriptor, view, end - len(view)) :]


def read_all(descriptor: int, into: memoryview, *, at: int) -> None:
    """Fill a buffer.

    Raises:
        EOFError: the file is shorter.
    """
    end = at + len(into)
    while into:
        count = os.preadv(descriptor, [into], end - len(into))
        if count == 0:
            raise EOFError(f"the file ends before byte {end}")
        into = into[count:]


def open_for_reading(path: Path) -> int:
    """Open a file that may be anything, without following a link or waiting for a pipe."""
    return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)


def open_holder(folder: Path, which: GenerationId) -> int:
    """Open the file of a generation, which may get its other name at this very moment.

    Raises:
        FileNotFoundError: it is gone.
    """
    for name in (which.file_name, which.parts_name):
        with contextlib.suppress(FileNotFoundError):
            return open_for_reading(folder / name)
    raise FileNotFoundError(f"{folder / which.file_name} is gone")


def link_new(temporary: Path, final: Path) -> bool:
    """Give a finished file its name; False if the name is taken.

    A network filesystem may lose the answer and repeat the question: the name is then taken by us.
    """
    try:
        os.link(temporary, final, follow_symlinks=False)
    except FileExistsError:
        return temporary.stat().st_ino == final.stat(follow_symlinks=False).st_ino
    return True
