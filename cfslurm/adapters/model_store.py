"""The shared model cache: read-only folders, one for each variant, published by one rename.

Layout below the root, on one filesystem::

    store/ORG--NAME/COMMIT[--LABEL]/    published; files 0444, folders 0755
    staging/NAME.RANDOM/                private to one writer: files/ verified, incoming/ not yet
    leases/NAME.lease                   who is fetching what
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath

from cfslurm.adapters.checksums import mismatch
from cfslurm.adapters.clock import SystemClock, utc_text
from cfslurm.adapters.environment import read_environment
from cfslurm.adapters.files import json_text, sync_folder, write_atomic
from cfslurm.adapters.lease import Holder, Leases
from cfslurm.adapters.model_folder import (
    Published,
    UntrustedError,
    examine,
    folder_name,
    manifest,
)
from cfslurm.core.models.files import MANIFEST
from cfslurm.core.models.variants import ModelFile, Variant
from cfslurm.core.slurm.units import human_bytes
from cfslurm.errors import CacheError
from cfslurm.ports import Clock, Hub

_KEEP_FREE_BYTES = 1 << 30
_KEEP_FREE_SHARE = 0.05
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_FORBIDDEN = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})

Progress = Callable[[ModelFile, int], None]


class DirectoryStore:
    """A cache that this user may write, and other caches that are only read, looked into first."""

    def __init__(
        self,
        write_root: Path,
        tiers: tuple[Path, ...] = (),
        *,
        clock: Clock | None = None,
        stale_after_s: float = 180.0,
    ) -> None:
        self.write_root = write_root
        self.tiers = tiers
        self._clock = clock or SystemClock()
        here = read_environment()
        self._me = Holder(host=here.host, user=here.user, pid=os.getpid())
        self._leases = Leases(
            folder=write_root / "leases",
            me=self._me,
            clock=self._clock,
            stale_after_s=stale_after_s,
        )

    @property
    def roots(self) -> tuple[Path, ...]:
        """All caches that are looked into, in that order; the last is the one that is written."""
        return (*self.tiers, self.write_root)

    def find(self, variant: Variant) -> Path | None:
        """The folder of a published, complete variant; None if no tier has it."""
        for root in self.roots:
            with contextlib.suppress(UntrustedError):
                return examine(root, variant)
        return None

    def why_not(self, variant: Variant) -> tuple[str, ...]:
        """For each tier and the cache itself, why it does not have a variant; empty for those that do."""
        reasons = []
        for root in self.roots:
            try:
                examine(root, variant)
            except UntrustedError as reason:
                reasons.append(str(reason))
        return tuple(reasons)

    def place(self, variant: Variant) -> Path:
        """The folder in which `fetch` would publish a variant."""
        return self.write_root / "store" / folder_name(variant)

    def fetch(self, variant: Variant, hub: Hub, *, progress: Progress) -> Path:
        """Bring a variant in, verify every byte, publish it; at once if it is there already.

        What was fetched and verified before an interruption is kept and not fetched again.

        Raises:
            CacheBusyError: somebody else is at it.
            CacheError: full, not writable, or the bytes are wrong.
            HubError: the Hub does not give the files.
        """
        found = self.find(variant)
        if found is not None:
            return found
        flat = folder_name(variant).replace("/", "--")
        with _disk_errors(self.write_root):
            for folder in ("store", "staging", "leases"):
                self._make_shared(self.write_root / folder)
            with self._leases.hold(flat):
                return self.find(variant) or self._fetch(variant, hub, progress, flat)

    def _fetch(self, variant: Variant, hub: Hub, progress: Progress, flat: str) -> Path:
        target = self.place(variant)
        if os.path.lexists(target):
            raise _unusable(target, self.why_not(variant)[-1])
        staging = self._staging(flat)
        files, incoming = staging / "files", staging / "incoming"
        missing = _missing(variant, files)
        _check_space(staging, sum(file.size_bytes for file in missing))
        for file in missing:
            incoming.mkdir(mode=0o700)
            path = hub.download(variant, file, incoming, progress=partial(progress, file))
            _accept(path, file, variant, files)
            shutil.rmtree(incoming)
        published = Published(
            endpoint=hub.endpoint,
            published_by=self._me.user,
            published_at=utc_text(self._clock.now()),
        )
        write_atomic(files / MANIFEST, json_text(manifest(variant, published)).encode(), mode=0o444)
        self._make_shared(target.parent)
        _publish(files, variant, target)
        shutil.rmtree(staging)
        try:
            return examine(self.write_root, variant)
        except UntrustedError as reason:
            raise _unusable(target, str(reason)) from reason

    def _make_shared(self, folder: Path) -> None:
        """A folder with the rights of the cache's own: the site said there who may add models."""
        if not self.write_root.exists():
            _make_root(self.write_root)
        with contextlib.suppress(FileExistsError):
            folder.mkdir()
            folder.chmod(stat.S_IMODE(self.write_root.stat().st_mode))
            sync_folder(folder.parent)

    def _staging(self, flat: str) -> Path:
        """A folder that nobody else writes: what an earlier try left, under a new name, or a new one.

        The new name shuts out a writer whose lease was taken from him and who wakes up again.
        """
        folder = self.write_root / "staging"
        mine = folder / f"{flat}.{secrets.token_hex(8)}"
        for left in sorted(folder.glob(f"{flat}.*")):
            found = left.lstat()
            if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
                continue
            if mine.exists():
                shutil.rmtree(left, ignore_errors=True)
            else:
                with contextlib.suppress(FileNotFoundError):
                    left.rename(mine)
        mine.mkdir(mode=0o700, exist_ok=True)
        mine.chmod(0o700)
        shutil.rmtree(mine / "incoming", ignore_errors=True)
        (mine / "files").mkdir(mode=0o755, exist_ok=True)
        return mine


