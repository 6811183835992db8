"""sacctmgr: the limits of accounts and QOS, where the site keeps them in slurmdbd."""

from __future__ import annotations

from dataclasses import dataclass

from cfslurm.core.slurm.answers import checked
from cfslurm.core.slurm.command import Command, Completed
from cfslurm.core.slurm.units import slurm_time_s
from cfslurm.errors import SlurmOutputError

_QOS_FIELDS = ("Name", "MaxWall", "MaxTRESPU", "MaxJobsPU", "MaxSubmitPU", "GrpTRES", "Preempt")
_ASSOC_FIELDS = ("Account", "Partition", "QOS", "DefaultQOS", "MaxWall", "MaxJobs", "MaxSubmit")


@dataclass(frozen=True, slots=True, kw_only=True)
class QosRecord:
    """A quality of service; None and "" mean no limit."""

    name: str
    max_wall_s: int | None
    max_tres_per_user: str
    max_jobs_per_user: int | None
    max_submit_per_user: int | None
    group_tres: str
    preempts: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AssociationRecord:
    """One account (and partition) that the user may charge."""

    account: str
    partition: str
    qos: tuple[str, ...]
    default_qos: str
    max_wall_s: int | None
    max_jobs: int | None
    max_submit: int | None


def qos_command() -> Command:
    """All QOS with their limits."""
    return Command(
        argv=(
            "sacctmgr", "--noheader", "--parsable2", "show", "qos",
            f"format={','.join(_QOS_FIELDS)}",
        )
    )  # fmt: skip


def read_qos(done: Completed) -> tuple[QosRecord, ...]:
    """Read the answer to `qos_command`, sorted by name.

    Raises:
        SlurmUnavailableError: slurmdbd did not answer.
    """
    rows = (_columns(line, len(_QOS_FIELDS)) for line in checked(done).splitlines())
    return tuple(
        QosRecord(
            name=name,
            max_wall_s=_time(wall),
            max_tres_per_user=tres,
            max_jobs_per_user=_count(jobs),
            max_submit_per_user=_count(submit),
            group_tres=group,
            preempts=_list(preempt),
        )
        for name, wall, tres, jobs, submit, group, preempt in sorted(rows)
    )


def associations_command(user: str) -> Command:
    """The associations of one user on this cluster."""
    return Command(
        argv=(
            "sacctmgr", "--noheader", "--parsable2", "show", "associations", f"user={user}",
            f"format={','.join(_ASSOC_FIELDS)}",
        )
    )  # fmt: skip


def read_associations(done: Completed) -> tuple[AssociationRecord, ...]:
    """Read the answer to `associations_command`, sorted by account.

    Raises:
        SlurmUnavailableError: slurmdbd did not answer.
    """
    rows = (_columns(line, len(_ASSOC_FIELDS)) for line in checked(done).splitlines())
    return tuple(
        AssociationRecord(
            account=account,
            partition=partition,
            qos=_list(qos),
            default_qos=default,
            max_wall_s=_time(wall),
            max_jobs=_count(jobs),
            max_submit=_count(submit),
        )
        for account, partition, qos, default, wall, jobs, submit in sorted(rows)
    )


def _columns(line: str, count: int) -> list[str]:
    columns = line.split("|")
    if len(columns) != count:
        raise SlurmOutputError(
            f"sacctmgr row has {len(columns)} columns, expected {count}: {line[:160]!r}",
            remedy="Report this row and the output of `sacctmgr --version`.",
        )
    return columns


def _list(text: str) -> tuple[str, ...]:
    return tuple(sorted(word for word in text.split(",") if word))


def _time(text: str) -> int | None:
    return slurm_time_s(text) if text else None


def _count(text: str) -> int | None:
    return int(text) if text else None
