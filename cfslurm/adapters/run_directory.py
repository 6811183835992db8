"""A run's directory on the shared filesystem.

It is prepared under a hidden name and appears by one rename, so that a run is there whole or not at
all. The ledger has one file for each client: appending to one file from two hosts loses lines on NFS.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from cfslurm.adapters.environment import Environment
from cfslurm.adapters.files import json_text, read_json, sync_folder, write_atomic
from cfslurm.core.documents import Json
from cfslurm.core.run.names import DESCRIPTION, LEDGER, LOGS, OUTCOMES, SESSIONS
from cfslurm.errors import RunError

_PREPARING = ".preparing-"
_LOCK = "submit.lock"
_FORGOTTEN_AFTER_S = 86_400


class RunDirectory:
    """One run."""

    def __init__(
        self, path: Path, environment: Environment, *, staging: Path | None = None
    ) -> None:
        self.run_id = path.name
        self.path = path
        self._staging = staging
        self.client = f"{environment.host}-{os.getpid()}-{os.urandom(3).hex()}"

    def _place(self, name: str) -> Path:
        return (self._staging or self.path) / name

    def write_text(self, name: str, text: str) -> Path:
        """Write a whole file of the run, or nothing."""
        path = self._place(name)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            write_atomic(path, text.encode("utf-8", "surrogateescape"), mode=0o600)
        except OSError as error:
            raise RunError(
                f"cannot write {path}: {error.strerror}",
                remedy="Check the space and the rights; `cfslurm config show` says where runs lie.",
            ) from error
        return path

    def write_document(self, name: str, document: object) -> Path:
        """Write a document as JSON."""
        return self.write_text(name, json_text(document))

    def read_text(self, name: str) -> str:
        """The text of a file of the run.

        Raises:
            RunError: it is missing or cannot be read.
        """
        try:
            return self._place(name).read_text(encoding="utf-8")
        except OSError as error:
            raise RunError(
                f"run {self.run_id} has no readable {name}: {error.strerror}",
                remedy="Was the run's directory changed? `cfslurm queue` lists the runs.",
            ) from error

    def read_json(self, name: str) -> Json:
        """Read a JSON file of the run.

        Raises:
            RunError: it is missing or damaged.
        """
        try:
            return read_json(self._place(name))
        except (OSError, ValueError) as error:
            raise RunError(
                f"run {self.run_id} has no readable {name}: {error}",
                remedy="Was the run's directory changed? `cfslurm queue` lists the runs.",
            ) from error

    def publish(self) -> None:
        """Let the prepared run appear.

        Raises:
            RunError: a run of this name has appeared meanwhile.
        """
        assert self._staging is not None
        for name in (LEDGER, LOGS, OUTCOMES, SESSIONS):
            (self._staging / name).mkdir(mode=0o700, exist_ok=True)
        sync_folder(self._staging)
        try:
            self._staging.rename(self.path)
        except OSError as error:
            raise RunError(
                f"cannot create {self.path}: {error.strerror}", remedy="Submit again."
            ) from error
        self._staging = None
        sync_folder(self.path.parent)

    def discard(self) -> None:
        """Drop what was prepared."""
        import shutil  # heavy, and `cfslurm queue` needs none of it

        if self._staging is not None:
            shutil.rmtree(self._staging, ignore_errors=True)

    def append_ledger(self, event: Mapping[str, Json]) -> None:
        """Add an event; it is on stable storage when this returns."""
        path = self.path / LEDGER / f"{self.client}.jsonl"
        data = (json.dumps(dict(event), ensure_ascii=False) + "\n").encode()
        try:
            descriptor = os.open(
                path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600
            )
            try:
                os.write(descriptor, data)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise RunError(
                f"cannot write the ledger {path}: {error.strerror}",
                remedy="Check the space and the rights of the run's directory.",
            ) from error
        sync_folder(path.parent)

    def ledger(self) -> Sequence[Mapping[str, Any]]:
        """All events of all clients, oldest first; a line that was torn by a crash is left out."""
        events: list[Mapping[str, Any]] = []
        for path in sorted((self.path / LEDGER).glob("*.jsonl")):
            for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
                try:
                    events.append(json.loads(line))
                except ValueError:
                    continue
        return sorted(events, key=lambda event: float(event["at"]))

    @contextmanager
    def submitting(self) -> Iterator[None]:
        """Hold the run for one client: two must not talk to sbatch about it at the same time.

        Raises:
            RunError: another client is at it.
        """
        lock = _take_lock(self.path / _LOCK, self.run_id, self.client)
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)


def _take_lock(first: Path, run_id: str, client: str) -> Path:
    """Create the lock, or the next one if its holder was killed.

    The lock of a dead client is never removed: of several who find it, two could take each other's
    new one away. So at any time there is exactly one name that can be taken.
    """
    lock = first
    for number in count(2):
        try:
            descriptor = os.open(lock, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        except FileExistsError:
            holder = _holder(lock)
            if not _is_dead(holder):
                raise RunError(
                    f"run {run_id} is being submitted by another client ({holder or 'unknown'})",
                    remedy=f"Wait for it; if that client is gone, remove {lock} and try again.",
                ) from None
            lock = first.with_name(f"{first.name}.{number}")
            continue
        with os.fdopen(descriptor, "w") as file:
            file.write(client)
        break
    return lock


def _holder(lock: Path) -> str:
    try:
        return lock.read_text(encoding="utf-8")
    except OSError:
        return ""


def _is_dead(holder: str) -> bool:
    """True if the holder was a process of this host that is gone; another host's cannot be seen."""
    host, _, rest = holder.rpartition("-")[0].rpartition("-")
    if not rest.isdigit() or host != os.uname().nodename:
        return False
    return not Path(f"/proc/{rest}").exists()


