"""Which partitions a group may use on a node class."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cfslurm.core.hardware.classes import NodeClass
from cfslurm.core.hardware.graph import HardwareGraph, Partition
from cfslurm.core.hardware.limits import longest_job_s
from cfslurm.core.slurm.units import human_seconds
from cfslurm.core.workflow.groups import Group


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionChoice:
    """The partitions to name in ``--partition``, or the reason why there is none.

    ``max_time_s`` is the shortest of their time limits and the user's own, None without a limit.
    """

    names: tuple[str, ...]
    max_time_s: int | None = None
    reason: str = ""


def choose_partitions(
    group: Group, node_class: NodeClass, graph: HardwareGraph, *, account: str | None
) -> PartitionChoice:
    """Pick partitions that reach the class, are up, are open to the user, and last long enough.

    Preemptible work goes to preemptible partitions where there are any; other work never does.
    The default partition comes first, then Slurm's order by name.
    """
    candidates = [graph.partition(name) for name in node_class.partitions]
    refusal = ""
    for wanted, why in _filters(group, account):
        kept = [partition for partition in candidates if wanted(partition)]
        if not kept and candidates:
            refusal = why(candidates)
        candidates = kept
    if not candidates:
        return PartitionChoice(names=(), reason=refusal or "its nodes are in no partition")
    if group.preemptible:
        candidates = [p for p in candidates if p.is_preemptible] or candidates
    candidates.sort(key=lambda partition: (not partition.is_default, partition.name))
    limits = [p.max_time_s for p in candidates if p.max_time_s is not None]
    longest = longest_job_s(graph, account)
    if longest is not None:
        if group.time_s > longest[0] and not group.can_resume:
            reason = (
                f"time {human_seconds(group.time_s)} is over the limit of {longest[1]} "
                f"({human_seconds(longest[0])}); a session would let it go on"
            )
            return PartitionChoice(names=(), reason=reason)
        limits.append(longest[0])
    return PartitionChoice(
        names=tuple(partition.name for partition in candidates),
        max_time_s=min(limits, default=None),
    )


def _filters(
    group: Group, account: str | None
) -> tuple[tuple[Callable[[Partition], bool], Callable[[Sequence[Partition]], str]], ...]:
    """Tests in the order in which they are told: the first that leaves nothing is the reason."""
    return (
        (
            lambda p: not group.partitions or p.name in group.partitions,
            lambda _: f"its nodes are not in {_names(group.partitions)}",
        ),
        (lambda p: p.is_up, lambda left: f"partition {_of(left)} is not up"),
        (
            lambda p: not p.needs_reservation,
            lambda left: f"partition {_of(left)} takes only jobs with a reservation",
        ),
        (
            lambda p: (
                (not p.allow_accounts or (account or "") in p.allow_accounts)
                and (account or "") not in p.deny_accounts
            ),
            lambda left: f"partition {_of(left)} is not open to account {account or '(default)'}",
        ),
        (
            lambda p: group.preemptible or not p.is_preemptible,
            lambda left: (
                f"in partition {_of(left)} jobs can be preempted, and the work is not preemptible"
            ),
        ),
        (
            lambda p: p.max_time_s is None or group.can_resume or group.time_s <= p.max_time_s,
            lambda left: (
                f"time {human_seconds(group.time_s)} is over the limit of partition {_of(left)} "
                f"({human_seconds(max(p.max_time_s or 0 for p in left))}); a session would let it go on"
            ),
        ),
    )


def _of(partitions: Sequence[Partition]) -> str:
    return _names(tuple(partition.name for partition in partitions))


def _names(names: Sequence[str]) -> str:
    return ", ".join(names)
