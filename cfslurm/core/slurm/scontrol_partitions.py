"""scontrol show partitions: who may run where, for how long, and on how much."""

from __future__ import annotations

from cfslurm.core.slurm.command import Command, Completed
from cfslurm.core.slurm.fields import Record, allowed, one_line_records
from cfslurm.core.slurm.records import Partition


def partitions_command() -> Command:
    """All partitions that this user may see, one line each."""
    return Command(argv=("scontrol", "-o", "show", "partitions"))


def read_partitions(done: Completed) -> tuple[Partition, ...]:
    """Read the answer to `partitions_command`.

    Raises:
        SlurmUnavailableError: slurmctld did not answer.
        SlurmOutputError: a record lacks a field that every version prints.
    """
    return tuple(_partition(record) for record in one_line_records(done, first_key="PartitionName"))


def _partition(record: Record) -> Partition:
    shared = record.text("OverSubscribe", "NO")
    return Partition(
        name=record.fields["PartitionName"].strip(),
        state=record.need("State"),
        is_default=record.text("Default") == "YES",
        node_names=record.names("Nodes"),
        max_time_s=record.time_limit("MaxTime"),
        default_time_s=record.time_limit("DefaultTime"),
        min_nodes=record.number_or("MinNodes", 0),
        max_nodes=record.limit("MaxNodes"),
        max_cpus_per_node=record.limit("MaxCPUsPerNode"),
        default_memory_per_cpu_mib=record.limit("DefMemPerCPU"),
        default_memory_per_node_mib=record.limit("DefMemPerNode"),
        max_memory_per_cpu_mib=record.limit("MaxMemPerCPU"),
        max_memory_per_node_mib=record.limit("MaxMemPerNode"),
        oversubscribe="NO" if shared == "EXCLUSIVE" else shared,
        exclusive=_exclusive(record, shared),
        priority_tier=record.number_or("PriorityTier", 1),
        priority_job_factor=record.number_or("PriorityJobFactor", 1),
        preempt_mode=record.text("PreemptMode", "OFF"),
        grace_time_s=record.number_or("GraceTime", 0),
        qos=record.text("QoS"),
        allow_accounts=allowed(record.fields.get("AllowAccounts", "ALL")),
        deny_accounts=allowed(record.fields.get("DenyAccounts", "")),
        allow_groups=allowed(record.fields.get("AllowGroups", "ALL")),
        allow_qos=allowed(record.fields.get("AllowQos", "ALL")),
        deny_qos=allowed(record.fields.get("DenyQos", "")),
        root_only=record.text("RootOnly") == "YES",
        needs_reservation=record.text("ReqResv") == "YES",
        topology=record.text("Topology"),
    )


def _exclusive(record: Record, shared: str) -> str:
    """26.05 prints ``Exclusive=NODE`` where it has been ``OverSubscribe=EXCLUSIVE``."""
    if shared == "EXCLUSIVE":
        return "NODE"
    for key, word in (("ExclusiveUser", "USER"), ("ExclusiveTopo", "TOPO")):
        if record.text(key) == "YES":
            return word
    return record.text("Exclusive", "NO")
