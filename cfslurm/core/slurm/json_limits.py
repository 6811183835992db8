"""Limits and fair shares from ``sacctmgr --json`` (23.02 and later) and ``sshare --json`` (23.11)."""

from __future__ import annotations

from cfslurm.core.slurm.command import Command, Completed
from cfslurm.core.slurm.json_values import JsonRecord, json_records
from cfslurm.core.slurm.records import Association, Qos, Share
from cfslurm.core.slurm.sacctmgr import TIMEOUT_S
from cfslurm.core.slurm.sshare import DECIMALS

LIMITS_SINCE = (23, 2)
SHARES_SINCE = (23, 11)
_PARENT = 0x7FFFFFFF  # sshare's "parent". Source: slurmdb.h, SLURMDB_FS_USE_PARENT
# JSON's words for what sacctmgr's text calls otherwise. Source: data_parser of 24.11.
_FLAGS = {
    "DENY_LIMIT": "DenyOnLimit",
    "ENFORCE_USAGE_THRESHOLD": "EnforceUsageThreshold",
    "NO_DECAY": "NoDecay",
    "NO_RESERVE": "NoReserve",
    "OVERRIDE_PARTITION_QOS": "OverPartQOS",
    "PARTITION_MAXIMUM_NODE": "PartitionMaxNodes",
    "PARTITION_MINIMUM_NODE": "PartitionMinNodes",
    "PARTITION_QOS": "PartitionQOS",
    "PARTITION_TIME_LIMIT": "PartitionTimeLimit",
    "RELATIVE": "Relative",
    "REQUIRED_RESERVATION": "RequiresReservation",
    "USAGE_FACTOR_SAFE": "UsageFactorSafe",
}


def qos_command() -> Command:
    """All QOS with their limits."""
    return Command(argv=("sacctmgr", "show", "qos", "--json"), timeout_s=TIMEOUT_S)


def read_qos(done: Completed) -> tuple[Qos, ...]:
    """Read the answer to `qos_command`, sorted by name.

    Raises:
        SlurmUnavailableError: slurmdbd did not answer.
        SlurmOutputError: no JSON, or a record cannot be read.
    """
    found = [_qos(record) for record in json_records(done, "qos")]
    return tuple(sorted(found, key=lambda one: one.name))


def _qos(record: JsonRecord) -> Qos:
    mode = ",".join(record.words("preempt/mode"))
    return Qos(
        name=record.need("name"),
        priority=record.integer("priority") or 0,
        flags=tuple(sorted(_FLAGS.get(flag, flag) for flag in record.words("flags"))),
        preempts=tuple(sorted(record.words("preempt/list"))),
        preempt_mode="" if mode == "DISABLED" else mode,
        grace_time_s=record.integer("limits/grace_time") or 0,
        max_wall_s=_minutes(record, "limits/max/wall_clock/per/job"),
        max_tres_per_job=record.tres("limits/max/tres/per/job"),
        max_tres_per_user=record.tres("limits/max/tres/per/user"),
        max_tres_per_account=record.tres("limits/max/tres/per/account"),
        max_tres_minutes_per_job=record.tres("limits/max/tres/minutes/per/job"),
        max_jobs_per_user=record.integer("limits/max/jobs/active_jobs/per/user"),
        max_jobs_per_account=record.integer("limits/max/jobs/active_jobs/per/account"),
        max_submit_per_user=record.integer("limits/max/jobs/per/user"),
        max_submit_per_account=record.integer("limits/max/jobs/per/account"),
        group_tres=record.tres("limits/max/tres/total"),
        group_tres_minutes=record.tres("limits/max/tres/minutes/total"),
        group_jobs=record.integer("limits/max/active_jobs/count"),
        group_submit=record.integer("limits/max/jobs/count"),
        group_wall_s=_minutes(record, "limits/max/wall_clock/per/qos"),
    )


def associations_command(user: str, cluster: str) -> Command:
    """The associations of one user on one cluster; with an empty user, the accounts themselves."""
    words = ("show", "associations", f"cluster={cluster}", f"user={user}", "--json")
    return Command(argv=("sacctmgr", *words), timeout_s=TIMEOUT_S)


def read_associations(done: Completed) -> tuple[Association, ...]:
    """Read the answer to `associations_command`, sorted by account.

    Raises:
        SlurmUnavailableError: slurmdbd did not answer.
        SlurmOutputError: no JSON, or a record cannot be read.
    """
    found = [_association(record) for record in json_records(done, "associations")]
    return tuple(sorted(found, key=lambda one: (one.account, one.user, one.partition)))


def _association(record: JsonRecord) -> Association:
    return Association(
        account=record.need("account"),
        parent=record.text("parent_account"),
        user=record.text("user"),
        partition=record.text("partition"),
        qos=tuple(sorted(record.words("qos"))),
        default_qos=record.text("default/qos"),
        max_wall_s=_minutes(record, "max/jobs/per/wall_clock"),
        max_tres_per_job=record.tres("max/tres/per/job"),
        max_jobs=record.integer("max/jobs/active"),
        max_submit=record.integer("max/jobs/total"),
        group_tres=record.tres("max/tres/total"),
        group_tres_minutes=record.tres("max/tres/group/minutes"),
        group_jobs=record.integer("max/jobs/per/count"),
        group_submit=record.integer("max/jobs/per/submitted"),
        group_wall_s=_minutes(record, "max/per/account/wall_clock"),
    )


def shares_command(user: str) -> Command:
    """The shares of one user."""
    return Command(argv=("sshare", f"--users={user}", "--json"))


def read_shares(done: Completed, *, user: str) -> tuple[Share, ...]:
    """Read the answer to `shares_command`; records of accounts are left out.

    Raises:
        SlurmUnavailableError: slurmctld did not answer.
        SlurmOutputError: no JSON, or a record cannot be read.
    """
    found = [
        _share(record)
        for record in json_records(done, "shares/shares")
        if "USER" in record.words("type") and record.text("name") == user
    ]
    return tuple(sorted(found, key=lambda one: (one.account, one.partition)))


def _share(record: JsonRecord) -> Share:
    raw = record.integer("shares")
    factor = record.number("fairshare/factor")
    return Share(
        account=record.need("parent"),
        partition=record.text("partition"),
        raw_shares=None if raw == _PARENT else raw,
        effective_usage=round(record.number("effective_usage") or 0.0, DECIMALS),
        factor=None if factor is None else round(factor, DECIMALS),
    )


def _minutes(record: JsonRecord, path: str) -> int | None:
    found = record.integer(path)
    return None if found is None else found * 60
