"""The jobs of a run in a few words, read from ``submission/jobs.json`` with nothing but ``json``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cfslurm.core.documents import Json
from cfslurm.errors import RunError


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSummary:
    """A job of a run.

    ``kind`` is ``array``, ``hetjob`` or ``prefetch``; ``components`` is empty except for het jobs.
    """

    key: str
    kind: str
    entry: str
    name: str
    classes: tuple[str, ...]
    components: tuple[str, ...]
    tasks: int


def read_jobs(data: Json) -> tuple[JobSummary, ...]:
    """The jobs in the order in which sbatch got them.

    Raises:
        RunError: the file is damaged.
    """
    try:
        document: Any = data
        return tuple(_summary(job) for job in document["jobs"])
    except (TypeError, KeyError) as error:
        raise RunError(
            f"the run's list of jobs is damaged: {error}", remedy="Submit the workflow again."
        ) from error


def _summary(job: Any) -> JobSummary:
    return JobSummary(
        key=job["key"],
        kind=job["kind"],
        entry=job.get("entry", job["key"]),
        name=job["name"],
        classes=tuple(job.get("classes", ())),
        components=tuple(job.get("components", ())),
        tasks=job.get("tasks", 1),
    )
