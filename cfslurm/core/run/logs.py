"""Which log files belong to a part of a run."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from cfslurm.core.documents import Json
from cfslurm.core.run.jobs import JobSummary


def log_names(part: str, jobs: Sequence[JobSummary], manifest: Json) -> tuple[str, ...] | None:
    """Patterns of file names for ``task``, ``task/item``, ``gang``, ``gang/component`` or all ("").

    None if the run has no such part. Slurm writes ``KEY-TASK.log`` for array tasks, ``KEY.log`` for
    the batch script of a gang, and srun ``KEY.COMPONENT.log``.
    """
    entry, _, inner = part.partition("/")
    mine = [job for job in jobs if part == "" or entry in (job.entry, job.key)]
    if not mine:
        return None
    if not inner:
        return tuple(
            pattern for job in mine for pattern in (f"{job.key}.log", f"{job.key}[-.]*.log")
        )
    found = [name for job in mine for name in _inner_names(job, inner, manifest)]
    return tuple(found) or None


def _inner_names(job: JobSummary, inner: str, manifest: Json) -> list[str]:
    if job.kind == "hetjob":
        return [f"{job.key}.{inner}.log"] if inner in job.components else []
    if job.kind != "array" or not inner.isdigit():
        return []
    data: Any = manifest
    part = data["arrays"][job.entry]["parts"][job.key]
    position = int(inner) - int(part["first"])
    if not 0 <= position < int(part["count"]):
        return []
    return [f"{job.key}-{position // int(part['pack'])}.log"]


def in_order(names: Iterable[str]) -> list[str]:
    """Names by their letters, and by number where they have one.

    >>> in_order(["eval-10.log", "eval-2.log", "agents.log"])
    ['agents.log', 'eval-2.log', 'eval-10.log']
    """

    def pieces(name: str) -> list[tuple[int, str]]:
        return [(int(p) if p.isdecimal() else -1, p) for p in re.split(r"([0-9]+)", name)]

    return sorted(names, key=pieces)
