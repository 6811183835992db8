"""Where a run stands: what its directory says and what Slurm says, put together.

Slurm forgets finished jobs after MinJobAge, so the outcome files are the truth about work; Slurm is
the truth about what waits and runs. A job that neither speaks of is unknown, never done.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from cfslurm.core.run.description import RunDescription
from cfslurm.core.run.jobs import JobSummary
from cfslurm.core.run.ledger import LedgerState
from cfslurm.core.run.outcomes import Event, ItemState, item_states
from cfslurm.core.slurm.squeue import QueuedJob

# Base states in which Slurm still has something to do for a job. Source: squeue(1), JOB STATE CODES.
_ALIVE = frozenset(
    {
        "PENDING", "CONFIGURING", "RUNNING", "SUSPENDED", "COMPLETING", "REQUEUED", "RESIZING",
        "SIGNALING", "STAGE_OUT", "STOPPED", "REQUEUE_HOLD", "REQUEUE_FED", "RESV_DEL_HOLD",
        "SPECIAL_EXIT",
    }
)  # fmt: skip
_ACTIVE = frozenset({"RUNNING", "COMPLETING", "CONFIGURING", "SUSPENDED", "STOPPED", "SIGNALING"})
GANG = "_gang"


class State(StrEnum):
    """The state of a job of ours, or of a whole run."""

    SUBMITTING = "submitting"  # the submission was cut off; `cfslurm submit` finishes it
    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNDONE = "undone"  # Slurm refused a job, the others were cancelled
    UNKNOWN = "unknown"  # Slurm does not know the job any more, and it left no word


# What a run is, if its jobs are in several states: the first of these.
_ORDER = (
    State.RUNNING, State.PENDING, State.SUBMITTING, State.UNKNOWN, State.FAILED, State.CANCELLED,
    State.UNDONE, State.DONE,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class PartStatus:
    """A component of a gang."""

    name: str
    state: str
    node: str
    node_class: str
    variant: str
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStatus:
    """A job of the run.

    ``slurm`` counts Slurm's states over array tasks and components; ``reason`` is why it waits or
    failed. ``items_total`` is 0 for jobs without items.
    """

    key: str
    kind: str
    entry: str
    job_id: str
    state: State
    slurm: Mapping[str, int]
    reason: str
    nodes: tuple[str, ...]
    restarts: int
    items_total: int
    items_done: int
    items_failed: int
    items_running: int
    parts: tuple[PartStatus, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStatus:
    """A run."""

    run_id: str
    workflow: str
    created_at: str
    state: State
    items_total: int
    items_done: int
    items_failed: int
    jobs: tuple[JobStatus, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is known of a run.

    ``outcomes`` maps a job's key to the events of its files, oldest attempt first, by the name in
    the file (an array task's number, a component). ``item_counts`` maps a job's key to its items.
    """

    description: RunDescription
    jobs: Sequence[JobSummary]
    ledger: LedgerState
    queued: Sequence[QueuedJob]
    outcomes: Mapping[str, Mapping[str, Sequence[Mapping[str, Any]]]]
    item_counts: Mapping[str, int]


def run_status(evidence: Evidence) -> RunStatus:
    """Put the evidence together."""
    jobs = tuple(_job_status(job, evidence) for job in evidence.jobs)
    state = next((s for s in _ORDER if any(job.state is s for job in jobs)), State.DONE)
    ledger = evidence.ledger
    if ledger.is_undone:
        state = State.CANCELLED if ledger.cancelled else State.UNDONE
    elif not ledger.is_released and not ledger.cancelled:
        state = State.SUBMITTING
    return RunStatus(
        run_id=evidence.description.run_id,
        workflow=evidence.description.workflow,
        created_at=evidence.description.created_at,
        state=state,
        items_total=sum(job.items_total for job in jobs),
        items_done=sum(job.items_done for job in jobs),
        items_failed=sum(job.items_failed for job in jobs),
        jobs=jobs,
    )


def _job_status(job: JobSummary, evidence: Evidence) -> JobStatus:
    job_id = evidence.ledger.jobs.get(job.key, "")
    rows = [row for row in evidence.queued if row.parent_id == job_id]
    files = evidence.outcomes.get(job.key, {})
    items = job_items(files) if job.kind == "array" else {}
    total = evidence.item_counts.get(job.key, 0)
    counts = Counter(item.state for item in items.values())
    alive = [row for row in rows if row.state in _ALIVE]
    if job.kind == "array":
        final = _array_state(total, counts)
    else:
        final = _single_state(files.get(GANG if job.kind == "hetjob" else "0", ()))
    state, reason = _settle(job, final, rows, alive, files, evidence.ledger)
    return JobStatus(
        key=job.key,
        kind=job.kind,
        entry=job.entry,
        job_id=job_id,
        state=state,
        slurm=dict(sorted(_slurm_states(rows).items())),
        reason=reason,
        nodes=tuple(sorted({row.nodelist for row in alive if row.nodelist})),
        restarts=_restarts(files),
        items_total=total,
        items_done=counts["done"],
        items_failed=counts["failed"],
        items_running=counts["running"] if alive else 0,
        parts=tuple(_part(name, files.get(name, ()), bool(alive)) for name in job.components),
    )


