"""One writer at a time, on filesystems where locks cannot be trusted.

A lease is a file that only one process can create. Its holder writes a growing number into it; who
sees that number stand still for long enough, by his own clock, may take the lease away. A lease only
saves work: what is published stays right if two processes hold the same one.

Source: flock is a no-op or missing on some Lustre, GPFS and NFS mounts; O_EXCL and rename are not.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cfslurm.errors import CacheBusyError
from cfslurm.ports import Clock

_LARGEST_BYTES = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who holds a lease."""

    host: str
    user: str
    pid: int


@dataclass(slots=True, kw_only=True)
class Leases:
    """The leases of one folder, as one process sees them.

    ``seen`` remembers what stood in the leases of others, and since when by our clock.

    Units: ``stale_after_s`` is many times ``beat_every_s``, since a shared filesystem shows changes
        late (NFS: up to a minute).
    """

    folder: Path
    me: Holder
    clock: Clock
    stale_after_s: float = 180.0
    beat_every_s: float = 10.0
    seen: dict[str, tuple[bytes, float]] = field(default_factory=dict)

    @contextmanager
    def hold(self, name: str) -> Iterator[None]:
        """Hold a lease for the length of a block.

        Raises:
            CacheBusyError: somebody else holds it.
            OSError: the folder cannot be written.
        """
        path = self.folder / f"{name}.lease"
        token = secrets.token_hex(8)
        descriptor = self._create(path, token)
        stop = threading.Event()
        beats = threading.Thread(target=self._beat, args=(descriptor, token, stop), daemon=True)
        beats.start()
        try:
            yield
        finally:
            stop.set()
            beats.join()
            _remove(path, descriptor)
            os.close(descriptor)

    def _create(self, path: Path, token: str) -> int:
        flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
        for _ in range(3):
            try:
                descriptor = os.open(path, flags, 0o600)
            except FileExistsError:
                self._break_or_refuse(path)
                continue
            try:
                os.fchmod(descriptor, 0o644)
                os.pwrite(descriptor, self._text(token, 0), 0)
            except OSError:  # a full disk: an empty lease would keep everybody out
                _remove(path, descriptor)
                os.close(descriptor)
                raise
            return descriptor
        raise _busy(path, b"")

    def _text(self, token: str, beat: int) -> bytes:
        """Always of the same length, so that a reader never sees the end of an older text."""
        holder = {"host": self.me.host, "user": self.me.user, "pid": self.me.pid}
        return json.dumps({**holder, "token": token, "beat": f"{beat:012}"}).encode()

    def _beat(self, descriptor: int, token: str, stop: threading.Event) -> None:
        beat = 0
        while not stop.wait(self.beat_every_s):
            beat += 1
            with contextlib.suppress(OSError):  # the disk is full: then the lease grows stale
                os.pwrite(descriptor, self._text(token, beat), 0)

    def _break_or_refuse(self, path: Path) -> None:
        """Take the lease of a dead process away, or say who holds it."""
        text = _read(path)
        if text is None:
            return
        first, since = self.seen.setdefault(path.name, (text, self.clock.monotonic()))
        if first != text:
            self.seen[path.name] = (text, self.clock.monotonic())
            raise _busy(path, text)
        is_stale = self.clock.monotonic() - since >= self.stale_after_s
        if not is_stale and not self._is_dead(text):
            raise _busy(path, text)
        _take_away(path, text)
        self.seen.pop(path.name, None)

    def _is_dead(self, text: bytes) -> bool:
        """True if the holder was a process of this machine that is gone."""
        holder = _holder(text)
        if holder is None or holder.host != self.me.host:
            return False
        try:
            os.kill(holder.pid, 0)
        except ProcessLookupError:
            return True
        except OSError:  # not ours, so it lives
            return False
        return False


def _take_away(path: Path, text: bytes) -> None:
    """Remove a lease that reads so; a living one that came in between is put back."""
    aside = path.with_name(f".broken-{secrets.token_hex(8)}")
    try:
        path.rename(aside)
    except FileNotFoundError:
        return
    except PermissionError as error:  # a folder with the sticky bit, and not our lease
        raise _busy(path, text) from error
    found = _read(aside)
    if found != text:
        with contextlib.suppress(FileExistsError):
            os.link(aside, path)
    aside.unlink()
    if found != text:
        raise _busy(path, found or b"")


def _remove(path: Path, descriptor: int) -> None:
    """Remove a lease, unless it was taken away and another one lies there now."""
    with contextlib.suppress(FileNotFoundError):
        there, ours = path.lstat(), os.fstat(descriptor)
        if (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino):
            path.unlink()


def _read(path: Path) -> bytes | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        return os.read(descriptor, _LARGEST_BYTES)
    finally:
        os.close(descriptor)


def _holder(text: bytes) -> Holder | None:
    try:
        match json.loads(text):
            case {"host": str(host), "user": str(user), "pid": int(pid)} if 0 < pid < 2**31:
                return Holder(host=host, user=user, pid=pid)
    except ValueError:
        pass
    return None


def _busy(path: Path, text: bytes) -> CacheBusyError:
    holder = _holder(text)
    who = f"{holder.user} on {holder.host} (pid {holder.pid})" if holder else "somebody else"
    return CacheBusyError(
        f"{who} is fetching {path.name.removesuffix('.lease')}",
        remedy=f"Wait until it is there; if nobody works on it, remove {path}.",
    )