def prepare_run(
    runs: Path, workflow_name: str, environment: Environment, *, now: float
) -> RunDirectory:
    """Begin a new run under a name of its own; it appears with `RunDirectory.publish`.

    Raises:
        RunError: the directory of runs cannot be written.
    """
    try:
        runs.mkdir(mode=0o700, parents=True, exist_ok=True)
        _forget_abandoned(runs, now)
        while True:
            run_id = f"{workflow_name}-{os.urandom(3).hex()}"
            staging = runs / f"{_PREPARING}{run_id}"
            if not (runs / run_id).exists():
                staging.mkdir(mode=0o700)
                break
    except OSError as error:
        raise RunError(
            f"cannot create a run in {runs}: {error.strerror}",
            remedy="Set CFSLURM_RUNS to a folder on a filesystem that all nodes see.",
        ) from error
    return RunDirectory(runs / run_id, environment, staging=staging)


def _forget_abandoned(runs: Path, now: float) -> None:
    """Drop what clients that were killed while preparing have left."""
    import shutil

    for path in runs.glob(f"{_PREPARING}*"):
        if path.stat().st_mtime < now - _FORGOTTEN_AFTER_S:
            shutil.rmtree(path, ignore_errors=True)


def open_run(runs: Path, name: str, environment: Environment) -> RunDirectory:
    """A run by its id, by the end of its id, or ``last``.

    Raises:
        RunError: there is none, or several go by that name.
    """
    all_ids = run_ids(runs)
    if name == "last":
        found = all_ids[:1]
    elif name in all_ids:
        found = [name]
    else:
        found = [run_id for run_id in all_ids if run_id.endswith(f"-{name}")]
        found = found or [run_id for run_id in all_ids if run_id.startswith(f"{name}-")]
    if len(found) != 1:
        problem = "there is no run" if not found else f"{len(found)} runs go by"
        raise RunError(
            f"{problem} {name!r} in {runs}", remedy="`cfslurm queue --all` lists the runs."
        )
    return RunDirectory(runs / found[0], environment)


def run_ids(runs: Path) -> list[str]:
    """The ids of all runs, newest first."""
    try:
        entries = [entry for entry in os.scandir(runs) if not entry.name.startswith(".")]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise RunError(
            f"cannot list the runs in {runs}: {error.strerror}",
            remedy="Set CFSLURM_RUNS to where your runs lie.",
        ) from error
    folders = [entry for entry in entries if entry.is_dir(follow_symlinks=False)]
    folders.sort(key=lambda entry: (-_born(entry), entry.name))
    return [entry.name for entry in folders]


def _born(entry: os.DirEntry[str]) -> float:
    """When the run appeared: its description is never written again."""
    try:
        return (Path(entry.path) / DESCRIPTION).stat().st_mtime
    except OSError:
        return 0.0
