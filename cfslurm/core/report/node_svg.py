"""One node as an SVG picture: its GPUs, what joins them, and the matrix of links."""

from __future__ import annotations

import math
from collections.abc import Sequence

from cfslurm.core.report.gpu_links import Links, Pair
from cfslurm.core.report.svg_parts import (
    Block,
    cell,
    document,
    legend,
    rect,
    text,
)
from cfslurm.core.report.topology_model import Mark, NodeBox, View

_WIDTH = 1200.0
_MARGIN = 20.0
_LEFT = 560.0  # the drawing; the matrix stands right of it
_SIDE = 34.0
_OVER_PCIE = "No NVLink: every pair reaches the other over PCIe"
_IN_MATRIX = "The matrix has the links of the whole GPUs"
_NOT_ASKED = "No links are drawn: no node of this kind has told them (cfslurm harvest --probe)"
_MOST_DRAWN = 16  # GPUs whose links can be told apart as lines


def node_picture(view: View, node: NodeBox) -> str:
    """The whole picture."""
    head = _head(view, node)
    drawing = _drawing(node, head.height)
    table = _matrix(node.links, head.height) if node.links else Block(lines=(), height=0)
    bottom = head.height + max(drawing.height, table.height)
    facts = _facts(node, bottom)
    height = bottom + facts.height + _MARGIN
    return document(
        (*head.lines, *drawing.lines, *table.lines, *facts.lines),
        width=_WIDTH,
        height=height,
        title=f"Node {node.name} of {view.cluster}",
        text=f"{node.title}. {node.links_text}. {view.age}.",
    )


def _head(view: View, node: NodeBox) -> Block:
    wide = _WIDTH - 2 * _MARGIN
    lines = (
        text(_MARGIN, 36, f"{view.cluster}: {node.name}", size=22, bold=True, width=wide),
        text(_MARGIN, 58, f"{node.what} · {node.mark} ({node.state}) · {view.age}", size=13,
             kind="soft", width=wide),
        *legend(_MARGIN, 84),
    )  # fmt: skip
    return Block(lines=lines, height=104)


def _facts(node: NodeBox, y: float) -> Block:
    words = [node.links_text, node.cpus, f"node class {node.node_class}"]
    if node.reason:
        words.append(f"reason: {node.reason}")
    words += node.fits
    shown = [word for word in words if word]
    wide = _WIDTH - 2 * _MARGIN
    lines = tuple(
        text(_MARGIN, y + 20 + 17 * at, word, size=12, kind="soft", width=wide)
        for at, word in enumerate(shown)
    )
    return Block(lines=lines, height=24 + 17 * len(shown))


def _drawing(node: NodeBox, y: float) -> Block:
    """GPUs with their links as lines, where they are known; the numbers are those of the probe."""
    count = len(node.cells)
    if not count:
        return Block(lines=(text(_MARGIN, y + 20, "no GPUs"),), height=30)
    links = node.links if node.links and len(node.links.indices) == count else None
    if links is not None and links.has_switch:
        return _around_switch(node, links, y)
    if links is not None and count <= _MOST_DRAWN and any(pair.nvlinks for pair in links.pairs):
        return _in_circle(node, links, y)
    return _in_rows(node, y)


def _gpu(x: float, y: float, name: str, mark: Mark, *, below: float = 1) -> list[str]:
    """A cell with its centre at a place, and its name below it, or with -1 above."""
    label = y + _SIDE / 2 + 15 if below > 0 else y - _SIDE / 2 - 6
    return [
        cell(x - _SIDE / 2, y - _SIDE / 2, _SIDE, mark),
        text(x, label, name, size=11, width=66, anchor="middle"),
    ]


def _around_switch(node: NodeBox, links: Links, y: float) -> Block:
    """Two rows with the switch in between: one line for each GPU, since all pairs are alike."""
    count = len(node.cells)
    half = (count + 1) // 2
    step = (_LEFT - 40) / half
    middle = y + 130
    lines = []
    for at, one in enumerate(node.cells):
        x = _MARGIN + step / 2 + (at % half) * step
        row = y + 38 if at < half else y + 222
        width = 1 + max((p.nvlinks for p in links.pairs if at in (p.a, p.b)), default=0) / 4
        edge = row + (_SIDE / 2 if at < half else -_SIDE / 2)
        lines.append(_line(x, edge, x, middle + (-20 if at < half else 20), "nv", width))
        lines += _gpu(x, row, f"GPU{links.indices[at]}", one.mark, below=-1 if at < half else 1)
    labels = sorted({pair.label for pair in links.pairs})
    between = f"{labels[0]} between any two" if len(labels) == 1 else "not all pairs are alike"
    wide = _LEFT - 40
    return Block(
        lines=(
            *lines,
            rect(_MARGIN, middle - 20, wide, 40, "hub"),
            text(_MARGIN + wide / 2, middle + 5, f"NVSwitch · {between}",
                 size=13, anchor="middle", width=wide),
        ),
        height=270,
    )  # fmt: skip


