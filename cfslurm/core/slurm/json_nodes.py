"""Nodes from JSON: ``sinfo --json`` of 22.05, ``scontrol show nodes --json`` of 23.02 and later."""

from __future__ import annotations

from cfslurm.core.slurm.command import Command, Completed
from cfslurm.core.slurm.json_values import JsonRecord, json_records
from cfslurm.core.slurm.node_states import read_state
from cfslurm.core.slurm.records import NodeRecord
from cfslurm.core.slurm.scontrol_nodes import readable_gres, unread_states

_LARGE_S = 60.0  # 5,000 nodes took 1.2 s on an idle machine; measured on 25.11


def nodes_command(version: tuple[int, ...]) -> Command:
    """All nodes in one call; what sinfo prints from 23.02 on is grouped and names no node's use."""
    if version < (23, 2):
        return Command(argv=("sinfo", "--json"), timeout_s=_LARGE_S)
    return Command(argv=("scontrol", "show", "nodes", "--json"), timeout_s=_LARGE_S)


def read_nodes(done: Completed) -> tuple[NodeRecord, ...]:
    """Read the answer to `nodes_command`, in Slurm's order.

    Raises:
        SlurmUnavailableError: slurmctld did not answer.
        SlurmOutputError: no JSON, or a record lacks what every version has.
    """
    return tuple(_node(record) for record in json_records(done, "nodes"))


def _node(record: JsonRecord) -> NodeRecord:
    state, flags, strange = read_state((*record.words("state"), *record.words("state_flags")))
    unread = unread_states(strange)
    gres = readable_gres(record.text("gres"), "Gres", unread)
    used = readable_gres(record.text("gres_used"), "GresUsed", unread)
    reason = record.text("reason")
    cpus, allocated = record.count("cpus"), record.count("alloc_cpus")
    return NodeRecord(
        name=record.need("name"),
        address=record.text("address") or record.need("name"),
        state=state,
        state_flags=flags,
        reason=reason,
        # Without a reason these tell who has put the node up last, which text does not tell.
        reason_user=record.text("reason_set_by_user") if reason else "",
        reason_time=record.moment("reason_changed_at") if reason else None,
        features=record.words("active_features"),
        available_features=record.words("features"),
        gres=gres,
        gres_used=used,
        alloc_tres=record.tres("tres_used"),
        cpus=cpus,
        cpus_usable=_usable(record, cpus, allocated),
        cpus_allocated=allocated,
        sockets=record.count("sockets"),
        cores_per_socket=record.integer("cores") or 1,
        threads_per_core=record.integer("threads") or 1,
        real_memory_mib=record.count("real_memory"),
        memory_allocated_mib=record.integer("alloc_memory") or 0,
        tmp_disk_mib=record.integer("temporary_disk") or 0,
        partitions=record.words("partitions"),
        weight=record.integer("weight") or 0,
        boot_time=record.moment("boot_time"),
        slurm_version=record.text("version") or record.text("slurmd_version"),
        unread=tuple(unread),
    )


def _usable(record: JsonRecord, cpus: int, allocated: int) -> int:
    """22.05 has no ``effective_cpus``; what is idle and what is allocated make them."""
    usable = record.integer("effective_cpus")
    idle = record.integer("idle_cpus")
    return usable or (cpus if idle is None else idle + allocated)
