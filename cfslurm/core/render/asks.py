"""How Slurm finds the nodes of some classes and no others: GRES, constraint, exclusion."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from cfslurm.core.hardware.classes import NodeClass
from cfslurm.core.hardware.graph import HardwareGraph, Node
from cfslurm.core.slurm.hostlist import fold


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """Slurm's texts for a set of nodes; empty where nothing needs to be said."""

    gres: str
    constraint: str
    exclude: str


def select(
    classes: Sequence[NodeClass], *, partitions: Collection[str], gpus: int, graph: HardwareGraph
) -> Selector:
    """Name the nodes of some classes, in some partitions, for a job with so many GPUs.

    One GPU type is asked for by GRES type; several by untyped GRES and an OR of features
    (``a100|rtx4090``), so that one array runs on all of them. Where features cannot tell the nodes
    apart, the others are excluded by name.
    """
    wanted = {name for node_class in classes for name in node_class.node_names}
    gpu_types = {node_class.gpu_type for node_class in classes}
    gpu_type = next(iter(gpu_types)) if len(gpu_types) == 1 else ""
    gres = f"gpu:{gpu_type}:{gpus}" if gpu_type else f"gpu:{gpus}"
    reachable = [
        node
        for node in graph.nodes
        if set(node.partitions) & set(partitions) and _gpus_of_type(node, gpu_type) >= gpus
    ]
    others = [node for node in reachable if node.name not in wanted]
    constraint = _telling_features(
        [node for node in reachable if node.name in wanted], others
    ) if others else ""  # fmt: skip
    return Selector(
        gres=gres if gpus else "",
        constraint=constraint,
        exclude=fold(node.name for node in others) if others and not constraint else "",
    )


def _gpus_of_type(node: Node, gpu_type: str) -> int:
    return sum(gpus.count for gpus in node.gpus if gpu_type in ("", gpus.gpu_type))


def _telling_features(wanted: Sequence[Node], others: Sequence[Node]) -> str:
    """The fewest features (greedily) that every wanted node and no other node has one of."""
    foreign = {feature for node in others for feature in node.features}
    covers: dict[str, set[str]] = {}
    for node in wanted:
        for feature in node.features:
            if feature not in foreign:
                covers.setdefault(feature, set()).add(node.name)
    missing = {node.name for node in wanted}
    chosen: list[str] = []
    while missing:
        best = max(sorted(covers), key=lambda f: len(covers[f] & missing), default="")
        if not best or not covers[best] & missing:
            return ""
        chosen.append(best)
        missing -= covers[best]
    return "|".join(sorted(chosen))


def has_one_gpu_type(node_class: NodeClass, graph: HardwareGraph) -> bool:
    """False if nodes of the class carry GPUs of several types, which only a typed GRES tells apart."""
    names = set(node_class.node_names)
    return all(len(node.gpus) <= 1 for node in graph.nodes if node.name in names)
