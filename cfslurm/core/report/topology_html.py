"""The cluster as one HTML file: the picture, a table of all nodes, the links of each class.

The file loads nothing and runs nothing: its Content-Security-Policy forbids scripts and the network,
so that no text of the cluster could do either.
"""

from __future__ import annotations

from collections.abc import Iterator

from cfslurm.core.report.escapes import xml
from cfslurm.core.report.gpu_links import Links
from cfslurm.core.report.topology_model import NodeBox, View
from cfslurm.core.report.topology_svg import footnotes, topology_svg

_STYLE = """
:root{color-scheme:light dark}
body{margin:0 auto;max-width:1640px;padding:16px 20px 60px;
font:15px/1.45 system-ui,-apple-system,"Segoe UI","DejaVu Sans",sans-serif;background:#fff;color:#1b1f24}
h2{margin:34px 0 8px;font-size:19px}
.wide{overflow-x:auto}
table{border-collapse:collapse;font-size:14px}
th,td{text-align:left;padding:4px 14px 4px 0;border-bottom:1px solid #d0d7de;vertical-align:top}
thead th{border-bottom:2px solid #8c959f;white-space:nowrap}
.matrix td,.matrix th{padding:3px 10px;text-align:center}
.closed td,.closed th{color:#57606a}
details{margin:10px 0}summary{cursor:pointer;font-weight:600}
.soft{color:#57606a}
.unseen{position:absolute;clip-path:inset(50%);height:1px;width:1px;overflow:hidden}
@media (prefers-color-scheme:dark){body{background:#0d1117;color:#e6edf3}th,td{border-color:#3d444d}
thead th{border-color:#6e7681}.soft,.closed td,.closed th{color:#a2abb5}}
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def topology_html(view: View) -> str:
    """The whole file."""
    title = xml(f"Cluster {view.title}")
    return "\n".join(
        (
            "<!DOCTYPE html>",
            '<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{title}</title><style>{_STYLE}</style></head><body><main>",
            f'<h1 class="unseen">{title}</h1>',
            f'<div class="wide">{topology_svg(view)}</div>',
            *_nodes(view),
            *_links(view),
            *_notes(view),
            "</main></body></html>\n",
        )
    )


def _nodes(view: View) -> Iterator[str]:
    heads = ["Node", "GPUs", "Free", "State", "CPUs", "Links", "Reason"]
    if view.has_fits:
        heads.append("Models")
    yield f"<h2>Nodes</h2><p>{xml(view.summary)}</p>"
    yield '<div class="wide"><table><thead><tr>'
    yield "".join(f'<th scope="col">{head}</th>' for head in heads) + "</tr></thead><tbody>"
    for node in view.nodes:
        yield _row(node, with_fits=view.has_fits)
    yield "</tbody></table></div>"


def _row(node: NodeBox, *, with_fits: bool) -> str:
    free = f"{node.free} of {len(node.cells)}" if node.cells else ""
    words = [
        node.what,
        free,
        f"{node.mark} ({node.state})",
        node.cpus,
        node.links_text,
        node.reason,
    ]
    columns = "".join(f"<td>{xml(word)}</td>" for word in words)
    if with_fits:
        columns += f"<td>{'<br>'.join(xml(sentence) for sentence in node.fits)}</td>"
    return (
        f'<tr class="{node.mark.name.lower()}"><th scope="row">{xml(node.name)}</th>{columns}</tr>'
    )


def _links(view: View) -> Iterator[str]:
    known = view.link_classes
    if known:
        yield "<h2>Links between GPUs</h2>"
    for node in known:
        if node.links is not None:
            yield from _matrix(node, node.links, is_open=len(known) <= 3)


def _matrix(node: NodeBox, links: Links, *, is_open: bool) -> Iterator[str]:
    state = " open" if is_open else ""
    yield f"<details{state}><summary>{xml(f'{node.node_class}: {node.links_short}')}</summary>"
    yield f'<p class="soft">as {xml(links.asked)} told; {xml("; ".join(links.legend))}</p>'
    yield '<div class="wide"><table class="matrix"><thead><tr>'
    yield "".join(f'<th scope="col">{xml(word)}</th>' for word in links.header)
    yield "</tr></thead><tbody>"
    for name, *words in links.matrix:
        columns = "".join(f"<td>{xml(word)}</td>" for word in words)
        yield f'<tr><th scope="row">{xml(name)}</th>{columns}</tr>'
    yield "</tbody></table></div></details>"


def _notes(view: View) -> Iterator[str]:
    for note in footnotes(view):
        yield f'<p class="soft">{xml(note)}</p>'
    yield f'<p class="soft">{xml(view.age)}; written by cfslurm topo</p>'
