"""A cluster, a switch or a node, prepared for drawing: what every renderer shows, decided once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from cfslurm.core.hardware.class_probes import class_probes
from cfslurm.core.hardware.classes import class_of_nodes, node_classes
from cfslurm.core.hardware.gpus import Source
from cfslurm.core.hardware.graph import GpuSet, HardwareGraph, Node
from cfslurm.core.report.gpu_links import Links, links_of, links_text
from cfslurm.core.report.topology_model import Cell, Group, Mark, NodeBox, NodeMark, View
from cfslurm.core.workflow.names import nearest
from cfslurm.errors import UserInputError

# A node has 16 GPUs, cut up 112 instances; gres.conf takes 1024 files. More is a mistake or an attack.
_MOST_CELLS = 1024


def view(
    graph: HardwareGraph,
    *,
    only: str = "",
    fits: Mapping[str, Sequence[str]] | None = None,
) -> View:
    """Prepare a cluster, or one node, switch or block; ``fits`` are sentences about models by class.

    Raises:
        UserInputError: there is nothing of that name.
    """
    boxes = _boxes(graph, fits or {})
    groups = _groups(graph, boxes)
    if only:
        groups = _selected(only, groups, boxes)
    return View(
        cluster=graph.controller.cluster or "cluster",
        selected=only,
        age=f"as of {graph.harvested_at}",
        groups=groups,
        warnings=graph.warnings,
        has_fits=fits is not None,
    )


def _boxes(graph: HardwareGraph, fits: Mapping[str, Sequence[str]]) -> dict[str, NodeBox]:
    probes = class_probes(graph.nodes)
    told = {probe.node: links_of(probe) for probe in {p.node: p for p in probes.values()}.values()}
    links = {name: told[probe.node] for name, probe in probes.items()}
    classes = class_of_nodes(node_classes(graph))
    return {
        node.name: _box(node, links.get(node.name), classes.get(node.name, ""), fits)
        for node in graph.nodes
    }


def _box(
    node: Node, links: Links | None, node_class: str, fits: Mapping[str, Sequence[str]]
) -> NodeBox:
    what = ", ".join(_set_text(gpus) for gpus in node.gpus) or "no GPUs"
    is_drawn = node.gpu_count <= _MOST_CELLS
    return NodeBox(
        name=node.name,
        mark=_mark(node),
        state="+".join((node.state, *node.state_flags)),
        what=what if is_drawn else f"{what} (too many to draw)",
        reason=_reason(node),
        cells=tuple(_cells(node)) if is_drawn else (),
        cpus=f"{node.cpus - node.cpus_used} of {node.cpus} CPUs free",
        node_class=node_class,
        links=links,
        links_text=links_text(node, links),
        fits=tuple(fits.get(node_class, ())),
    )


def _reason(node: Node) -> str:
    """Why a node takes no jobs, as far as somebody said it."""
    if node.takes_jobs:
        return ""
    reserved = f"reserved: {', '.join(node.reservations)}" if node.reservations else ""
    return "; ".join(text for text in (node.reason, reserved) if text)


def _set_text(gpus: GpuSet) -> str:
    unsure = "?" if gpus.facts.source in (Source.AMBIGUOUS, Source.UNKNOWN) else ""
    return f"{gpus.count} x {gpus.gpu_type or gpus.facts.key}{_memory(gpus)}{unsure}"


def _memory(gpus: GpuSet) -> str:
    """What the driver reports, in whole GiB."""
    mib = gpus.facts.memory_mib
    if not mib:
        return ""
    return f" {round(mib / 1024)} GiB" if mib >= 1024 else f" {mib} MiB"


def _mark(node: Node) -> NodeMark:
    if not node.takes_jobs:
        return NodeMark.CLOSED
    used = node.gpu_count - node.gpus_free if node.gpus else node.cpus_used
    whole = node.gpu_count if node.gpus else node.cpus
    if not used:
        return NodeMark.FREE
    return NodeMark.FULL if used >= whole else NodeMark.PART


def _cells(node: Node) -> Iterator[Cell]:
    """Used GPUs where Slurm says which they are; else the first ones stand for them.

    Slurm counts over all types of a node in the order of its own files, which it does not tell.
    """
    first = 0
    for gpus in node.gpus:
        whole = gpus.used - gpus.shared
        numbered = len(node.gpus) == 1 and len(gpus.used_indices) == whole
        taken = set(gpus.used_indices) if numbered else set(range(first, first + whole))
        shared = gpus.shared
        for number in range(first, first + gpus.count):
            mark = Mark.FREE
            if not node.takes_jobs:
                mark = Mark.CLOSED
            elif number in taken:
                mark = Mark.USED
            elif shared:
                mark, shared = Mark.SHARED, shared - 1
            name = gpus.gpu_type or gpus.facts.key
            yield Cell(number=number, mark=mark, gpu_type=name, is_numbered=numbered)
        first += gpus.count


def _groups(graph: HardwareGraph, boxes: Mapping[str, NodeBox]) -> tuple[Group, ...]:
    """Switches as a tree, or blocks; nodes that are below none come last."""
    switches = {switch.name: switch for switch in graph.switches}
    below = {name for switch in graph.switches for name in switch.switches}

    def group(name: str) -> Group:
        switch = switches[name]
        inner = tuple(group(child) for child in switch.switches if child in switches)
        own = () if inner else tuple(boxes[n] for n in switch.node_names if n in boxes)
        return Group(name=name, kind="switch", groups=inner, nodes=own)

    found = [group(name) for name in switches if name not in below]
    found += [
        Group(
            name=block.name,
            kind="block",
            nodes=tuple(boxes[name] for name in block.node_names if name in boxes),
        )
        for block in graph.blocks
        if not block.blocks
    ]
    placed = {node.name for one in found for node in one.every()}
    loose = tuple(box for name, box in boxes.items() if name not in placed)
    if loose:
        found.append(Group(name="", kind="cluster", nodes=loose))
    return tuple(found)


def _selected(
    only: str, groups: Sequence[Group], boxes: Mapping[str, NodeBox]
) -> tuple[Group, ...]:
    if only in boxes:
        return (Group(name="", kind="node", nodes=(boxes[only],)),)
    named = {group.name: group for group in _every_group(groups) if group.name}
    if only in named:
        return (named[only],)
    near = nearest(only, (*boxes, *named))
    raise UserInputError(
        f"there is no node, switch or block {only[:80]!r}",
        remedy=f"Did you mean {near}?" if near else "`cfslurm topo` without a name shows them all.",
    )


def _every_group(groups: Sequence[Group]) -> Iterator[Group]:
    for group in groups:
        yield group
        yield from _every_group(group.groups)


def folded(nodes: Sequence[NodeBox]) -> tuple[tuple[NodeBox, tuple[str, ...]], ...]:
    """Nodes that look alike together: the first one, and the names of all. In the order of the first."""
    alike: dict[NodeBox, list[NodeBox]] = {}
    for node in nodes:
        key = replace(node, name="", links=None, cells=tuple(
            replace(cell, number=0) for cell in sorted(node.cells, key=lambda c: c.mark)
        ))  # fmt: skip
        alike.setdefault(key, []).append(node)
    return tuple((members[0], tuple(n.name for n in members)) for members in alike.values())
