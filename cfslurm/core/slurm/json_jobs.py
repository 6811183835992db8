"""Running jobs from ``squeue --json``, which every version since 21.08 has."""

from __future__ import annotations

from cfslurm.core.slurm.command import Command, Completed
from cfslurm.core.slurm.json_values import JsonRecord, json_records
from cfslurm.core.slurm.records import RunningJob
from cfslurm.core.slurm.running import HOLDING, by_end, held_gpus

# Flags that stand beside a base state, and that squeue's text prints instead of it.
_SHOWN_FIRST = ("COMPLETING", "CONFIGURING", "SIGNALING", "STAGE_OUT", "STOPPED")


def running_command() -> Command:
    """All jobs: 22.05 ignores every filter of squeue with --json."""
    return Command(argv=("squeue", "--json"), timeout_s=60.0)


def read_running(done: Completed) -> tuple[RunningJob, ...]:
    """The jobs that hold nodes; the one that ends first comes first.

    Raises:
        SlurmUnavailableError: slurmctld did not answer.
        SlurmOutputError: no JSON, or a record lacks what it must have.
    """
    return by_end(
        _job(record, state)
        for record in json_records(done, "jobs")
        if (state := _state(record)) in HOLDING
    )


def _state(record: JsonRecord) -> str:
    words = record.words("job_state")
    return next((word for word in _SHOWN_FIRST if word in words), words[0] if words else "")


def _job(record: JsonRecord, state: str) -> RunningJob:
    return RunningJob(
        job_id=_job_id(record),
        user=record.text("user_name"),
        account=record.text("account"),
        partition=record.text("partition"),
        qos=record.text("qos"),
        reservation=record.text("resv_name"),
        state=state,
        node_names=record.names("nodes"),
        cpus=record.integer("cpus") or 0,
        gpus=held_gpus(
            record.tres("tres_alloc_str"),
            {per: record.text(f"tres_per_{per}") for per in ("job", "node", "task", "socket")},
            nodes=record.integer("node_count") or 1,
            tasks=record.integer("tasks") or 1,
        ),
        end_time=record.moment("end_time"),
    )


def _job_id(record: JsonRecord) -> str:
    """As squeue prints it: ``12``, ``12_3`` for an array's task, ``12+1`` for a het job's component."""
    task, array = record.integer("array_task_id"), record.integer("array_job_id")
    if array and task is not None:
        return f"{array}_{task}"
    leader = record.integer("het_job_id")
    if leader:
        return f"{leader}+{record.integer('het_job_offset') or 0}"
    return str(record.count("job_id"))
