from __future__ import annotations

from typing import Any

import pytest

from cfslurm.core.run.description import RunDescription
from cfslurm.core.run.jobs import JobSummary
from cfslurm.core.run.ledger import Told, event, fold
from cfslurm.core.run.status import Evidence, RunStatus, State, run_status, shown_items
from cfslurm.core.slurm.squeue import QueuedJob

DESCRIPTION = RunDescription(
    run_id="lab-1", workflow="lab", digest="", source="", user="ada", cluster="c", created_at="2026-11-21T00:00:00Z",
    cfslurm="0.1.0", items=4, jobs=1,
)  # fmt: skip
ARRAY = JobSummary(
    key="eval",
    kind="array",
    entry="eval",
    name="lab-1.eval",
    classes=("c",),
    components=(),
    tasks=4,
)
GANG = JobSummary(
    key="agents",
    kind="hetjob",
    entry="agents",
    name="lab-1.agents",
    classes=("c",),
    components=("a", "b"),
    tasks=1,
)

SUBMITTED = [
    (Told.INTENDED, {"key": "eval"}),
    (Told.SUBMITTED, {"key": "eval", "job_id": "12"}),
    (Told.RELEASED, {}),
]


def _row(job_id: str, state: str, reason: str = "None", nodes: str = "") -> QueuedJob:
    return QueuedJob(
        job_id=job_id, record_id=1, state=state, reason=reason, used_s=0, time_limit_s=60, start_time=None,
        submit_time=None, partition="gpu", nodelist=nodes, comment="", name="",
    )  # fmt: skip


def _status(
    job: JobSummary = ARRAY,
    *,
    rows: list[QueuedJob] | None = None,
    outcomes: dict[str, list[dict[str, Any]]] | None = None,
    ledger: list[tuple[Told, dict[str, Any]]] | None = None,
) -> RunStatus:
    told = SUBMITTED if ledger is None else ledger
    events = [
        event(kind, at=float(i), client="x", **fields) for i, (kind, fields) in enumerate(told)
    ]
    if job is GANG:
        events = [{**item, "key": "agents"} if "key" in item else item for item in events]
    return run_status(
        Evidence(
            description=DESCRIPTION,
            jobs=[job],
            ledger=fold(events),
            queued=rows or [],
            outcomes={job.key: outcomes or {}},
            item_counts={job.key: 4 if job.kind == "array" else 0},
        )
    )


def _done(*items: int) -> list[dict[str, Any]]:
    return [
        {"event": "attempt", "at": 0, "node": "n1"},
        *({"event": "done", "at": 1, "item": i} for i in items),
    ]


def test_finished_work_is_done_although_slurm_has_forgotten_it() -> None:
    status = _status(outcomes={"0": _done(0, 1), "1": _done(2, 3)})
    assert (status.state, status.items_done) == (State.DONE, 4)


def test_job_that_nobody_speaks_of_is_unknown_and_not_done() -> None:
    status = _status(outcomes={"0": _done(0, 1)})
    assert (status.state, status.jobs[0].state) == (State.UNKNOWN, State.UNKNOWN)


@pytest.mark.parametrize(
    ("rows", "state"),
    [
        ([_row("12_[0-3]", "PENDING", "Priority")], State.PENDING),
        ([_row("12_[1-3]", "PENDING"), _row("12_0", "RUNNING", nodes="n1")], State.RUNNING),
        ([_row("12_0", "COMPLETING")], State.RUNNING),
        ([_row("12_0", "CANCELLED"), _row("12_1", "COMPLETED")], State.CANCELLED),
        ([_row("12_0", "TIMEOUT")], State.FAILED),
        ([_row("12_0", "NODE_FAIL"), _row("12_1", "PENDING")], State.PENDING),
    ],
)
def test_slurm_says_what_waits_and_runs(rows: list[QueuedJob], state: State) -> None:
    assert _status(rows=rows).state is state


def test_pending_rest_of_an_array_is_counted() -> None:
    status = _status(rows=[_row("12_[0-1,3%2]", "PENDING"), _row("12_2", "RUNNING")])
    assert status.jobs[0].slurm == {"PENDING": 3, "RUNNING": 1}


