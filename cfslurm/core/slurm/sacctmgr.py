"""sacctmgr: the limits of accounts and QOS, where the site keeps them in slurmdbd."""

from __future__ import annotations

from cfslurm.core.slurm.command import Command, Completed
from cfslurm.core.slurm.fields import Record, rows
from cfslurm.core.slurm.records import Association, Qos, Tres
from cfslurm.core.slurm.tres import read_tres

TIMEOUT_S = 15.0  # limits are told, not needed: nobody waits long for a slurmdbd that hangs
_QOS_COLUMNS = (
    "Name", "Priority", "Flags", "Preempt", "PreemptMode", "GraceTime", "MaxWall", "MaxTRES",
    "MaxTRESPU", "MaxTRESPA", "MaxTRESMins", "MaxJobsPU", "MaxJobsPA", "MaxSubmitPU", "MaxSubmitPA",
    "GrpTRES", "GrpTRESMins", "GrpJobs", "GrpSubmit", "GrpWall",
)  # fmt: skip
_ASSOCIATION_COLUMNS = (
    "Account", "ParentName", "User", "Partition", "QOS", "DefaultQOS", "MaxWall", "MaxTRES",
    "MaxJobs", "MaxSubmit", "GrpTRES", "GrpTRESMins", "GrpJobs", "GrpSubmit", "GrpWall",
)  # fmt: skip


def qos_command() -> Command:
    """All QOS with their limits."""
    return _show("qos", f"format={','.join(_QOS_COLUMNS)}")


def associations_command(user: str, cluster: str) -> Command:
    """The associations of one user on one cluster: slurmdbd may know other clusters too.

    An empty ``user`` asks for the accounts themselves, whose limits hold for all their users.
    """
    columns = f"format={','.join(_ASSOCIATION_COLUMNS)}"
    return _show("associations", f"cluster={cluster}", f"user={user}", columns)


def _show(*words: str) -> Command:
    return Command(
        argv=("sacctmgr", "--noheader", "--parsable2", "show", *words), timeout_s=TIMEOUT_S
    )


def read_qos(done: Completed) -> tuple[Qos, ...]:
    """Read the answer to `qos_command`, sorted by name.

    Raises:
        SlurmUnavailableError: slurmdbd did not answer.
        SlurmOutputError: a row cannot be read.
    """
    found = [_qos(row) for row in rows(done, _QOS_COLUMNS)]
    return tuple(sorted(found, key=lambda one: one.name))


def _qos(row: Record) -> Qos:
    mode = row.text("PreemptMode").upper()
    return Qos(
        name=row.need("Name"),
        priority=row.number_or("Priority", 0),
        flags=tuple(sorted(row.words("Flags"))),
        preempts=tuple(sorted(row.words("Preempt"))),
        preempt_mode="" if mode == "CLUSTER" else mode,
        grace_time_s=row.time_limit("GraceTime") or 0,
        max_wall_s=row.time_limit("MaxWall"),
        max_tres_per_job=_tres(row, "MaxTRES"),
        max_tres_per_user=_tres(row, "MaxTRESPU"),
        max_tres_per_account=_tres(row, "MaxTRESPA"),
        max_tres_minutes_per_job=_tres(row, "MaxTRESMins"),
        max_jobs_per_user=row.limit("MaxJobsPU"),
        max_jobs_per_account=row.limit("MaxJobsPA"),
        max_submit_per_user=row.limit("MaxSubmitPU"),
        max_submit_per_account=row.limit("MaxSubmitPA"),
        group_tres=_tres(row, "GrpTRES"),
        group_tres_minutes=_tres(row, "GrpTRESMins"),
        group_jobs=row.limit("GrpJobs"),
        group_submit=row.limit("GrpSubmit"),
        group_wall_s=row.time_limit("GrpWall"),
    )


def read_associations(done: Completed) -> tuple[Association, ...]:
    """Read the answer to `associations_command`, sorted by account.

    Raises:
        SlurmUnavailableError: slurmdbd did not answer.
        SlurmOutputError: a row cannot be read.
    """
    found = [_association(row) for row in rows(done, _ASSOCIATION_COLUMNS)]
    return tuple(sorted(found, key=lambda one: (one.account, one.user, one.partition)))


def _association(row: Record) -> Association:
    return Association(
        account=row.need("Account"),
        parent=row.text("ParentName"),
        user=row.text("User"),
        partition=row.text("Partition"),
        qos=tuple(sorted(row.words("QOS"))),
        default_qos=row.text("DefaultQOS"),
        max_wall_s=row.time_limit("MaxWall"),
        max_tres_per_job=_tres(row, "MaxTRES"),
        max_jobs=row.limit("MaxJobs"),
        max_submit=row.limit("MaxSubmit"),
        group_tres=_tres(row, "GrpTRES"),
        group_tres_minutes=_tres(row, "GrpTRESMins"),
        group_jobs=row.limit("GrpJobs"),
        group_submit=row.limit("GrpSubmit"),
        group_wall_s=row.time_limit("GrpWall"),
    )


def accounts_above(
    own: tuple[Association, ...], accounts: tuple[Association, ...]
) -> tuple[Association, ...]:
    """The accounts that a user's associations belong to, and those above them up to the root."""
    by_name = {one.account: one for one in accounts}
    wanted: dict[str, Association] = {}
    for association in own:
        name = association.account
        while name in by_name and name not in wanted:
            wanted[name] = by_name[name]
            name = by_name[name].parent
    return tuple(wanted[name] for name in sorted(wanted))


def _tres(row: Record, key: str) -> Tres:
    return row.read(key, read_tres, row.text(key))
