"""Plain tables: aligned columns, control characters made visible."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence


def table(header: Sequence[str], rows: Sequence[Sequence[object]], *, indent: str = "") -> str:
    """A table with aligned columns, numbers to the right; no line at the end.

    Shape: every row has as many cells as the header.
    """
    cells = [[printable(str(cell)) for cell in row] for row in rows]
    heads = [str(head) for head in header]
    widths = [max(columns(cell) for cell in column) for column in zip(heads, *cells, strict=True)]
    numeric = [
        bool(rows) and all(_is_number(row[index]) for row in rows) for index in range(len(heads))
    ]
    lines = []
    for line in (heads, *cells):
        padded = [
            _pad(cell, width, right=right)
            for cell, width, right in zip(line, widths, numeric, strict=True)
        ]
        lines.append((indent + "  ".join(padded)).rstrip())
    return "\n".join(lines)


def _pad(cell: str, width: int, *, right: bool) -> str:
    space = " " * (width - columns(cell))
    return space + cell if right else cell + space


def _is_number(cell: object) -> bool:
    text = str(cell).rstrip("%")
    return isinstance(cell, int | float) or text.replace(".", "", 1).replace("-", "", 1).isdigit()


def columns(text: str) -> int:
    """How many terminal columns a text takes: wide letters two, combining ones none."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )


def printable(text: str) -> str:
    r"""A text that cannot move the cursor, change colours or reverse the line it stands in.

    >>> printable("a\x1b[31mb\nc")
    'a\\x1b[31mb\\nc'
    """
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
        for char in text
    )
