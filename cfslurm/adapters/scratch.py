"""Local folders for temporary files: how large, and how fast one short write to them is."""

from __future__ import annotations

import errno
import mmap
import os
import re
from collections.abc import Sequence
from pathlib import Path

from cfslurm.adapters.sysfs import text_in
from cfslurm.core.hardware.probe import NotKnown, Number, Scratch, Text
from cfslurm.ports import Clock

_BLOCK = 4 * 1024**2
_MOST_BYTES = 64 * 1024**2
_LONGEST_S = 2.0
_LEAST_FREE = 10  # times what is written: a full disk is not the place to measure
_SHARED = re.compile(r"nfs|lustre|gpfs|beegfs|ceph|glusterfs|afs|cifs|smb|9p|pvfs|orangefs|panfs")
_FOLDERS = ("/scratch", "/local", "/localscratch", "/local_scratch", "/mnt/nvme", "/raid", "/tmp")


def read_scratch(first: Sequence[str], *, clock: Clock) -> tuple[Scratch, ...]:
    """The folders of ``first`` and the usual ones that exist here, are local and may be written.

    Every filesystem is measured once.
    """
    mounts = text_in(Path("/proc/self/mounts"))
    found: list[Scratch] = []
    devices: set[int] = set()
    for name in dict.fromkeys((*first, *_FOLDERS)):
        folder = Path(name)
        try:
            device = folder.stat().st_dev
        except OSError:
            continue
        filesystem = _filesystem(folder, mounts)
        is_shared = isinstance(filesystem, str) and _SHARED.search(filesystem) is not None
        if device in devices or is_shared or not os.access(folder, os.W_OK):
            continue
        devices.add(device)
        found.append(_measure(folder, filesystem, clock))
    return tuple(found)


def _filesystem(folder: Path, mounts: Text) -> Text:
    """The type of the mount that a folder lies on: the one with the longest path, the last of equals."""
    if isinstance(mounts, NotKnown):
        return mounts
    real, best = f"{folder.resolve()}/", ("", "")
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        place = fields[1].replace("\\040", " ").rstrip("/") + "/"
        if real.startswith(place) and len(place) >= len(best[0]):
            best = (place, fields[2])
    return best[1] or NotKnown(not_known=f"no mount has {folder}")


def _measure(folder: Path, filesystem: Text, clock: Clock) -> Scratch:
    try:
        space = os.statvfs(folder)
        free_bytes, total_bytes = space.f_bavail * space.f_frsize, space.f_blocks * space.f_frsize
    except OSError as error:
        why = NotKnown(not_known=f"{folder}: {error.strerror}")
        return Scratch(
            path=str(folder), filesystem=filesystem, total_mib=why, free_mib=why, write_mb_s=why,
            how=why,
        )  # fmt: skip
    speed, how = _write_speed(folder, free_bytes, clock)
    return Scratch(
        path=str(folder),
        filesystem=filesystem,
        total_mib=total_bytes // 1024**2,
        free_mib=free_bytes // 1024**2,
        write_mb_s=speed,
        how=how,
    )


def _write_speed(folder: Path, free_bytes: int, clock: Clock) -> tuple[Number, Text]:
    if free_bytes < _LEAST_FREE * _MOST_BYTES:
        why = NotKnown(not_known=f"not measured: only {free_bytes // 1024**2} MiB are free")
        return why, why
    for flag, how in ((os.O_DIRECT, "direct"), (0, "fsync")):
        try:
            return _write(folder, flag, clock), how
        except OSError as error:
            why = NotKnown(not_known=f"{folder}: {error.strerror}")
            if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):
                break  # not a filesystem without direct writes: it would fail again
    return why, why


def _write(folder: Path, flag: int, clock: Clock) -> float:
    """10^6 bytes/s; the file has no name while it is written, so that nothing stays if we are killed."""
    path = folder / f".cfslurm-probe-{os.urandom(8).hex()}"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | flag, 0o600)
    try:
        path.unlink()
        # Anonymous memory begins at a page: direct writes need that.
        with mmap.mmap(-1, _BLOCK) as block:
            block.write(os.urandom(4096) * (_BLOCK // 4096))
            begun = clock.monotonic()
            written = 0
            while written < _MOST_BYTES and clock.monotonic() - begun < _LONGEST_S:
                written += os.write(descriptor, block)
            os.fsync(descriptor)
            return round(written / max(clock.monotonic() - begun, 1e-6) / 1e6, 1)
    finally:
        os.close(descriptor)
