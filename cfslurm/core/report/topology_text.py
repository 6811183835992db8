"""The cluster in a terminal: a tree of switches, nodes and GPUs, and the matrix of a node's links."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cfslurm.core.report.escapes import visible
from cfslurm.core.report.gpu_links import Links
from cfslurm.core.report.tables import columns, table
from cfslurm.core.report.topology_model import Group, Mark, NodeBox, NodeMark, View
from cfslurm.core.report.topology_view import folded
from cfslurm.core.slurm.hostlist import fold

SIGNS = {Mark.FREE: "□", Mark.USED: "■", Mark.SHARED: "◪", Mark.CLOSED: "☒"}
_MOST_LINES = 60  # above it nodes that look alike share a line
_MOST_MATRICES = 4


def topology_text(view: View) -> str:
    """The tree, and for the classes whose links are known their matrices."""
    nodes = view.nodes
    lines = [f"{visible(view.title)}   {visible(view.summary)}", _legend(view), ""]
    lines += _rows(view, folds=len(nodes) > _MOST_LINES)
    shown = view.link_classes[:_MOST_MATRICES]
    for node in shown:
        if node.links is not None:
            lines += ["", *_matrix(node, node.links)]
    if len(view.link_classes) > len(shown):
        lines += ["", "More matrices: name a node."]
    lines += ["", *(f"? {visible(warning)}" for warning in view.warnings)] if view.warnings else []
    return "\n".join(lines)


def _legend(view: View) -> str:
    marks = {cell.mark for node in view.nodes for cell in node.cells}
    return "   ".join(f"{SIGNS[mark]} {mark}" for mark in Mark if mark in marks)


def _rows(view: View, *, folds: bool) -> list[str]:
    """Branches left, columns right, so that the columns stand below each other."""
    found = [
        (visible(name), [visible(word) for word in row])
        for name, row in _branches(view.groups, "", folds=folds)
    ]
    left = max((columns(name) for name, _ in found), default=0)
    full = [row for _, row in found if len(row) > 1]
    widths = [max(columns(row[at]) for row in full) for at in range(3)] if full else [0, 0, 0]
    lines = []
    for name, row in found:
        cells = [_padded(word, width) for word, width in zip(row, widths, strict=False)]
        cells = row if len(row) == 1 else [*cells, *row[3:]]
        lines.append("  ".join([_padded(name, left), *cells]).rstrip())
    return lines


def _padded(word: str, width: int) -> str:
    return word + " " * (width - columns(word))


def _branches(
    groups: Sequence[Group], indent: str, *, folds: bool
) -> Iterator[tuple[str, list[str]]]:
    for at, group in enumerate(groups):
        is_last = at == len(groups) - 1
        if not group.name:
            yield from _nodes(group.nodes, indent, folds=folds)
            continue
        tip, inner = ("└─ ", "   ") if is_last else ("├─ ", "│  ")
        yield f"{indent}{tip}{group.kind} {group.name}", [group.summary]
        yield from _branches(group.groups, indent + inner, folds=folds)
        yield from _nodes(group.nodes, indent + inner, folds=folds)


def _nodes(
    nodes: Sequence[NodeBox], indent: str, *, folds: bool
) -> Iterator[tuple[str, list[str]]]:
    rows = folded(nodes) if folds else tuple((node, (node.name,)) for node in nodes)
    for at, (node, names) in enumerate(rows):
        tip = "└─" if at == len(rows) - 1 else "├─"
        signs = "".join(SIGNS[cell.mark] for cell in node.cells)
        each = f"{len(names)} nodes, each " if len(names) > 1 else ""
        words = [signs, f"{each}{node.what}", node.mark, *_remarks(node)]
        yield f"{indent}{tip} {fold(names) if len(names) > 1 else names[0]}", words


def _remarks(node: NodeBox) -> Iterator[str]:
    if node.links_text:
        yield node.links_short if node.links is None else f"{node.links_short} (probed)"
    if not node.cells:
        yield node.cpus
    if node.mark is NodeMark.CLOSED:
        yield f"{node.state}: {node.reason}" if node.reason else node.state
    yield from node.fits


def _matrix(node: NodeBox, links: Links) -> list[str]:
    what = f"Links in node class {node.node_class}, as {links.asked} told"
    switch = "; NVLinks pass an NVSwitch" if links.has_switch else ""
    rows = table(links.header, list(links.matrix))
    return [visible(f"{what}{switch}:"), rows, *links.legend]
