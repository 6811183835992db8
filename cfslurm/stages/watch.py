"""Look at runs: one squeue for all of them, and their own files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cfslurm.core.documents import Json
from cfslurm.core.run.description import read_description
from cfslurm.core.run.jobs import JobSummary, read_jobs
from cfslurm.core.run.ledger import fold
from cfslurm.core.run.names import DESCRIPTION, JOBS, MANIFEST, OUTCOMES
from cfslurm.core.run.outcomes import parse_file_name, read_lines
from cfslurm.core.run.status import Evidence
from cfslurm.core.slurm import squeue

if TYPE_CHECKING:
    from cfslurm.ports import RunCommand, RunStore


def jobs_of_user(*, run: RunCommand, user: str) -> tuple[squeue.QueuedJob, ...]:
    """All jobs of a user that wait or run, in one call.

    Raises:
        SlurmUnavailableError: slurmctld does not answer.
    """
    return squeue.read_jobs(run(squeue.user_jobs_command(user)))


def jobs_of_run(store: RunStore, *, run: RunCommand) -> tuple[squeue.QueuedJob, ...]:
    """The jobs of one run, those that Slurm still remembers as ended too, in one call."""
    job_ids = fold(store.ledger()).jobs.values()
    return squeue.read_jobs(run(squeue.some_jobs_command(job_ids))) if job_ids else ()


def gather(store: RunStore, queued: Sequence[squeue.QueuedJob]) -> Evidence:
    """Everything that is known of a run."""
    jobs = read_jobs(store.read_json(JOBS))
    return Evidence(
        description=read_description(store.read_json(DESCRIPTION)),
        jobs=jobs,
        ledger=fold(store.ledger()),
        queued=queued,
        outcomes={job.key: read_outcomes(store.path, job.key) for job in jobs},
        item_counts=_item_counts(store.read_json(MANIFEST), jobs),
    )


def read_outcomes(run: Path, job_key: str) -> dict[str, Sequence[Mapping[str, Any]]]:
    """The events of a job's files by name, oldest attempt first."""
    folder = run / OUTCOMES / job_key
    found: dict[str, list[tuple[int, Path]]] = {}
    for path in folder.iterdir() if folder.is_dir() else ():
        parsed = parse_file_name(path.name)
        if parsed is not None:
            found.setdefault(parsed.name, []).append((parsed.attempt, path))
    return {
        name: [
            event
            for _, path in sorted(attempts)
            for event in read_lines(path.read_text(encoding="utf-8", errors="replace"))
        ]
        for name, attempts in sorted(found.items())
    }


def _item_counts(manifest: Json, jobs: Sequence[JobSummary]) -> dict[str, int]:
    """Items by job key, without reading the whole manifest into classes."""
    data: Any = manifest
    parts = {
        key: int(part["count"])
        for entry in data["arrays"].values()
        for key, part in entry["parts"].items()
    }
    return {job.key: parts.get(job.key, 0) for job in jobs}