def _make_root(root: Path) -> None:
    """Make a cache's folder; it has its rights from the first moment, and others may make it too."""
    root.parent.mkdir(parents=True, exist_ok=True)
    new = root.with_name(f".{root.name}.{secrets.token_hex(8)}")
    new.mkdir()
    new.chmod(0o755)
    try:
        new.rename(root)
    except OSError:
        new.rmdir()
        if not root.is_dir():
            raise


def _missing(variant: Variant, files: Path) -> tuple[ModelFile, ...]:
    """The files that are still to be fetched; everything else that lies there is removed."""
    kept = {
        files / file.path
        for file in variant.files
        if os.path.lexists(files / file.path) and not mismatch(files / file.path, file)
    }
    folders = {parent for path in kept for parent in path.parents}
    for path in sorted(files.rglob("*"), reverse=True):
        if path not in kept and path not in folders:
            path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    return tuple(file for file in variant.files if files / file.path not in kept)


def _accept(path: Path, file: ModelFile, variant: Variant, files: Path) -> None:
    """Move a file that was fetched to the verified ones, if its bytes are right."""
    if problem := mismatch(path, file):
        path.unlink()
        raise CacheError(
            f"{file.path} of {variant.id} came with wrong bytes: {problem}",
            remedy="Run the same command again; if it stays so, a proxy or mirror changes files.",
        )
    for parent in reversed(PurePosixPath(file.path).parents[:-1]):
        (files / parent).mkdir(exist_ok=True)  # never `files` itself: who lost it must notice
    path.chmod(0o444)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    path.rename(files / file.path)


def _publish(files: Path, variant: Variant, target: Path) -> None:
    """Show a whole folder at once. Whoever was first stays; what is ours is dropped by the caller."""
    for file in variant.files:
        (files / file.path).lstat()
    for folder in (files, *(path for path in files.rglob("*") if path.is_dir())):
        folder.chmod(0o755)
        sync_folder(folder)
    try:
        files.rename(target)
    except OSError as error:
        if error.errno not in {errno.EEXIST, errno.ENOTEMPTY}:
            raise
    sync_folder(target.parent)


def _check_space(folder: Path, need_bytes: int) -> None:
    """Refuse to start what cannot end; a filesystem is never filled to the brim.

    Quotas are not seen here: they show when the disk says no.
    """
    disk = os.statvfs(folder)
    free = disk.f_bavail * disk.f_frsize
    keep = min(_KEEP_FREE_BYTES, int(disk.f_blocks * disk.f_frsize * _KEEP_FREE_SHARE))
    if need_bytes + keep > free:
        raise CacheError(
            f"{folder.parent.parent} has {human_bytes(free)} free; {human_bytes(need_bytes)} are "
            f"needed, and {human_bytes(keep)} stay free",
            remedy="Remove models that nobody uses from its store folder, or name another cache.",
        )


def _unusable(target: Path, reason: str) -> CacheError:
    return CacheError(
        f"{target} is there and cannot be used: {reason}",
        remedy="Ask its owner to remove that folder, then run the same command again.",
    )


@contextmanager
def _disk_errors(root: Path) -> Iterator[None]:
    """What a disk says, in our words."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise CacheError(
                f"the model cache {root} is full, or your quota there is",
                remedy="Remove models that nobody uses from its store folder, or name another cache.",
            ) from error
        if error.errno in _FORBIDDEN:
            raise CacheError(
                f"you may not write to the model cache {root}: {error.strerror}",
                remedy="Set `model_cache` to a folder that you may write; "
                "`cfslurm config show --origin` says where it comes from.",
            ) from error
        raise CacheError(
            f"the model cache {root} does not work: {error}",
            remedy="Check that filesystem, then run the same command again.",
        ) from error
