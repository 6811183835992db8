"""The folder of a probe, on a filesystem that all nodes see: scripts, ledgers, logs and answers.

Shape: ``RUNS/.probes-UID/probe-1f2e3d/`` is one call of ``harvest --probe``, held by its client while it
lasts; below it lies a folder with a ledger for each lot of jobs that was submitted together.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from cfslurm.adapters.environment import Environment
from cfslurm.adapters.probe_answers import read_answer
from cfslurm.adapters.run_directory import RunDirectory, prepare_run
from cfslurm.core.hardware.probe import NodeProbe, NotKnown
from cfslurm.core.hardware.probe_targets import ProbeTarget
from cfslurm.core.render.probe import ANSWERS, ProbeJob, ProbeJobs, ProbeSettings, probe_jobs
from cfslurm.errors import RunError
from cfslurm.ports import Clock

_NAME = "probe"
_LAST_WORDS_BYTES = 2000
_LAST_WORDS_LINES = 2
_ABANDONED_S = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class JobWriting:
    """How the jobs of a probe are written: templates, and what all scripts have in common."""

    templates: Mapping[str, str]
    python: str
    account: str
    qos: str
    export: tuple[str, ...]

    def jobs(self, targets: Sequence[ProbeTarget], *, probe_id: str, folder: Path) -> ProbeJobs:
        """The jobs for some nodes, as they would be submitted from a folder."""
        settings = ProbeSettings(
            probe_id=probe_id,
            directory=str(folder),
            python=self.python,
            account=self.account,
            qos=self.qos,
        )
        return probe_jobs(targets, self.templates, settings, export=self.export)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeFolder:
    """One call's folder."""

    path: Path
    environment: Environment
    clock: Clock
    writing: JobWriting

    def prepare(self, targets: Sequence[ProbeTarget]) -> tuple[ProbeJobs, RunDirectory]:
        """Write the jobs for some nodes, with a ledger of their own."""
        store = prepare_run(self.path, _NAME, self.environment, now=self.clock.now())
        jobs = self.writing.jobs(targets, probe_id=store.run_id, folder=store.path)
        for job in jobs.jobs:
            store.write_text(f"submission/{job.key}.sbatch", job.script)
        store.publish()
        (store.path / ANSWERS).mkdir(mode=0o700)
        return jobs, store

    def answer(self, job: ProbeJob) -> NodeProbe | NotKnown | None:
        """What the node has left; None while it has left nothing."""
        _refresh(Path(job.answer).parent)
        return read_answer(Path(job.answer), job.node)

    def last_words(self, jobs: ProbeJobs, job: ProbeJob) -> str:
        """The end of what the job printed, on one line."""
        try:
            with (Path(jobs.directory) / "logs" / f"{job.key}.log").open("rb") as file:
                file.seek(0, os.SEEK_END)
                file.seek(max(0, file.tell() - _LAST_WORDS_BYTES))
                lines = file.read(_LAST_WORDS_BYTES).decode("utf-8", "replace").splitlines()
        except OSError:
            return ""
        said = [line.strip() for line in lines if line.strip()][-_LAST_WORDS_LINES:]
        return "".join(c if c.isprintable() else "?" for c in " / ".join(said))


def probes_folder(runs: Path, environment: Environment) -> Path:
    """Where the probes of this user lie; several users may have one folder of runs."""
    return runs / f".probes-{environment.uid}"


def _refresh(folder: Path) -> None:
    """Reading a folder makes an NFS client ask its server what is new in there."""
    with os.scandir(folder) as entries:
        next(entries, None)


@contextmanager
def probe_folder(
    runs: Path, environment: Environment, clock: Clock, writing: JobWriting
) -> Iterator[ProbeFolder]:
    """A folder for one call; it is removed at the end.

    Raises:
        RunError: the directory of runs cannot be written.
    """
    folder = probes_folder(runs, environment)
    store = prepare_run(folder, _NAME, environment, now=clock.now())
    if not _is_only_his(folder, environment.uid):
        store.discard()
        raise RunError(
            f"{folder} is not this user's alone", remedy=f"Remove it, or `chmod 700 {folder}`."
        )
    store.publish()
    with store.submitting():
        yield ProbeFolder(path=store.path, environment=environment, clock=clock, writing=writing)
    shutil.rmtree(store.path, ignore_errors=True)


@contextmanager
def abandoned_probe(path: Path, environment: Environment, *, now: float) -> Iterator[bool]:
    """Hold the folder of a client that was killed, and remove it at the end.

    False if its client may be alive: the lock of another host's client cannot be judged for a day.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(RunDirectory(path, environment).submitting())
            is_mine = True
        except RunError:
            is_mine = path.stat().st_mtime < now - _ABANDONED_S
        yield is_mine
    if is_mine:
        shutil.rmtree(path, ignore_errors=True)


def left_probes(runs: Path, environment: Environment) -> tuple[Path, ...]:
    """The folders of all calls that have not ended, or were killed."""
    folder = probes_folder(runs, environment)
    try:
        if not _is_only_his(folder, environment.uid):
            return ()
        return tuple(sorted(path for path in folder.iterdir() if path.name[0] != "."))
    except OSError:
        return ()


def _is_only_his(folder: Path, uid: int) -> bool:
    """True if nobody else can have put anything into a folder."""
    status = folder.lstat()
    is_open = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return stat.S_ISDIR(status.st_mode) and status.st_uid == uid and not is_open


def lots_of(path: Path) -> tuple[str, ...]:
    """The names of the lots of a call: its jobs' names begin with them."""
    return tuple(sorted(lot.name for lot in path.iterdir() if lot.name.startswith(f"{_NAME}-")))


def answers_in(path: Path) -> tuple[NodeProbe, ...]:
    """All usable answers of a call."""
    found = []
    for file in sorted(path.glob(f"{_NAME}-*/{ANSWERS}/*.json")):
        probe = read_answer(file, file.stem)
        if isinstance(probe, NodeProbe):
            found.append(probe)
    return tuple(found)