def test_failed_item_fails_the_run_and_the_reason_is_kept() -> None:
    failed = {"event": "failed", "at": 2, "item": 3, "exit": 7, "reason": "exit 7"}
    status = _status(outcomes={"0": [*_done(0, 1, 2), failed]})
    assert (status.state, status.items_failed, status.jobs[0].reason) == (State.FAILED, 1, "exit 7")


def test_cancelled_by_us() -> None:
    status = _status(ledger=[*SUBMITTED, (Told.CANCELLED, {"keys": ["eval"]})])
    assert status.state is State.CANCELLED


def test_what_had_failed_before_is_not_cancelled_afterwards() -> None:
    ended = [
        *_done(0, 1, 2),
        {"event": "failed", "at": 3.0, "item": 3, "exit": 3, "reason": "exit 3"},
    ]
    status = _status(
        outcomes={"0": ended}, ledger=[*SUBMITTED, (Told.CANCELLED, {"keys": ["eval"]})]
    )
    assert (status.state, status.jobs[0].reason) == (State.FAILED, "exit 3")


@pytest.mark.parametrize(
    ("rows", "state"), [([], "unknown"), ([_row("12_0", "RUNNING")], "running")]
)
def test_item_without_an_end_runs_only_while_its_job_does(
    rows: list[QueuedJob], state: str
) -> None:
    files = {"0": [{"event": "attempt", "at": 1.0}, {"event": "start", "at": 1.0, "item": 0}]}
    [job] = _status(rows=rows, outcomes=files).jobs
    assert [item.state for item in shown_items(job, files)] == [state]


def test_submission_that_was_cut_off() -> None:
    status = _status(ledger=SUBMITTED[:1])
    assert (status.state, status.jobs[0].state) == (State.SUBMITTING, State.SUBMITTING)


def test_submission_that_slurm_refused() -> None:
    status = _status(
        ledger=[*SUBMITTED[:2], (Told.REFUSED, {"key": "x", "message": "no"}), (Told.UNDONE, {})]
    )
    assert status.state is State.UNDONE


@pytest.mark.parametrize(
    ("ends", "state"),
    [
        ([0], State.DONE),
        ([1], State.FAILED),
        ([75, 0], State.DONE),
        ([75], State.UNKNOWN),
        ([75, 69], State.FAILED),
    ],
)
def test_gang_is_what_its_last_attempt_says(ends: list[int], state: State) -> None:
    events = [
        item
        for i, code in enumerate(ends)
        for item in ({"event": "attempt", "at": i}, {"event": "end", "at": i, "exit": code})
    ]
    assert _status(GANG, outcomes={"_gang": events}).state is state


def test_gang_whose_newest_attempt_has_not_ended_is_not_over() -> None:
    events = [
        {"event": "attempt", "at": 0},
        {"event": "end", "at": 1, "exit": 0},
        {"event": "attempt", "at": 2},
    ]
    status = _status(GANG, outcomes={"_gang": events}, rows=[_row("12+0", "RUNNING")])
    assert status.state is State.RUNNING


def test_service_that_was_told_to_end_does_not_wait_for_ever() -> None:
    told = [
        {"event": "attempt", "at": 1.0, "attempt": 0},
        {"event": "interrupted", "at": 2.0, "item": 0},
    ]
    gone, alive = (
        _status(GANG, outcomes={"a": told}, rows=rows).jobs[0].parts
        for rows in ([], [_row("12+0", "PENDING")])
    )
    assert [[part.state for part in parts] for parts in (gone, alive)] == [
        ["ended", "waiting"],
        ["waiting", "waiting"],
    ]


def test_component_shows_where_it_is_and_in_which_attempt() -> None:
    events = [
        {"event": "attempt", "at": 0, "attempt": 0, "node": "n1", "class": "c", "variant": "v"},
        {"event": "start", "at": 0, "item": 0},
        {"event": "interrupted", "at": 1, "item": 0},
        {"event": "attempt", "at": 2, "attempt": 1, "node": "n2", "class": "d", "variant": "w"},
        {"event": "start", "at": 3, "item": 0},
    ]
    status = _status(GANG, outcomes={"a": events}, rows=[_row("12+0", "RUNNING")])
    first, second = status.jobs[0].parts
    assert (first.state, first.node, first.node_class, first.variant, first.attempt) == (
        "running",
        "n2",
        "d",
        "w",
        1,
    )
    assert (second.state, second.attempt) == ("waiting", 0)
    assert status.jobs[0].restarts == 1
