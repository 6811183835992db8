"""Partitions from JSON, from 26.05 on.

Before it, JSON does not say which partition is the default, nor its preemption mode, nor whether it is
for root only: there `scontrol_partitions` reads the text.
"""

from __future__ import annotations

from cfslurm.core.slurm.command import Command, Completed
from cfslurm.core.slurm.json_values import JsonRecord, json_records
from cfslurm.core.slurm.records import Partition

COMPLETE_SINCE = (26, 5)


def partitions_command() -> Command:
    """All partitions that this user may see."""
    return Command(argv=("scontrol", "show", "partitions", "--json"))


def read_partitions(done: Completed, *, cluster_preempt_mode: str) -> tuple[Partition, ...]:
    """Read the answer to `partitions_command`.

    ``cluster_preempt_mode`` is that of slurm.conf, for partitions that have none of their own.

    Raises:
        SlurmUnavailableError: slurmctld did not answer.
        SlurmOutputError: no JSON, or a record lacks what it must have.
    """
    records = json_records(done, "partitions")
    return tuple(_partition(record, cluster_preempt_mode) for record in records)


def _partition(record: JsonRecord, cluster_preempt_mode: str) -> Partition:
    flags = record.words("flags")
    return Partition(
        name=record.need("name"),
        state=record.words("partition/state")[0] if record.words("partition/state") else "UNKNOWN",
        is_default="DEFAULT" in flags,
        node_names=record.names("nodes/configured"),
        max_time_s=_minutes(record, "maximums/time"),
        default_time_s=_minutes(record, "defaults/time"),
        min_nodes=record.integer("minimums/nodes") or 0,
        max_nodes=record.integer("maximums/nodes"),
        max_cpus_per_node=record.integer("maximums/cpus_per_node"),
        default_memory_per_cpu_mib=record.integer("defaults/partition_memory_per_cpu") or None,
        default_memory_per_node_mib=record.integer("defaults/partition_memory_per_node") or None,
        max_memory_per_cpu_mib=record.integer("maximums/partition_memory_per_cpu") or None,
        max_memory_per_node_mib=record.integer("maximums/partition_memory_per_node") or None,
        oversubscribe=record.text("partition/oversubscribe") or "NO",
        exclusive=record.text("partition/exclusive") or "NO",
        priority_tier=record.count("priority/tier"),
        priority_job_factor=record.count("priority/job_factor"),
        preempt_mode=_preempt_mode(record, cluster_preempt_mode),
        grace_time_s=record.integer("grace_time") or 0,
        qos=record.text("qos/assigned"),
        allow_accounts=_allowed(record, "accounts/allowed"),
        deny_accounts=_allowed(record, "accounts/deny"),
        allow_groups=_allowed(record, "groups/allowed"),
        allow_qos=_allowed(record, "qos/allowed"),
        deny_qos=_allowed(record, "qos/deny"),
        root_only="ROOT_ONLY" in flags,
        needs_reservation=bool({"REQ_RESV", "REQUIRE_RESERVATION"} & set(flags)),
        topology=record.text("topology"),
    )


def _minutes(record: JsonRecord, path: str) -> int | None:
    found = record.integer(path)
    return None if found is None else found * 60


def _allowed(record: JsonRecord, path: str) -> tuple[str, ...]:
    words = record.words(path)
    return () if words == ("ALL",) else tuple(sorted(words))


def _preempt_mode(record: JsonRecord, cluster: str) -> str:
    """In scontrol's words: its text has OFF for DISABLED, and the cluster's mode for CLUSTER_GLOBAL."""
    words = record.words("preempt_mode")
    if not words or "CLUSTER_GLOBAL" in words:
        return cluster or "OFF"
    return ",".join("OFF" if word == "DISABLED" else word for word in words)
