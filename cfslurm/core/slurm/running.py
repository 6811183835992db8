"""squeue: which jobs hold nodes and GPUs, and until when at the latest."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from cfslurm.core.slurm.command import Command, Completed
from cfslurm.core.slurm.fields import Record, rows
from cfslurm.core.slurm.records import RunningJob, Tres
from cfslurm.core.slurm.tres import gpus_in_tres, read_tres

# No column holds free text (a job's name may say anything), so that nothing can pose as a column.
# Width 0 is "as wide as it is": no padding, no cut. Measured on 22.05, 24.11 and 26.05.
_COLUMNS = (
    "JobArrayID", "UserName", "Account", "Partition", "QOS", "Reservation", "State", "NodeList",
    "NumCPUs", "NumNodes", "NumTasks", "EndTime", "tres-alloc", "tres-per-job", "tres-per-node",
    "tres-per-task", "tres-per-socket",
)  # fmt: skip
# States in which a job holds its nodes. Source: squeue(1), JOB STATE CODES.
HOLDING = (
    "RUNNING", "COMPLETING", "CONFIGURING", "SIGNALING", "STAGE_OUT", "STOPPED", "SUSPENDED",
)  # fmt: skip
_NEVER = 2**63
_REQUEST = re.compile(
    r"(?:gres[:/])?gpu(?:[:/](?P<type>[^:=,]*[^:=,\d][^:=,]*))?(?:[:=](?P<count>\d+))?"
)


def running_command() -> Command:
    """All jobs that hold nodes, of all users that this user may see."""
    columns = ",".join(f"{name}:0|" for name in _COLUMNS)
    return Command(
        argv=("squeue", "--noheader", f"--states={','.join(HOLDING)}", f"--Format={columns}")
    )


def read_running(done: Completed) -> tuple[RunningJob, ...]:
    """Read the answer to `running_command`; the job that ends first comes first.

    Raises:
        SlurmUnavailableError: slurmctld did not answer.
        SlurmOutputError: a row cannot be read.
    """
    return by_end(_job(row) for row in rows(done, (*_COLUMNS, "")))


def by_end(jobs: Iterable[RunningJob]) -> tuple[RunningJob, ...]:
    """Jobs in the order in which they end; those without an end come last."""
    return tuple(sorted(jobs, key=lambda job: (job.end_time or _NEVER, job.job_id)))


def _job(row: Record) -> RunningJob:
    requests = {key: row.text(f"tres-per-{key}") for key in ("job", "node", "task", "socket")}
    return RunningJob(
        job_id=row.need("JobArrayID"),
        user=row.text("UserName"),
        account=row.text("Account"),
        partition=row.text("Partition"),
        qos=row.text("QOS"),
        reservation=row.text("Reservation"),
        state=row.text("State"),
        node_names=row.names("NodeList"),
        cpus=row.number_or("NumCPUs", 0),
        gpus=held_gpus(
            row.read("tres-alloc", read_tres, row.text("tres-alloc")),
            requests,
            nodes=row.number_or("NumNodes", 1),
            tasks=row.number_or("NumTasks", 1),
        ),
        end_time=row.moment("EndTime"),
    )


def held_gpus(
    allocated: Tres, requests: Mapping[str, str], *, nodes: int, tasks: int
) -> Mapping[str, int] | None:
    """GPUs by type that a job holds on all its nodes; None where Slurm does not say.

    What Slurm has allocated counts, but it lists only what accounting tracks: often no types, on a
    cluster without slurmdbd no GPUs at all. Then the request tells: ``requests`` maps ``job``,
    ``node``, ``task`` and ``socket`` to Slurm's text of what was asked for each of them.

    >>> held_gpus({"gres/gpu": 2}, {"node": "gres:gpu:a100:2"}, nodes=1, tasks=1)
    {'a100': 2}
    """
    typed = gpus_in_tres(allocated)
    total = typed.pop("", 0)
    rest = total - sum(typed.values())
    if total and rest <= 0:
        return typed
    asked: dict[str, int] = {}
    for per, times in (("job", 1), ("node", nodes), ("task", tasks)):
        for gpu_type, count in requested_gpus(requests.get(per, "")).items():
            asked[gpu_type] = asked.get(gpu_type, 0) + count * times
    if not total:
        return None if requested_gpus(requests.get("socket", "")) else asked
    if not typed and sum(asked.values()) == total:
        return asked
    return {**typed, "": rest}


def requested_gpus(text: str) -> dict[str, int]:
    """GPUs by type in a request as squeue prints it; "" is any type.

    >>> requested_gpus("gres:gpu:a100:2"), requested_gpus("cpu=8,gres/gpu:v100=1"), requested_gpus("N/A")
    ({'a100': 2}, {'v100': 1}, {})
    """
    found: dict[str, int] = {}
    for item in text.split(","):
        match = _REQUEST.fullmatch(item.strip())
        if match:
            gpu_type = match["type"] or ""
            found[gpu_type] = found.get(gpu_type, 0) + int(match["count"] or 1)
    return found
