"""Nodes as pyslurm has them, in both generations of its interface.

Neither has states and GRES as Slurm prints them, so these come from one call of sinfo. Measured with
pyslurm 22.5.3 on Slurm 22.05: ``node().get()`` (up to 24.11) calls an idle node with a reservation
RESERVED and an idle one in a maintenance window MAINT. ``Nodes.load()`` (all that 25.5 and later have)
called a MIXED node ALLOCATED, said ``allocated_gres == {}`` of a node with two GPUs in use (later
versions take it from AllocTRES, which lacks what is not tracked), and drops sockets and indices.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cfslurm.core.documents import Json
from cfslurm.core.slurm.command import Command, Completed
from cfslurm.core.slurm.fields import rows
from cfslurm.core.slurm.json_values import JsonRecord, json_records
from cfslurm.core.slurm.node_states import read_state
from cfslurm.core.slurm.records import NodeRecord
from cfslurm.core.slurm.scontrol_nodes import readable_gres, unread_states

_GRES_COLUMNS = ("NodeList", "StateComplete", "Gres", "GresUsed")

# What the newer interface calls a field, and the older one where it calls it otherwise.
_OLDER = {
    "address": "node_addr",
    "active_features": "features_active",
    "available_features": "features",
    "total_cpus": "cpus",
    "allocated_cpus": "alloc_cpus",
    "threads_per_core": "threads",
    "allocated_memory": "alloc_mem",
    "temporary_disk": "tmp_disk",
    "slurm_version": "version",
}
_NEWER = {name: name for name in _OLDER}


@dataclass(frozen=True, slots=True, kw_only=True)
class GresRow:
    """State and GRES of a node as sinfo prints them."""

    state: str
    gres: str
    gres_used: str


def nodes_command(python: str) -> Command:
    """Ask pyslurm, in a process of its own: importing it may end the process."""
    return Command(argv=(python, "-m", "cfslurm.adapters.pyslurm_child"), timeout_s=60.0)


def gres_command() -> Command:
    """State and GRES of all nodes, a row for each partition of each node."""
    columns = ",".join(f"{name}:0|" for name in _GRES_COLUMNS)
    return Command(argv=("sinfo", "--noheader", "--Node", f"--Format={columns}"))


def read_gres_rows(done: Completed) -> dict[str, GresRow]:
    """Read the answer to `gres_command`, by node.

    Raises:
        SlurmUnavailableError: slurmctld did not answer.
        SlurmOutputError: a row has other columns.
    """
    return {
        row.need("NodeList"): GresRow(
            state=row.need("StateComplete"), gres=row.need("Gres"), gres_used=row.need("GresUsed")
        )
        for row in rows(done, (*_GRES_COLUMNS, ""))
    }


def read_answer(done: Completed) -> tuple[JsonRecord, ...]:
    """Read the answer to `nodes_command`.

    Raises:
        SlurmRejectedError: pyslurm is not there, or ended the process.
        SlurmOutputError: the answer is none of ours.
    """
    return tuple(json_records(done, "nodes"))


def read_nodes(
    nodes: tuple[JsonRecord, ...], gres: Mapping[str, GresRow]
) -> tuple[NodeRecord, ...]:
    """The records of nodes of either generation, with what sinfo says of their state and GRES.

    Raises:
        SlurmOutputError: a node lacks what every version has, or sinfo does not know it.
    """
    return tuple(_node(node, gres.get(node.need("name"))) for node in nodes)


def _node(node: JsonRecord, row: GresRow | None) -> NodeRecord:
    if row is None:
        raise node.unreadable("name", "a node that sinfo shows")
    state, flags, strange = read_state(row.state.split("+"))
    unread = unread_states(strange)
    keys = _OLDER if "alloc_cpus" in node.fields else _NEWER
    cpus = node.count(keys["total_cpus"])
    reserved = (node.integer("core_spec_cnt") or 0) * (node.integer(keys["threads_per_core"]) or 1)
    reason = node.text("reason")
    return NodeRecord(
        name=node.need("name"),
        address=node.text(keys["address"]) or node.need("name"),
        state=state,
        state_flags=flags,
        reason=reason,
        reason_user=node.text("reason_user") if reason else "",
        reason_time=node.moment("reason_time") if reason else None,
        features=node.words(keys["active_features"]),
        available_features=node.words(keys["available_features"]),
        gres=readable_gres(row.gres, "Gres", unread),
        gres_used=readable_gres(row.gres_used, "GresUsed", unread),
        alloc_tres=_tres(node.at("allocated_tres")),
        cpus=cpus,
        cpus_usable=node.integer("effective_cpus") or cpus - reserved,
        cpus_allocated=node.count(keys["allocated_cpus"]),
        sockets=node.count("sockets"),
        cores_per_socket=node.integer("cores_per_socket") or 1,
        threads_per_core=node.integer(keys["threads_per_core"]) or 1,
        real_memory_mib=node.count("real_memory"),
        memory_allocated_mib=node.integer(keys["allocated_memory"]) or 0,
        tmp_disk_mib=node.integer(keys["temporary_disk"]) or 0,
        partitions=node.words("partitions"),
        weight=node.integer("weight") or 0,
        boot_time=node.moment("boot_time"),
        slurm_version=node.text(keys["slurm_version"]),
        unread=tuple(unread),
    )


def _tres(value: Json) -> dict[str, int]:
    """``{"gres/gpu": "2"}``: amounts that are whole numbers; others are of no use here."""
    if not isinstance(value, dict):
        return {}
    amounts = {name: str(amount) for name, amount in value.items()}
    return {name: int(amount) for name, amount in amounts.items() if amount.isdigit()}