def job_items(
    files: Mapping[str, Sequence[Mapping[str, Any]]],
) -> dict[int, ItemState]:
    """The items of an array job from the files of its tasks."""
    found: dict[int, ItemState] = {}
    for name in sorted(files, key=lambda text: (len(text), text)):
        found.update(item_states(files[name]))
    return found


def shown_items(
    job: JobStatus, files: Mapping[str, Sequence[Mapping[str, Any]]]
) -> list[ItemState]:
    """The items of a job, by number. What began and has no end runs only while the job does."""
    items = sorted(job_items(files).values(), key=lambda item: item.item)
    if job.state in (State.RUNNING, State.PENDING):
        return items
    return [replace(i, state="unknown") if i.state == "running" else i for i in items]


def _array_state(total: int, counts: Counter[str]) -> State | None:
    """The end of an array job, None while items are left."""
    if counts["done"] + counts["failed"] < total:
        return None
    return State.FAILED if counts["failed"] else State.DONE


def _single_state(events: Sequence[Mapping[str, Any]]) -> State | None:
    """The end of a gang or a prefetch: its last attempt's last word."""
    ends = [event for event in events if event["event"] == Event.END]
    begins = [event for event in events if event["event"] == Event.ATTEMPT]
    if not ends or len(ends) < len(begins) or ends[-1]["exit"] == 75:
        return None
    return State.DONE if ends[-1]["exit"] == 0 else State.FAILED


def _settle(
    job: JobSummary,
    final: State | None,
    rows: Sequence[QueuedJob],
    alive: Sequence[QueuedJob],
    files: Mapping[str, Sequence[Mapping[str, Any]]],
    ledger: LedgerState,
) -> tuple[State, str]:
    told = _last_reason(files)
    if final is State.DONE:
        return final, ""
    if final is State.FAILED and not alive:
        return final, told  # also if somebody has cancelled it since
    if job.key in ledger.cancelled:
        return State.CANCELLED, "by cfslurm cancel"
    if job.key not in ledger.jobs:
        return State.SUBMITTING, "sbatch has not been asked" if job.key not in ledger.unsure else ""
    if any(row.state in _ACTIVE for row in alive):
        return State.RUNNING, ""
    if alive:
        return State.PENDING, alive[0].reason
    ended = sorted({row.state for row in rows})
    if "CANCELLED" in ended:
        return State.CANCELLED, "by Slurm or scancel"
    if ended:
        return State.FAILED, told or f"Slurm says {', '.join(ended)}"
    return State.UNKNOWN, told or "Slurm does not know the job any more, and it left no word"


def _slurm_states(rows: Iterable[QueuedJob]) -> Counter[str]:
    """States over array tasks."""
    counts: Counter[str] = Counter()
    for row in rows:
        counts[row.state] += row.tasks
    return counts


def _restarts(files: Mapping[str, Sequence[Mapping[str, Any]]]) -> int:
    attempts = [
        sum(event["event"] == Event.ATTEMPT for event in events) for events in files.values()
    ]
    return max(attempts, default=1) - 1 if attempts else 0


def _last_reason(files: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    reasons = [
        (float(event["at"]), str(event["reason"]))
        for events in files.values()
        for event in events
        if event.get("reason") and event["event"] in (Event.FAILED, Event.END)
    ]
    return max(reasons)[1] if reasons else ""


def _part(name: str, events: Sequence[Mapping[str, Any]], is_alive: bool) -> PartStatus:
    begins = [event for event in events if event["event"] == Event.ATTEMPT]
    last = begins[-1] if begins else {}
    states = item_states(events)
    state = states[0].state if 0 in states else "waiting"
    if not is_alive and begins:  # a service is told to end when the work is done
        state = {"running": "unknown", "waiting": "ended"}.get(state, state)
    return PartStatus(
        name=name,
        state=state,
        node=str(last.get("node", "")),
        node_class=str(last.get("class", "")),
        variant=str(last.get("variant", "")),
        attempt=int(last.get("attempt", 0)),
    )
