"""The cluster as an SVG picture: switches as panels, nodes as cards, GPUs as cells."""

from __future__ import annotations

from collections.abc import Sequence

from cfslurm.core.report.escapes import xml
from cfslurm.core.report.node_svg import node_picture
from cfslurm.core.report.svg_parts import Block, cells, document, legend, rect, text
from cfslurm.core.report.topology_model import Group, NodeBox, NodeMark, View

_WIDTH = 1200.0
_WIDE = 1600.0  # with tiles
_MARGIN = 20.0
_PAD = 12.0
_GAP = 10.0
_MOST_CARDS = 60  # above it nodes become tiles: name, state and GPUs
_CARD = 270.0
_TILE = 104.0


def topology_svg(view: View) -> str:
    """The picture of a view; of a single node it shows the links in large."""
    nodes = view.nodes
    if len(nodes) == 1 and view.selected == nodes[0].name:
        return node_picture(view, nodes[0])
    is_large = len(nodes) > _MOST_CARDS
    width = _WIDE if is_large else _WIDTH
    head = _head(view, width)
    lines = list(head.lines)
    y = head.height
    for group in view.groups:
        block = _group(group, _MARGIN, y, width - 2 * _MARGIN, is_large)
        lines += block.lines
        y += block.height + _GAP
    for note in footnotes(view):
        lines.append(text(_MARGIN, y + 14, note, size=11, kind="soft", width=width - 2 * _MARGIN))
        y += 16
    return document(
        lines, width=width, height=y + _MARGIN, title=f"Cluster {view.title}",
        text=f"{view.summary}. {view.age}.",
    )  # fmt: skip


def footnotes(view: View) -> tuple[str, ...]:
    """What a reader must know to trust the picture."""
    nodes = view.nodes
    notes = []
    if any(not c.is_numbered and c.mark.value == "used" for n in nodes for c in n.cells):
        notes.append(
            "Which of a node's GPUs are used is not known everywhere: the first are drawn."
        )
    return (*notes, *view.warnings)


def _head(view: View, width: float) -> Block:
    lines = (
        text(_MARGIN, 36, view.title, size=22, bold=True, width=width - 2 * _MARGIN),
        text(
            _MARGIN,
            58,
            f"{view.summary} · {view.age}",
            size=13,
            kind="soft",
            width=width - 2 * _MARGIN,
        ),
        *legend(_MARGIN, 84),
    )
    return Block(lines=lines, height=102)


def _group(group: Group, x: float, y: float, width: float, is_large: bool) -> Block:
    """A panel with what is below a switch; nodes without one have none around them."""
    lines: list[str] = []
    top = y
    if group.name:
        lines.append(text(x + _PAD, y + 21, f"{group.kind} {group.name}", size=13, bold=True,
                          width=width / 2))  # fmt: skip
        lines.append(
            text(x + width - _PAD, y + 21, group.summary, size=12, kind="soft", anchor="end")
        )
        y += 32
    inner_x, inner = (x + _PAD, width - 2 * _PAD) if group.name else (x, width)
    for below in group.groups:
        block = _group(below, inner_x, y, inner, is_large)
        lines += block.lines
        y += block.height + _GAP
    block = _grid(group.nodes, inner_x, y, inner, is_large)
    lines += block.lines
    y += block.height
    if not group.name:
        return Block(lines=tuple(lines), height=y - top)
    height = y - top + _PAD - (_GAP if group.groups else 0)
    return Block(lines=(rect(x, top, width, height, "panel"), *lines), height=height)


def _grid(nodes: Sequence[NodeBox], x: float, y: float, width: float, is_large: bool) -> Block:
    least, draw = (_TILE, _tile) if is_large else (_CARD, _card)
    gap = 6.0 if is_large else _GAP
    columns = max(1, int((width + gap) // (least + gap)))
    each = (width + gap) / columns - gap
    lines: list[str] = []
    top = y
    for start in range(0, len(nodes), columns):
        row = nodes[start : start + columns]
        blocks = [draw(node, x + at * (each + gap), y, each) for at, node in enumerate(row)]
        height = max(block.height for block in blocks)
        for at, (node, block) in enumerate(zip(row, blocks, strict=True)):
            kind = "shut" if node.mark is NodeMark.CLOSED else "card"
            frame = rect(x + at * (each + gap), y, each, height, kind)
            label = xml(node.title)
            lines += [f'<g role="img" aria-label="{label}"><title>{label}</title>', frame]
            lines += [*block.lines, "</g>"]
        y += height + gap
    return Block(lines=tuple(lines), height=max(0.0, y - top - gap))


def _card(node: NodeBox, x: float, y: float, width: float) -> Block:
    inner = width - 2 * _PAD
    lines = [
        text(x + _PAD, y + 20, node.name, size=13, bold=True, width=inner * 0.62),
        text(x + width - _PAD, y + 20, node.mark, size=11, kind="soft", anchor="end"),
    ]
    row = y + 30
    if node.cells:
        side = 15.0
        drawn = cells(x + _PAD, row, inner, side, node.cells)
        lines += drawn.lines
        row += drawn.height + 2
    words = [node.what, *([node.links_short] if node.links_short else [])]
    if not node.cells:
        words.append(node.cpus)
    if node.mark is NodeMark.CLOSED:
        words.append(f"{node.state}: {node.reason}" if node.reason else node.state)
    words += node.fits[:3]
    if len(node.fits) > 3:
        words.append(f"… and {len(node.fits) - 3} more")
    for at, line in enumerate(words):
        kind = "soft" if at else "ink"
        lines.append(text(x + _PAD, row + 12, line, size=11, kind=kind, width=inner))
        row += 15
    return Block(lines=tuple(lines), height=row - y + 7)


def _tile(node: NodeBox, x: float, y: float, width: float) -> Block:
    pad = 6.0
    short = {NodeMark.FREE: "", NodeMark.PART: "", NodeMark.FULL: "full", NodeMark.CLOSED: "closed"}
    word = short[node.mark] or ("" if node.cells else node.mark)
    lines = [text(x + pad, y + 13, node.name, size=10, bold=True, width=width * 0.62)]
    if word:
        lines.append(text(x + width - pad, y + 13, word, size=9, kind="soft", anchor="end"))
    height = 20.0
    if node.cells:
        drawn = cells(x + pad, y + 19, width - 2 * pad, 8.5, node.cells)
        lines += drawn.lines
        height += drawn.height + 2
    return Block(lines=tuple(lines), height=height)
