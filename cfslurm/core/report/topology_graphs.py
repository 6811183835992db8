"""The cluster for programs that lay graphs out themselves: DOT for Graphviz, and Mermaid.

Mermaid draws at most 500 edges and 50,000 letters (its defaults), so in a large cluster nodes that look
alike share a box in both. Source: https://mermaid.js.org/config/schema-docs/config.html
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cfslurm.core.report.escapes import dot, mermaid
from cfslurm.core.report.gpu_links import Links
from cfslurm.core.report.topology_model import Group, NodeBox, NodeMark, View
from cfslurm.core.report.topology_text import SIGNS
from cfslurm.core.report.topology_view import folded
from cfslurm.core.slurm.hostlist import fold

_MOST_BOXES = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class _Box:
    """A box with lines of text; ``kind`` is ``switch``, ``gpu``, ``hub`` or the name of a node's mark."""

    key: str
    lines: tuple[str, ...]
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Edge:
    a: str
    b: str
    label: str = ""


def topology_dot(view: View) -> str:
    """For ``dot -Tsvg``. Closed nodes are dashed, full ones are filled."""
    boxes, edges = _parts(view)
    styles = {
        "switch": "shape=box, style=rounded",
        "hub": "shape=box, style=rounded",
        NodeMark.CLOSED.name: "shape=box, style=dashed",
        NodeMark.FULL.name: 'shape=box, style=filled, fillcolor="#e69f00"',
        NodeMark.PART.name: 'shape=box, style=filled, fillcolor="#fbe6bd"',
    }
    lines = [
        "graph cluster_topology {",
        f'  label="{dot(view.title)}\\n{dot(view.summary)}\\n{dot(view.age)}";',
        '  labelloc=t; rankdir=LR; fontname="sans-serif";',
        '  node [shape=box, fontname="sans-serif", fontsize=11];',
        '  edge [fontname="sans-serif", fontsize=10];',
    ]
    for box in boxes:
        label = "\\n".join(dot(line) for line in box.lines)
        style = styles.get(box.kind)
        lines.append(f'  {box.key} [label="{label}"{f", {style}" if style else ""}];')
    for edge in edges:
        label = f' [label="{dot(edge.label)}"]' if edge.label else ""
        lines.append(f"  {edge.a} -- {edge.b}{label};")
    return "\n".join([*lines, "}\n"])


def topology_mermaid(view: View) -> str:
    """For Markdown pages that draw Mermaid. Closed nodes are dashed, full ones are filled."""
    boxes, edges = _parts(view)
    lines = [
        f"%% {mermaid(view.title)} - {mermaid(view.summary)} - {mermaid(view.age)}",
        "flowchart LR",
    ]
    for box in boxes:
        label = "<br>".join(mermaid(line) for line in box.lines)
        shape = f'("{label}")' if box.kind in ("switch", "hub") else f'["{label}"]'
        lines.append(f"  {box.key}{shape}")
    for edge in edges:
        label = f'|"{mermaid(edge.label)}"|' if edge.label else ""
        lines.append(f"  {edge.a} ---{label} {edge.b}")
    for kind, style in (
        (NodeMark.CLOSED, "stroke-dasharray:5 5"),
        (NodeMark.FULL, "fill:#e69f00,stroke:#7a5200,color:#1b1f24"),
        (NodeMark.PART, "fill:#fbe6bd,stroke:#7a5200,color:#1b1f24"),
    ):
        members = [box.key for box in boxes if box.kind == kind.name]
        if members:
            word = kind.name.lower()
            lines += [f"  classDef {word} {style}", f"  class {','.join(members)} {word}"]
    return "\n".join(lines) + "\n"


def _parts(view: View) -> tuple[list[_Box], list[_Edge]]:
    nodes = view.nodes
    if len(nodes) == 1 and view.selected == nodes[0].name:
        return _node_parts(nodes[0])
    boxes: list[_Box] = []
    edges: list[_Edge] = []
    _add_groups(view.groups, "", boxes, edges, folds=len(nodes) > _MOST_BOXES)
    return boxes, edges


def _add_groups(
    groups: Sequence[Group], above: str, boxes: list[_Box], edges: list[_Edge], *, folds: bool
) -> None:
    for group in groups:
        key = above
        if group.name:
            key = f"g{len(boxes)}"
            boxes.append(
                _Box(key=key, lines=(f"{group.kind} {group.name}", group.summary), kind="switch")
            )
            if above:
                edges.append(_Edge(a=above, b=key))
        _add_groups(group.groups, key, boxes, edges, folds=folds)
        rows = folded(group.nodes) if folds else [(node, (node.name,)) for node in group.nodes]
        for node, names in rows:
            boxes.append(_Box(key=f"n{len(boxes)}", lines=_lines(node, names), kind=node.mark.name))
            if key:
                edges.append(_Edge(a=key, b=boxes[-1].key))


def _lines(node: NodeBox, names: Sequence[str]) -> tuple[str, ...]:
    signs = "".join(SIGNS[cell.mark] for cell in node.cells)
    each = f"{len(names)} nodes, each " if len(names) > 1 else ""
    state = f"{node.mark}: {node.reason}" if node.reason else str(node.mark)
    found = [fold(names), f"{each}{node.what}", signs, state, node.links_short]
    found += node.fits
    return tuple(line for line in found if line)


def _node_parts(node: NodeBox) -> tuple[list[_Box], list[_Edge]]:
    """The GPUs of one node, with an edge for each pair that NVLinks or near PCIe bridges join."""
    links = node.links if node.links and len(node.links.indices) == len(node.cells) else None
    numbers = links.indices if links else tuple(cell.number for cell in node.cells)
    boxes = [_Box(key="this", lines=_lines(node, (node.name,)), kind=node.mark.name)]
    boxes += [
        _Box(
            key=f"gpu{number}",
            lines=(f"GPU{number}", f"{SIGNS[cell.mark]} {cell.mark}"),
            kind="gpu",
        )
        for number, cell in zip(numbers, node.cells, strict=True)
    ]
    if links is None:
        return boxes, [_Edge(a="this", b=box.key) for box in boxes[1:]]
    if links.has_switch:
        boxes.append(_Box(key="hub", lines=("NVSwitch",), kind="hub"))
        return boxes, [_Edge(a="hub", b=f"gpu{n}", label=_of(links, n)) for n in numbers]
    return boxes, list(_pairs(links))


def _pairs(links: Links) -> Iterator[_Edge]:
    for pair in links.pairs:
        if pair.nvlinks or pair.label in ("PIX", "PXB"):
            yield _Edge(a=f"gpu{pair.a}", b=f"gpu{pair.b}", label=pair.label)


def _of(links: Links, index: int) -> str:
    found = {pair.label for pair in links.pairs if index in (pair.a, pair.b)}
    return ", ".join(sorted(found))
