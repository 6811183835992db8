"""Where the prefetch job goes and how long it may take."""

from __future__ import annotations

from cfslurm.core.hardware.graph import HardwareGraph, Partition
from cfslurm.core.render.submission import Ask
from cfslurm.errors import UserInputError

# A slow but steady line; a prefetch that runs out of time goes on where it stopped.
_SLOWEST_BYTES_PER_S = 20e6
_LEAST_S = 600


def prefetch_ask(graph: HardwareGraph, *, partition: str, total_bytes: int) -> Ask:
    """Two CPUs in a partition, without any GPU; "" chooses the one with the most CPU-only nodes.

    Raises:
        UserInputError: there is no such partition, or none that is up.
    """
    chosen = _choose(graph) if not partition else _named(graph, partition)
    wanted = max(_LEAST_S, int(total_bytes / _SLOWEST_BYTES_PER_S))
    limit = chosen.max_time_s
    return Ask(
        partitions=(chosen.name,),
        gres="",
        constraint="",
        exclude="",
        cpus=2,
        mem_mib=2048,
        time_limit_s=wanted if limit is None else min(wanted, limit),
    )


def _named(graph: HardwareGraph, name: str) -> Partition:
    for partition in graph.partitions:
        if partition.name == name:
            return partition
    raise UserInputError(
        f"network.prefetch_on names partition {name!r}, which this cluster does not have",
        remedy="Name one of those that `cfslurm info` shows, or write login.",
    )


def _choose(graph: HardwareGraph) -> Partition:
    cpu_only = {node.name for node in graph.nodes if not node.gpus and node.takes_jobs}
    usable = [partition for partition in graph.partitions if partition.is_up]
    if not usable:
        raise UserInputError(
            "no partition of this cluster is up", remedy="Ask whoever runs it: `sinfo` shows why."
        )

    def rank(partition: Partition) -> tuple[float, bool, str]:
        share = len(cpu_only & set(partition.node_names)) / max(1, len(partition.node_names))
        return (-share, partition.is_preemptible, partition.name)

    return min(usable, key=rank)
