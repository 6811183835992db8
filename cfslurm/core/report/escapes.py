"""Names and reasons of a cluster, made harmless for where they are written.

Anybody who may set a node's reason or feature decides what stands there: line breaks, terminal escapes,
markup. Every renderer of this folder writes foreign text through one of these.
"""

from __future__ import annotations

from cfslurm.core.report.tables import printable

_MOST = 200


def visible(text: str) -> str:
    r"""On one line, without anything that a terminal would obey; long texts are cut.

    >>> visible("a\x1b[31mb\nc")
    'a\\x1b[31mb\\nc'
    """
    shown = text if text.isprintable() else printable(text)
    return shown if len(shown) <= _MOST else f"{shown[: _MOST - 1]}…"


def xml(text: str) -> str:
    """For text and quoted attributes of SVG and HTML.

    >>> xml('<a href="x">&')
    '&lt;a href=&quot;x&quot;&gt;&amp;'
    """
    escaped = visible(text)
    for char, entity in (
        ("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"), ("'", "&#39;"),
    ):  # fmt: skip
        escaped = escaped.replace(char, entity)
    return escaped


def dot(text: str) -> str:
    """Inside a quoted string of DOT; a backslash would begin an escape of Graphviz's own.

    Source: https://graphviz.org/doc/info/lang.html, "quoted string".
    """
    return visible(text).replace("\\", "\\\\").replace('"', '\\"')


def mermaid(text: str) -> str:
    """Inside a quoted label of Mermaid, which reads entities but no escapes: all but words is one.

    Source: https://mermaid.js.org/syntax/flowchart.html, "Entity codes to escape characters".

    >>> mermaid('n1 "x"')
    'n1 #34;x#34;'
    """
    return "".join(
        char if char.isalnum() or char in " ._:/,+-()·□■◪☒" else f"#{ord(char)};"
        for char in visible(text)
    )
