"""Which nodes a probe asks, and how many GPUs it takes from other people meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from cfslurm.core.hardware.classes import class_of_nodes, node_classes
from cfslurm.core.hardware.graph import HardwareGraph, Node, Partition
from cfslurm.errors import UserInputError

_TIME_LIMIT_S = 300  # ten times what it takes: a slow filesystem must start Python first


class GpuAsk(StrEnum):
    """How many of a node's GPUs a probe takes for the half minute that it needs.

    Where Slurm fences devices (``ConstrainDevices`` in cgroup.conf), a job sees the GPUs it holds and no
    other: with fewer than all, the links to the others stay unknown; with none, it sees none.
    """

    FREE = "free"  # all that are free now; where none is, one, and that is waited for
    ALL = "all"  # all of the node: the whole picture, but it may wait long on a busy node
    ONE = "one"  # one: which card it is and what driver, no links
    NONE = "none"  # none: CPUs, memory, disks and network; GPUs only where nothing fences them


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeTarget:
    """A node that is asked: where, with which GRES (empty for none), and with how many of its GPUs.

    ``time_limit_s`` is five minutes, or less where the partition allows less.
    """

    node: str
    node_class: str
    partition: str
    gres: str
    gpus_asked: int
    gpus_total: int
    time_limit_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A node, or a class, that is not asked, and why."""

    name: str
    why: str


Targets = tuple[tuple[ProbeTarget, ...], tuple[LeftOut, ...]]


def one_of_each_class(graph: HardwareGraph, *, ask: GpuAsk, partition: str) -> Targets:
    """The node of each class that answers soonest: the one with the most free GPUs, then CPUs."""
    found: list[ProbeTarget] = []
    left_out: list[LeftOut] = []
    by_name = {node.name: node for node in graph.nodes}
    usable = _usable(graph, partition)
    for one in node_classes(graph):
        members = [by_name[name] for name in one.node_names]
        open_members = [node for node in members if node.takes_jobs and _place(node, usable)]
        if not open_members:
            left_out.append(LeftOut(name=one.name, why=_why_not(members[0], usable)))
            continue
        best = min(open_members, key=lambda node: (-node.gpus_free, node.cpus_used, node.name))
        found.append(_target(best, one.name, ask, usable))
    return tuple(found), tuple(left_out)


def every_node(graph: HardwareGraph, *, ask: GpuAsk, partition: str) -> Targets:
    """All nodes that take jobs."""
    classes = class_of_nodes(node_classes(graph))
    usable = _usable(graph, partition)
    found: list[ProbeTarget] = []
    left_out: list[LeftOut] = []
    for node in graph.nodes:
        if node.takes_jobs and _place(node, usable):
            found.append(_target(node, classes[node.name], ask, usable))
        else:
            left_out.append(LeftOut(name=node.name, why=_why_not(node, usable)))
    return tuple(found), tuple(left_out)


def _usable(graph: HardwareGraph, partition: str) -> tuple[Partition, ...]:
    """The partitions that a probe may go to, the best first: one that keeps what it has begun.

    Raises:
        UserInputError: there is no such partition, or it is not up.
    """
    named = [one for one in graph.partitions if partition in ("", one.name)]
    if partition and not named:
        raise UserInputError(
            f"this cluster has no partition {partition!r}",
            remedy=f"Name one of {', '.join(one.name for one in graph.partitions)}.",
        )
    up = [one for one in named if one.is_up and not one.needs_reservation]
    if partition and not up:
        raise UserInputError(
            f"partition {partition!r} is not up, or takes only jobs with a reservation",
            remedy="Name another one: `cfslurm info` shows them.",
        )
    return tuple(
        sorted(
            up,
            key=lambda one: (one.is_preemptible, not one.is_default, -one.priority_tier, one.name),
        )
    )


def _place(node: Node, usable: Sequence[Partition]) -> Partition | None:
    """The partition through which a node is reached."""
    return next((one for one in usable if one.name in node.partitions), None)


def _why_not(node: Node, usable: Sequence[Partition]) -> str:
    if node.closed_by:
        reason = f": {node.reason}" if node.reason else ""
        return f"{node.name} is {'+'.join(node.closed_by)}{reason}"
    return f"{node.name} is in no partition that a job can be sent to"


def _target(node: Node, node_class: str, ask: GpuAsk, usable: Sequence[Partition]) -> ProbeTarget:
    wanted, place = _wanted(node, ask), _place(node, usable)
    assert place is not None
    longest_s = place.max_time_s
    return ProbeTarget(
        node=node.name,
        node_class=node_class,
        partition=place.name,
        gres=",".join(
            f"gpu:{gpu_type}:{count}" if gpu_type else f"gpu:{count}" for gpu_type, count in wanted
        ),
        gpus_asked=sum(count for _, count in wanted),
        gpus_total=node.gpu_count,
        time_limit_s=_TIME_LIMIT_S if longest_s is None else min(_TIME_LIMIT_S, longest_s),
    )


def _wanted(node: Node, ask: GpuAsk) -> tuple[tuple[str, int], ...]:
    """GPU types and counts to ask for."""
    if ask is GpuAsk.NONE or not node.gpus:
        return ()
    if ask is GpuAsk.ALL:
        return tuple((one.gpu_type, one.count) for one in node.gpus)
    free = tuple((one.gpu_type, one.count - one.used) for one in node.gpus if one.used < one.count)
    if ask is GpuAsk.FREE and free:
        return free
    most = max(node.gpus, key=lambda one: (one.count - one.used, one.count, one.gpu_type))
    return ((most.gpu_type, 1),)
