"""Pictures are whole, say in words what they show, and let no text of the cluster out of its place."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cfslurm.core.report.escapes import dot, mermaid, visible, xml
from cfslurm.core.report.topology_graphs import topology_dot, topology_mermaid
from cfslurm.core.report.topology_html import topology_html
from cfslurm.core.report.topology_model import View
from cfslurm.core.report.topology_svg import topology_svg
from cfslurm.core.report.topology_text import topology_text
from cfslurm.core.report.topology_view import view
from tests.builders import lab
from tests.pictured import HOSTILE, hgx, hostile, large

_SVG = "{http://www.w3.org/2000/svg}"
_VIEWS: dict[str, Callable[[], View]] = {
    "lab": lambda: view(lab()),
    "hgx": lambda: view(hgx()),
    "node": lambda: view(hgx(), only="hgx-02"),
    "switch": lambda: view(hgx(), only="leaf-1"),
    "large": lambda: view(large()),
    "hostile": lambda: view(hostile()),
    "hostile node": lambda: view(hostile(), only=HOSTILE + "0"),
    "fits": lambda: view(hgx(), fits={"h100-x8": (HOSTILE, "b", "c", "d")}),
}
# Shown in docs/; written again with `topology_svg` when the drawing changes.
PUBLISHED: dict[str, Callable[[], View]] = {
    "hgx.svg": lambda: view(hgx()),
    "hgx-node.svg": lambda: view(hgx(), only="hgx-02"),
}
_PICTURES = Path(__file__).parents[3] / "docs" / "pictures"
_KEPT = {path.name: path.read_text() for path in _PICTURES.glob("*.svg")}
_DRAWN = {"svg", "title", "desc", "style", "rect", "text", "g", "line", "path", "polygon"}
_DOT_LINE = re.compile(
    r"""graph\ cluster_topology\ \{|\}|
    \ \ (label="S"|labelloc=t;\ rankdir=LR;\ fontname="S"|
    (node|edge|[a-z]+\d*)\ \[((label|fontname|fontsize|shape|style|fillcolor)=("S"|[a-z0-9]+)(,\ )?)+\]|
    [a-z]+\d*\ --\ [a-z]+\d*(\ \[label="S"\])?);?""",
    re.VERBOSE,
)
_MERMAID_LINE = re.compile(
    r"""%%\ L|flowchart\ LR|
    \ \ ([a-z]+\d*(\("L"\)|\["L"\])|[a-z]+\d*\ ---(\|"L"\|)?\ [a-z]+\d*|
    classDef\ [a-z]+\ [a-z0-9:#,\ -]+|class\ [a-z0-9,]+\ [a-z]+)""",
    re.VERBOSE,
)


@pytest.fixture(params=_VIEWS)
def seen(request: pytest.FixtureRequest) -> View:
    made: View = _VIEWS[request.param]()
    return made


class _Page(HTMLParser):
    """The tags and attributes of a page, as a browser sees them."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.depth = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.depth += tag not in ("meta", "br", "rect", "line", "path", "polygon")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_endtag(self, tag: str) -> None:
        self.depth -= 1


def test_svg_is_well_formed_and_holds_only_what_we_draw(seen: View) -> None:
    root = ElementTree.fromstring(topology_svg(seen))
    assert {element.tag.removeprefix(_SVG) for element in root.iter()} <= _DRAWN
    assert not [a for element in root.iter() for a in element.attrib if a.startswith("on")]


def test_svg_has_a_title_and_says_in_words_what_is_free(seen: View) -> None:
    root = ElementTree.fromstring(topology_svg(seen))
    title, described = root.find(f"{_SVG}title"), root.find(f"{_SVG}desc")
    assert title is not None
    assert title.text
    assert described is not None
    assert "free" in (described.text or "")
    words = " ".join(root.itertext())
    for meaning in ("free", "used", "closed: down, drained or reserved"):
        assert meaning in words


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_pictures_are_those_that_we_draw(name: str) -> None:
    assert topology_svg(PUBLISHED[name]()) == _KEPT[name]


def test_every_node_of_a_cluster_has_a_title_of_its_own() -> None:
    root = ElementTree.fromstring(topology_svg(view(large())))
    labels = [group.get("aria-label", "") for group in root.iter(f"{_SVG}g")]
    assert len(labels) == len(set(labels)) == 500
    assert all(re.search(r"\d of \d GPUs free", label) for label in labels)


def test_nothing_is_drawn_outside_the_picture(seen: View) -> None:
    root = ElementTree.fromstring(topology_svg(seen))
    width, height = float(root.get("width", "0")), float(root.get("height", "0"))
    for element in root.iter():
        if element.tag.removeprefix(_SVG) in ("rect", "text"):
            assert 0 <= float(element.get("x", "0")) <= width
            assert 0 <= float(element.get("y", "0")) <= height
            assert float(element.get("x", "0")) + float(element.get("width", "0")) <= width + 1


def test_large_picture_is_small_enough_to_send() -> None:
    assert len(topology_svg(view(large()))) < 600_000


def test_links_are_drawn_only_where_they_are_known() -> None:
    assert 'class="nv"' in topology_svg(view(hgx(), only="hgx-01"))
    bare = topology_svg(view(lab(), only="a1"))
    assert 'class="nv"' not in bare
    assert "links not known (table: NVLink3 600 GB/s)" in bare


def test_html_loads_nothing_and_runs_nothing(seen: View) -> None:
    text = topology_html(seen)
    page = _Page()
    page.feed(text)
    assert page.depth == 0
    assert page.tags <= _DRAWN | {
        "html", "head", "meta", "body", "main", "div", "h1", "h2", "p", "table", "thead", "tbody", "tr",
        "th", "td", "details", "summary", "br",
    }  # fmt: skip
    assert not [name for name in page.attributes if name.startswith("on")]
    assert not page.attributes & {"href", "src", "xlink:href", "srcset", "action"}
    assert "default-src 'none'" in text
    assert re.findall(r"https?://[^\s\"'<]+", text) == ["http://www.w3.org/2000/svg"]


def test_html_follows_the_readers_light_or_dark() -> None:
    text = topology_html(view(hgx()))
    assert text.count("prefers-color-scheme:dark") == 2
    assert "color-scheme:light dark" in text


def test_dot_is_only_what_we_write(seen: View) -> None:
    for line in topology_dot(seen).splitlines():
        plain = re.sub(r'"(?:[^"\\]|\\.)*"', '"S"', line)
        assert _DOT_LINE.fullmatch(plain), line


def test_mermaid_is_only_what_we_write(seen: View) -> None:
    text = topology_mermaid(seen)
    for line in text.splitlines():
        plain = re.sub(r'"[^"]*"', '"L"', line)
        plain = re.sub(r"^%% .*", "%% L", plain)
        assert _MERMAID_LINE.fullmatch(plain), line
    assert "<script" not in text
    assert "%%{" not in text


def test_mermaid_of_a_large_cluster_stays_below_its_limits() -> None:
    text = topology_mermaid(view(large()))
    assert len(text) < 50_000
    assert text.count(" --- ") < 500


def test_terminal_gets_nothing_that_it_would_obey(seen: View) -> None:
    lines = topology_text(seen).splitlines()
    assert all(line.isprintable() for line in lines)


def test_tree_names_switches_and_shows_free_and_used() -> None:
    text = topology_text(view(hgx()))
    assert "├─ switch leaf-1" in text
    assert "hgx-02" in text
    assert "■■■□□□□□" in text
    assert "☒☒☒☒☒☒☒☒" in text
    assert "IDLE+DRAIN: GPU 3: ECC errors" in text
    assert re.search(r"GPU0 +X +NV18", text)


def test_alike_nodes_of_a_large_cluster_share_a_line() -> None:
    lines = topology_text(view(large())).splitlines()
    assert len(lines) < 200
    assert any("nodes, each 4 x a100_80 80 GiB" in line for line in lines)


def test_variants_that_fit_are_shown_everywhere() -> None:
    seen = view(hgx(), fits={"h100-x8": ("qwen awq on 1 GPU",)})
    for draw in (topology_svg, topology_html, topology_dot, topology_mermaid, topology_text):
        assert "qwen awq on 1 GPU" in draw(seen)


@settings(max_examples=200)
@given(st.text())
def test_no_text_gets_out_of_its_place(text: str) -> None:
    assert visible(text).isprintable()
    assert not set('<>"') & set(xml(text))
    assert re.fullmatch(r'(?:[^"\\]|\\.)*', dot(text))
    assert not set('"<>[]{}|`;%\\') & set(re.sub(r"#\d+;", "", mermaid(text)))
