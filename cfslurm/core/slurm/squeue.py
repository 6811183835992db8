"""squeue: the jobs that slurmctld still has in memory."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from cfslurm.core.slurm.answers import checked, integer
from cfslurm.core.slurm.command import Command, Completed
from cfslurm.core.slurm.units import slurm_time_s
from cfslurm.errors import SlurmOutputError

# %i job id as people see it (12, 12_3, 12_[4-9], 12+1) · %A number of the record · %T state ·
# %r reason · %M time used · %l time limit · %S start (expected) · %V submitted · %P partition ·
# %N nodes · %k comment · %j name. The name comes last and the comment next to it: both are free
# text, and "|" is legal in them, so everything else is split off from the left first.
_FORMAT = "%i|%A|%T|%r|%M|%l|%S|%V|%P|%N|%k|%j"
_COLUMNS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedJob:
    """A row of squeue.

    Shape: ``job_id`` is ``12``, ``12_3`` (array task), ``12_[4-9]`` (the rest of an array that
        waits) or ``12+1`` (component of a het job); ``record_id`` is Slurm's own number.
    Units: ``start_time`` and ``submit_time`` are seconds since the epoch, None where unknown.
    """

    job_id: str
    record_id: int
    state: str
    reason: str
    used_s: int
    time_limit_s: int | None
    start_time: int | None
    submit_time: int | None
    partition: str
    nodelist: str
    comment: str
    name: str

    @property
    def parent_id(self) -> str:
        """The id that sbatch printed: array or het leader."""
        return self.job_id.split("_", 1)[0].split("+", 1)[0]

    @property
    def tasks(self) -> int:
        """How many array tasks the row stands for: six for ``12_[4-9%2]``, one for a job."""
        if "[" not in self.job_id:
            return 1
        inside = self.job_id[self.job_id.index("[") + 1 : self.job_id.rindex("]")].split("%")[0]
        count = 0
        for item in inside.split(","):
            bounds, _, step = item.partition(":")
            first, _, last = bounds.partition("-")
            count += (int(last or first) - int(first)) // int(step or 1) + 1
        return count


def user_jobs_command(user: str) -> Command:
    """Every job of one user, one row per array task that runs."""
    return Command(argv=("squeue", "--noheader", f"--user={user}", f"--format={_FORMAT}"))


def named_jobs_command(names: Collection[str], *, user: str) -> Command:
    """The jobs with some names, in every state that slurmctld remembers, finished ones too."""
    return Command(
        argv=(
            "squeue",
            "--noheader",
            "--states=all",
            f"--user={user}",
            f"--name={','.join(sorted(names))}",
            f"--format={_FORMAT}",
        )
    )


def some_jobs_command(job_ids: Collection[str]) -> Command:
    """Some jobs by id, in every state that slurmctld remembers.

    squeue refuses a list that holds one unknown id only if it holds no other: an unknown id has no row.
    """
    return Command(
        argv=(
            "squeue",
            "--noheader",
            "--states=all",
            f"--jobs={','.join(sorted(job_ids))}",
            f"--format={_FORMAT}",
        )
    )


def read_jobs(done: Completed) -> tuple[QueuedJob, ...]:
    """Read the answer to one of the commands above.

    "Invalid job id specified" is an answer, not an error: slurmctld has none of these jobs (any more).

    Raises:
        SlurmUnavailableError: slurmctld did not answer.
        SlurmOutputError: a row has too few columns.
    """
    if done.returncode != 0 and "Invalid job id" in done.stderr:
        return ()
    rows: list[str] = []
    for line in checked(done).splitlines():
        # A job's name may hold a line break; it is the last column, so the rest belongs to it.
        if rows and line.count("|") < _COLUMNS - 1:
            rows[-1] += "\n" + line
        elif line.strip():
            rows.append(line)
    return tuple(_row(row) for row in rows)


def _row(line: str) -> QueuedJob:
    columns = line.split("|", _COLUMNS - 1)
    if len(columns) != _COLUMNS:
        raise SlurmOutputError(
            f"squeue row has {len(columns)} columns, expected {_COLUMNS}: {line[:160]!r}",
            remedy="Report this row and the output of `squeue --version`.",
        )
    (
        job_id,
        record,
        state,
        reason,
        used,
        limit,
        start,
        submitted,
        partition,
        nodes,
        comment,
        name,
    ) = columns
    return QueuedJob(
        job_id=job_id,
        record_id=integer(record, what="a job's number"),
        state=state,
        reason=reason,
        used_s=_used_s(used),
        time_limit_s=slurm_time_s(limit),
        start_time=_moment(start),
        submit_time=_moment(submitted),
        partition=partition,
        nodelist=nodes,
        comment="" if comment == "(null)" else comment,
        name=name,
    )


def _used_s(text: str) -> int:
    if text == "INVALID":  # printed for a job whose start lies ahead of this host's clock
        return 0
    return slurm_time_s(text) or 0


def _moment(text: str) -> int | None:
    """With SLURM_TIME_FORMAT=%s a time is a number; ``N/A`` and 0 mean unknown."""
    return int(text) if text.isdigit() and text != "0" else None
