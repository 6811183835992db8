"""What is promised, and when it comes back: the GPUs of running jobs, by the latest time of their ends."""

from __future__ import annotations

from dataclasses import dataclass

from cfslurm.core.documents import STRICT
from cfslurm.core.hardware.graph import HardwareGraph, Node, RunningJob


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeing:
    """At ``at`` (seconds since the epoch) at the latest, ``free`` GPUs of a type are free.

    ``free`` counts those that are free now, and holds if nobody takes what has become free before.
    """

    __pydantic_config__ = STRICT

    gpu_type: str
    at: int
    free: int


def freeings(graph: HardwareGraph) -> tuple[Freeing, ...]:
    """Step by step, by GPU type and time; jobs without an end free nothing.

    Nodes that take no jobs bring nothing when their jobs end. A job whose GPUs Slurm does not tell is
    left out: too few are promised rather than too many.
    """
    nodes = {node.name: node for node in graph.nodes if node.takes_jobs}
    free: dict[str, int] = {}
    for node in nodes.values():
        for gpus in node.gpus:
            free[gpus.gpu_type] = free.get(gpus.gpu_type, 0) + gpus.count - gpus.used
    steps: dict[tuple[str, int], int] = {}
    for job in graph.running:  # by end
        for gpu_type, count in _comes_back(job, nodes).items():
            if job.end_time is not None and gpu_type in free:
                free[gpu_type] += count
                steps[gpu_type, job.end_time] = free[gpu_type]
    most = {gpu_type: 0 for gpu_type in free}
    for node in nodes.values():
        for gpus in node.gpus:
            most[gpus.gpu_type] += gpus.count
    return tuple(
        Freeing(gpu_type=gpu_type, at=at, free=min(count, most[gpu_type]))
        for (gpu_type, at), count in sorted(steps.items())
    )


def _comes_back(job: RunningJob, nodes: dict[str, Node]) -> dict[str, int]:
    """GPUs by type; none where one of the job's nodes is closed: nobody says how many are on the others."""
    if job.gpus is None or not all(name in nodes for name in job.node_names):
        return {}
    types = {gpus.gpu_type for name in job.node_names for gpus in nodes[name].gpus}
    found: dict[str, int] = {}
    for gpu_type, count in job.gpus.items():
        known = gpu_type if gpu_type in types else next(iter(types)) if len(types) == 1 else None
        if known is not None:
            found[known] = found.get(known, 0) + count
    return found