def _in_circle(node: NodeBox, links: Links, y: float) -> Block:
    """A line for each pair with NVLinks, thicker where there are more; the rest is in the matrix."""
    count = len(node.cells)
    radius = 130.0 if count <= 4 else 160.0
    cx, cy = _MARGIN + _LEFT / 2 - 20, y + radius + 40
    places = [
        (
            cx + radius * math.sin(2 * math.pi * (at + 0.5) / count),
            cy - radius * math.cos(2 * math.pi * (at + 0.5) / count),
        )
        for at in range(count)
    ]
    at_index = dict(zip(links.indices, places, strict=True))
    lines: list[str] = []
    for pair in links.pairs:
        if pair.nvlinks:
            lines += _pair_line(pair, at_index[pair.a], at_index[pair.b], count)
    for (x, row), one, index in zip(places, node.cells, links.indices, strict=True):
        lines += _gpu(x, row, f"GPU{index}", one.mark, below=row - cy)
    return Block(lines=tuple(lines), height=2 * radius + 90)


def _pair_line(pair: Pair, a: tuple[float, float], b: tuple[float, float], count: int) -> list[str]:
    lines = [_line(*a, *b, "nv", 1 + pair.nvlinks / 2)]
    if count <= 4:
        # Not in the middle, where the diagonals cross.
        x, y = a[0] + (b[0] - a[0]) * 0.36, a[1] + (b[1] - a[1]) * 0.36
        lines += [rect(x - 17, y - 10, 34, 19, "bg"), text(x, y + 4, pair.label, size=11,
                                                           anchor="middle")]  # fmt: skip
    return lines


def _in_rows(node: NodeBox, y: float) -> Block:
    """Without lines: the links are not known, all of them are PCIe, or GPUs are split by MIG."""
    each = 8
    has_types = len({one.gpu_type for one in node.cells}) > 1
    lines: list[str] = []
    for at, one in enumerate(node.cells):
        x, row = _MARGIN + 30 + (at % each) * (_LEFT - 40) / each, y + 24 + (at // each) * 70
        # With several types nobody knows which number is which.
        lines += _gpu(x, row, one.gpu_type if has_types else f"GPU{one.number}", one.mark)
    low = y + 20 + -(-len(node.cells) // each) * 70
    lines.append(text(_MARGIN, low, _why_no_lines(node), size=12, kind="soft"))
    return Block(lines=tuple(lines), height=low - y + 10)


def _why_no_lines(node: NodeBox) -> str:
    if len(node.cells) == 1:
        return "One GPU: it has nobody to be joined to"
    if node.links is None:
        return _NOT_ASKED
    return _IN_MATRIX if any(pair.nvlinks for pair in node.links.pairs) else _OVER_PCIE


def _line(x1: float, y1: float, x2: float, y2: float, kind: str, width: float) -> str:
    return (
        f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
        f'stroke-width="{width:.2g}"/>'
    )


def _matrix(links: Links, y: float) -> Block:
    """The table of `nvidia-smi topo -m`."""
    rows = [links.header, *links.matrix]
    columns = len(links.header)
    each = min(58.0, (_WIDTH - _LEFT - 3 * _MARGIN) / columns)
    size = 12.0 if each > 40 else 9.0
    x0 = _LEFT + 2 * _MARGIN
    height = 22.0
    lines = [rect(x0, y, each * columns, height, "head")]
    for at, row in enumerate(rows):
        lines += _matrix_row(row, x0, y + at * height, each, size)
    low = y + len(rows) * height
    lines += [
        text(x0, low + 18 + 16 * at, word, size=11, kind="soft")
        for at, word in enumerate(links.legend)
    ]
    return Block(lines=tuple(lines), height=low - y + 24 + 16 * len(links.legend))


def _matrix_row(row: Sequence[str], x: float, y: float, each: float, size: float) -> list[str]:
    return [
        text(x + (at + 0.5) * each, y + 15, word, size=size, anchor="middle", bold=at == 0)
        for at, word in enumerate(row)
    ]
