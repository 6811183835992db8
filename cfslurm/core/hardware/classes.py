"""Node classes: nodes that are equal for a plan."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from cfslurm.core.documents import STRICT
from cfslurm.core.hardware.gpus import GpuFacts
from cfslurm.core.hardware.graph import HardwareGraph, Node


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeClass:
    """Equal nodes: same GPUs, CPUs, memory, features and partitions.

    ``name`` tells GPU key and count, or the CPU count. Classes that share it add CPUs and memory
    (``t4-x1.64c-250G``), and those that share even that a digest of all that makes them differ
    (``t4-x1.64c-250G.9be2``). So it depends on no node's name or state and on no class of another kind.
    ``free_gpus`` lists, for each node that takes jobs, how many GPUs are free now.
    """

    __pydantic_config__ = STRICT

    name: str
    gpu_type: str
    gpu_count: int
    facts: GpuFacts | None
    cpus: int
    real_memory_mib: int
    features: tuple[str, ...]
    partitions: tuple[str, ...]
    node_names: tuple[str, ...]
    free_gpus: tuple[int, ...]
    free_cpus: tuple[int, ...]


def node_classes(graph: HardwareGraph) -> tuple[NodeClass, ...]:
    """Group the nodes of a graph, sorted by class name.

    A node with GPUs of several types is in the class of its most frequent type: a job that asks
    for that type gets it. Nodes that take no jobs belong to a class but bring it no capacity.
    """
    groups: dict[tuple[object, ...], list[Node]] = {}
    for node in graph.nodes:
        groups.setdefault(_likeness(node), []).append(node)
    names = _names({likeness: members[0] for likeness, members in groups.items()})
    classes = [_node_class(members, names[likeness]) for likeness, members in groups.items()]
    return tuple(sorted(classes, key=lambda node_class: node_class.name))


def _names(kinds: Mapping[tuple[object, ...], Node]) -> dict[tuple[object, ...], str]:
    """The shortest name of each kind of node that no other kind has."""
    ways = [
        {likeness: _stem(node) for likeness, node in kinds.items()},
        {likeness: f"{_stem(node)}.{_size(node)}" for likeness, node in kinds.items()},
        {likeness: f"{_stem(n)}.{_size(n)}.{_digest(likeness)}" for likeness, n in kinds.items()},
    ]
    counts = [Counter(way.values()) for way in ways]
    return {
        likeness: next(
            (
                way[likeness]
                for way, count in zip(ways, counts, strict=True)
                if count[way[likeness]] == 1
            ),
            f"{ways[-1][likeness]}-{_digest(likeness, 64)}",
        )
        for likeness in kinds
    }


def _size(node: Node) -> str:
    return f"{node.cpus}c-{round(node.real_memory_mib / 1024)}G"


def _digest(likeness: tuple[object, ...], length: int = 4) -> str:
    return hashlib.sha256(repr(likeness).encode()).hexdigest()[:length]


def _likeness(node: Node) -> tuple[object, ...]:
    return (
        tuple((gpus.gpu_type, gpus.count, gpus.facts.key) for gpus in node.gpus),
        node.cpus,
        node.real_memory_mib,
        tuple(sorted(node.features)),
        node.partitions,
    )


def _stem(node: Node) -> str:
    if not node.gpus:
        return f"cpu-{node.cpus}"
    main = max(node.gpus, key=lambda gpus: (gpus.count, gpus.gpu_type))
    return f"{main.facts.key}-x{main.count}"


def _node_class(members: list[Node], name: str) -> NodeClass:
    first = members[0]
    main = max(first.gpus, key=lambda gpus: (gpus.count, gpus.gpu_type)) if first.gpus else None
    open_nodes = [node for node in members if node.takes_jobs]
    free = []
    for node in open_nodes:
        sets = [gpus for gpus in node.gpus if main and gpus.gpu_type == main.gpu_type]
        free.append(sum(gpus.count - gpus.used for gpus in sets))
    return NodeClass(
        name=name,
        gpu_type=main.gpu_type if main else "",
        gpu_count=main.count if main else 0,
        facts=main.facts if main else None,
        cpus=first.cpus,
        real_memory_mib=first.real_memory_mib,
        features=tuple(sorted(first.features)),
        partitions=first.partitions,
        node_names=tuple(node.name for node in members),
        free_gpus=tuple(free),
        free_cpus=tuple(node.cpus_usable - node.cpus_used for node in open_nodes),
    )


def class_of_nodes(classes: tuple[NodeClass, ...]) -> dict[str, str]:
    """Node name → class name."""
    return {node: node_class.name for node_class in classes for node in node_class.node_names}
