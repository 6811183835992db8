"""The pieces that SVG pictures are made of: escaped text, cells for GPUs, colours for light and dark.

Free and used differ in shape as well as in colour; the colours are of Okabe and Ito's palette, which
colour-blind people can tell apart. Source: https://jfly.uni-koeln.de/color/
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cfslurm.core.report.escapes import visible, xml
from cfslurm.core.report.topology_model import Cell, Mark

_LETTER = (
    0.57  # mean width of a letter, in font sizes; measured with DejaVu Sans and Liberation Sans
)

MEANING = {
    Mark.FREE: "free",
    Mark.USED: "used",
    Mark.SHARED: "used in shares",
    Mark.CLOSED: "closed: down, drained or reserved",
}

STYLE = """
svg{font-family:system-ui,-apple-system,"Segoe UI","DejaVu Sans",sans-serif}
.bg{fill:#fff}.ink{fill:#1b1f24}.soft{fill:#57606a}.panel{fill:#f3f5f8;stroke:#c9d1d9}
.card{fill:#fff;stroke:#8c959f}.shut{fill:#f3f5f8;stroke:#8c959f;stroke-dasharray:4 3}
.free{fill:#fff;stroke:#0072b2;stroke-width:1.6}.used{fill:#e69f00;stroke:#7a5200}
.half{fill:#e69f00}.closed{fill:#d8dee4;stroke:#57606a}.cross{stroke:#57606a;stroke-width:1.4}
.nv{stroke:#0072b2}.pci{stroke:#8c959f;stroke-dasharray:3 3}.hub{fill:#cfe6f5;stroke:#0072b2}
.head{fill:#e7ebf0}
@media (prefers-color-scheme:dark){
.bg{fill:#0d1117}.ink{fill:#e6edf3}.soft{fill:#a2abb5}.panel{fill:#161b22;stroke:#3d444d}
.card{fill:#0d1117;stroke:#6e7681}.shut{fill:#161b22;stroke:#6e7681}
.free{fill:#0d1117;stroke:#56b4e9}.used{fill:#e69f00;stroke:#ffd899}
.half{fill:#e69f00}.closed{fill:#30363d;stroke:#a2abb5}.cross{stroke:#a2abb5}
.nv{stroke:#56b4e9}.pci{stroke:#6e7681}.hub{fill:#10324a;stroke:#56b4e9}.head{fill:#21262d}
}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A part of a picture and how high it became."""

    lines: tuple[str, ...]
    height: float


def document(lines: Iterable[str], *, width: float, height: float, title: str, text: str) -> str:
    """A whole SVG file; title and text are what a screen reader says."""
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" '
            f'viewBox="0 0 {width:g} {height:g}" role="group" aria-labelledby="t d">',
            f'<title id="t">{xml(title)}</title>',
            f'<desc id="d">{xml(text)}</desc>',
            f"<style>{STYLE}</style>",
            f'<rect class="bg" width="{width:g}" height="{height:g}"/>',
            *lines,
            "</svg>\n",
        )
    )


def text(  # noqa: PLR0913 - a place, a size, a class and a limit are what text in a picture needs
    x: float, y: float, words: str, *, size: float = 12, kind: str = "ink", width: float = 0,
    bold: bool = False, anchor: str = "start",
) -> str:  # fmt: skip
    """Text on a base line; with a ``width``, cut to it."""
    shown = fitted(words, size=size, width=width) if width else words
    weight = ' font-weight="600"' if bold else ""
    place = f' text-anchor="{anchor}"' if anchor != "start" else ""
    return (
        f'<text class="{kind}" x="{x:g}" y="{y:g}" font-size="{size:g}"{weight}{place}>'
        f"{xml(shown)}</text>"
    )


def fitted(words: str, *, size: float, width: float) -> str:
    """As much of a text as goes into a width.

    >>> fitted("partly used", size=10, width=40)
    'partly…'
    """
    most = max(2, int(width / (size * _LETTER)))
    shown = visible(words)
    return shown if len(shown) <= most else f"{shown[: most - 1].rstrip()}…"


def text_width(words: str, size: float) -> float:
    """About how wide a text is."""
    return len(words) * size * _LETTER


def rect(x: float, y: float, width: float, height: float, kind: str) -> str:
    """A rectangle with round corners."""
    return (
        f'<rect class="{kind}" x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="5"/>'
    )


def cell(x: float, y: float, side: float, mark: Mark) -> str:
    """A GPU: empty is free, full is used, half full is used in shares, crossed is closed."""
    place = f'x="{x:g}" y="{y:g}" width="{side:g}" height="{side:g}"'
    if mark is Mark.USED:
        return f'<rect class="used" {place}/>'
    if mark is Mark.SHARED:
        corner = f"{x:g},{y + side:g} {x + side:g},{y + side:g} {x + side:g},{y:g}"
        return f'<rect class="free" {place}/><polygon class="half" points="{corner}"/>'
    if mark is Mark.CLOSED:
        cross = f"M{x:g} {y:g}l{side:g} {side:g}m0 {-side:g}l{-side:g} {side:g}"
        return f'<rect class="closed" {place}/><path class="cross" d="{cross}"/>'
    return f'<rect class="free" {place}/>'


def cells(x: float, y: float, width: float, side: float, of: Sequence[Cell]) -> Block:
    """All GPUs of a node, in rows."""
    gap = max(2.0, side / 4)
    each = max(1, int((width + gap) // (side + gap)))
    if len(of) > each >= 8:
        each -= each % 8  # GPUs come in eights
    lines = tuple(
        cell(x + (n % each) * (side + gap), y + (n // each) * (side + gap), side, one.mark)
        for n, one in enumerate(of)
    )
    rows = -(-len(of) // each)
    return Block(lines=lines, height=rows * (side + gap))


def legend(x: float, y: float) -> tuple[str, ...]:
    """What the cells mean."""
    lines = []
    for mark, meaning in MEANING.items():
        lines += [cell(x, y - 10, 12, mark), text(x + 18, y, meaning, size=12, kind="soft")]
        x += 40 + text_width(meaning, 12)
    return tuple(lines)
