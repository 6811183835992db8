"""The answers of nodes: in the folder of a probe, and kept for later in a cache.

A file of the cache is named after node and boot, so that an old one is not even read. In a folder that
users share, only what root, its owner or this user has written counts, and only where nobody else could
have changed it: a neighbour must not be able to tell us what our cluster has.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from cfslurm.adapters.files import json_text, write_atomic
from cfslurm.core.hardware.probe import NodeProbe, NotKnown, known
from cfslurm.core.hardware.probed import BOOT_TOLERANCE_S
from cfslurm.errors import InvalidFileError, SetupError

_LARGEST_BYTES = 4 * 1024**2  # 64 GPUs and their 2016 pairs are 1 MB
_NAME = re.compile(r"(?P<node>[A-Za-z0-9_.-]+)@(?P<boot>\d{1,12})\.json")
_CLUSTER = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*")
_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


def read_answer(path: Path, node: str) -> NodeProbe | NotKnown | None:
    """What a node has left; None while it has left nothing."""
    try:
        return _read(path, node)
    except FileNotFoundError:
        return None
    except OSError as error:
        return NotKnown(not_known=f"cannot read {path}: {error.strerror}")


def _read(path: Path, node: str, trusted: Collection[int] | None = None) -> NodeProbe | NotKnown:
    # pydantic takes a while to import: only where there is an answer.
    from pydantic import ValidationError

    from cfslurm.adapters.validated import adapter

    data = _bytes(path, trusted)
    if isinstance(data, NotKnown):
        return data
    try:
        probe: NodeProbe = adapter(NodeProbe).validate_json(data)
    except ValidationError:
        return _rubbish(node, _what_is_wrong(data, str(path)))
    if probe.node != node:
        return _rubbish(node, f"it speaks of {probe.node!r}")
    return probe


def _what_is_wrong(data: bytes, source: str) -> str:
    """The first mistake of an answer that is none, in words."""
    from cfslurm.adapters.validated import validate_json

    try:
        validate_json(NodeProbe, json.loads(data), source)
    except InvalidFileError as error:
        problem = error.problems[0]
        return f"{problem.path or 'it'}: {problem.message}"
    except (ValueError, RecursionError):
        pass
    return f"it is no JSON: {data[:60]!r}"


def _rubbish(node: str, what: str) -> NotKnown:
    return NotKnown(
        not_known=f"the answer of {node} cannot be used: {what}",
        remedy="Run `python -I -m cfslurm.node.probe` on that node: is it the same cfslurm there?",
    )


def _bytes(path: Path, trusted: Collection[int] | None) -> bytes | NotKnown:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode) or status.st_size > _LARGEST_BYTES:
            return NotKnown(not_known=f"{path} is no file of a sane size")
        if trusted is not None and not _is_trusted(status, trusted):
            return NotKnown(
                not_known=f"{path} is ignored: uid {status.st_uid} has written it, or others may change it",
                remedy="Remove it, or let the folder's owner write it with mode 644.",
            )
        return file.read(_LARGEST_BYTES + 1)


def _is_trusted(status: os.stat_result, trusted: Collection[int]) -> bool:
    return status.st_uid in trusted and not status.st_mode & _WRITABLE_BY_OTHERS


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeCache:
    """Answers by cluster: the user's own, and those in a folder that the site shares, if it has one."""

    own: Path
    shared: Path | None
    uid: int

    def load(
        self, cluster: str, boots: Mapping[str, int | None]
    ) -> tuple[Mapping[str, NodeProbe], tuple[str, ...]]:
        """As `cfslurm.ports.KnownProbes`."""
        found: dict[str, NodeProbe] = {}
        notes: list[str] = []
        for folder in self._folders(cluster):
            try:
                notes += self._load_folder(folder, boots, found)
            except FileNotFoundError:
                continue  # nothing has been kept here yet
            except OSError as error:
                notes.append(f"{folder} cannot be read: {error.strerror}")
        return found, tuple(notes)

    def _folders(self, cluster: str) -> tuple[Path, ...]:
        if not _CLUSTER.fullmatch(cluster):
            return ()
        places = (self.shared, self.own) if self.shared else (self.own,)
        return tuple(folder / cluster for folder in places)

    def _load_folder(
        self, folder: Path, boots: Mapping[str, int | None], found: dict[str, NodeProbe]
    ) -> Iterator[str]:
        """Add what a folder has, where it is newer; and tell what was ignored."""
        trusted = self._trusted(folder)
        if isinstance(trusted, str):
            yield trusted
            return
        for path, node in _current(folder, boots):
            try:
                probe = _read(path, node, trusted)
            except OSError:
                continue  # it has just been replaced or removed
            if isinstance(probe, NotKnown):
                yield probe.not_known
            elif node not in found or found[node].probed_at < probe.probed_at:
                found[node] = probe

    def _trusted(self, folder: Path) -> frozenset[int] | str:
        """Whose answers count in a folder; or why none does.

        Besides root and this user it is whoever owns the folder that the site config names; nobody
        else in the user's own cache, whoever has made that.
        """
        owners = frozenset({0, self.uid})
        if folder.parent == self.shared:
            owners |= {folder.parent.stat().st_uid}
        for place in (folder.parent, folder):
            status = place.lstat()
            if not stat.S_ISDIR(status.st_mode) or status.st_uid not in owners:
                return f"{place} is ignored: it is no folder of this user, root or the site"
            if status.st_mode & _WRITABLE_BY_OTHERS and not status.st_mode & stat.S_ISVTX:
                mode = f"{status.st_mode & 0o7777:o}"
                return f"{place} is ignored: others may change what lies in it (mode {mode})"
        return owners

    def keep(self, cluster: str, probe: NodeProbe) -> Path | None:
        """Keep an answer, shared where this user may write there; None if it tells no boot.

        Raises:
            SetupError: the folder cannot be written.
        """
        boot = None if isinstance(probe.machine, NotKnown) else known(probe.machine.boot_time_s)
        if boot is None or not _CLUSTER.fullmatch(cluster):
            return None
        shared = self.shared / cluster if self.shared else None
        folder = self.own / cluster
        try:
            if shared is not None and os.access(shared, os.W_OK):
                return self._write(shared, probe, boot, mode=0o644)
            # Each with its own mode: what mkdir makes on the way may be open to a group, by the umask.
            self.own.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.mkdir(mode=0o700, exist_ok=True)
            return self._write(folder, probe, boot, mode=0o600)
        except OSError as error:
            raise SetupError(
                f"cannot keep the answer of {probe.node} in {error.filename or folder}: {error.strerror}",
                remedy="Check the space and the rights there; XDG_CACHE_HOME names another cache.",
            ) from error

    def _write(self, folder: Path, probe: NodeProbe, boot: int, *, mode: int) -> Path:
        path = folder / f"{probe.node}@{boot}.json"
        write_atomic(path, json_text(probe).encode(), mode=mode)
        for other, node in _all(folder):
            if node == probe.node and other != path and other.lstat().st_uid == self.uid:
                other.unlink(missing_ok=True)
        return path


def _all(folder: Path) -> Iterator[tuple[Path, str]]:
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries)
    for name in names:
        if match := _NAME.fullmatch(name):
            yield folder / name, match["node"]


def _current(folder: Path, boots: Mapping[str, int | None]) -> Iterator[tuple[Path, str]]:
    """The answers of known nodes whose boot, by the file's name, is still the last one."""
    for path, node in _all(folder):
        boot = int(path.stem.rpartition("@")[2])
        now = boots.get(node)
        if node in boots and (now is None or abs(now - boot) <= BOOT_TOLERANCE_S):
            yield path, node
