"""Slurm's pending reasons in plain words."""

from __future__ import annotations

from collections.abc import Sequence

from cfslurm.core.slurm.squeue import QueuedJob
from cfslurm.core.slurm.units import human_seconds

# Source: squeue(1), JOB REASON CODES, and slurm.schedmd.com/job_reason_codes.html.
_WORDS = {
    "None": "Slurm has not looked at it yet",
    "Resources": "it is next, and waits until enough of what it asks for is free",
    "Priority": "jobs with a higher priority are before it",
    "Dependency": "it waits for another job of the run",
    "DependencyNeverSatisfied": "a job that it needs has failed, so it can never start",
    "BeginTime": "it was requeued, and Slurm lets a requeued job wait for a moment",
    "JobHeldUser": "it is held until all jobs of the run are submitted; `cfslurm submit` finishes that",
    "JobHeldAdmin": "the operators of the cluster hold it",
    "PartitionTimeLimit": "it asks for more time than its partition gives",
    "PartitionNodeLimit": "it asks for more nodes than its partition gives",
    "PartitionDown": "its partition is down",
    "PartitionInactive": "its partition takes no jobs at the moment",
    "ReqNodeNotAvail": "nodes that it could use are down, drained or reserved",
    "Reservation": "it waits for its reservation",
    "Licenses": "it waits for a licence",
    "JobArrayTaskLimit": "as many tasks of its array run as may run at once",
    "NonZeroExitCode": "it asked for a requeue and is about to wait for it",
    "Cleaning": "Slurm is still cleaning up its last attempt",
    "NodeDown": "a node that it needs is down",
    "BadConstraints": "no node has what it asks for",
}
_FAMILIES = {
    "QOSMax": "its QOS lets one user have no more at once",
    "QOSGrp": "its QOS is used up by all its users together",
    "AssocMax": "your account lets one user have no more at once",
    "AssocGrp": "your account is used up by all its users together",
    "MaxGRES": "your account lets one user have no more GPUs at once",
}


def explain_queued(jobs: Sequence[QueuedJob], *, now: float) -> tuple[str, ...]:
    """A sentence for each state of some jobs: array tasks of which the same is true share one.

    What waits comes first. Units: ``now`` is seconds since the epoch.
    """
    alike: dict[tuple[bool, str, str, str], list[QueuedJob]] = {}
    for job in jobs:
        waits = job.state == "PENDING"
        key = (not waits, job.state, job.name, job.reason if waits else "")
        alike.setdefault(key, []).append(job)
    return tuple(_sentence(alike[key], now=now) for key in sorted(alike))


def _sentence(jobs: Sequence[QueuedJob], *, now: float) -> str:
    """What is true of all these rows: they have one name, one state, one reason."""
    first = jobs[0]
    tasks = sum(job.tasks for job in jobs)
    job_id = first.job_id if len(jobs) == 1 else first.parent_id
    who = f"{job_id} ({first.name}{f', {tasks} tasks' if tasks > 1 else ''})"
    if first.state != "PENDING":
        nodes = ", ".join(sorted({job.nodelist for job in jobs if job.nodelist}))
        used = human_seconds(max(job.used_s for job in jobs))
        when = "for" if first.state == "RUNNING" else "after"
        return f"{who} is {first.state}{f' on {nodes}' if nodes else ''} {when} {used}."
    submitted = [job.submit_time for job in jobs if job.submit_time]
    waited = f" for {human_seconds(now - min(submitted))}" if submitted else ""
    starts = [job.start_time for job in jobs if job.start_time]
    start = (
        f" Slurm expects it to start in {human_seconds(max(0.0, min(starts) - now))}."
        if starts
        else ""
    )
    return f"{who} waits{waited}: {reason_words(first.reason)}.{start}"


def reason_words(reason: str) -> str:
    """A reason in words, Slurm's own word behind it.

    >>> reason_words("QOSMaxGRESPerUser")
    'its QOS lets one user have no more at once (QOSMaxGRESPerUser)'
    """
    code = reason.split(",")[0].strip()
    family = next((words for prefix, words in _FAMILIES.items() if code.startswith(prefix)), "")
    words = _WORDS.get(code, family)
    return f"{words} ({reason})" if words else reason
