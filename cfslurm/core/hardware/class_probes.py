"""Which node's answer holds for which node: one probe stands for all that Slurm describes alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cfslurm.core.hardware.graph import Node
from cfslurm.core.hardware.probe import NodeProbe


def class_probes(nodes: Sequence[Node]) -> Mapping[str, NodeProbe]:
    """Node name → its own answer, or that of the first node like it (`NodeProbe.node` says whose).

    Links and cores near GPUs are wired by the maker of the node, so equal nodes have them alike.
    """
    told: dict[tuple[object, ...], NodeProbe] = {}
    for node in nodes:
        if node.probe is not None:
            told.setdefault(likeness(node), node.probe)
    return {
        node.name: probe
        for node in nodes
        if (probe := node.probe or told.get(likeness(node))) is not None
    }


def likeness(node: Node) -> tuple[object, ...]:
    """What Slurm says of a node's kind: nodes that have this in common are taken to be built alike."""
    return (
        tuple((gpus.gpu_type, gpus.count, gpus.sockets) for gpus in node.gpus),
        (node.cpus, node.sockets, node.cores_per_socket, node.real_memory_mib),
        tuple(sorted(node.available_features)),
    )
