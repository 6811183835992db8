from __future__ import annotations

import json
import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cfslurm.adapters.files import json_text, lines_text, read_json, write_atomic
from cfslurm.core.documents import to_json
from tests.builders import lab


class _Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Item:
    name: str
    colour: _Colour
    sizes: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Document:
    items: tuple[_Item, ...]
    words: tuple[str, ...]
    limits: dict[str, float | None]
    first: _Item | None


_ITEMS = st.builds(
    _Item, name=st.text(), colour=st.just(_Colour.RED), sizes=st.lists(st.integers()).map(tuple)
)


@given(
    st.builds(
        _Document,
        items=st.lists(_ITEMS).map(tuple),
        words=st.lists(st.text()).map(tuple),
        limits=st.dictionaries(
            st.text(), st.none() | st.floats(allow_nan=False, allow_infinity=False)
        ),
        first=st.none() | _ITEMS,
    )
)
def test_both_texts_say_the_same(document: _Document) -> None:
    assert json.loads(lines_text(document)) == json.loads(json_text(document)) == to_json(document)


def test_one_line_for_each_node() -> None:
    text = lines_text(lab())
    lines = [line for line in text.splitlines() if line.startswith('  {"name": "r')]
    assert [json.loads(line.rstrip(","))["name"] for line in lines] == ["r1", "r2"]
    assert text.endswith("}\n")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"", "it is no JSON"),
        (b'{"a": ', "it is no JSON"),
        (b"[" * 200_000, "nested too deeply"),
        (b"[1, 2, 3, 4, 5]", "more than 8 bytes"),
        (b'"\xff"', "utf-8"),
    ],
)
def test_what_is_no_document_is_refused_in_a_sentence(
    text: bytes, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(text)
    if "bytes" in why:
        monkeypatch.setattr("cfslurm.adapters.files.LARGEST_JSON_BYTES", 8)
    with pytest.raises(ValueError, match=why):
        read_json(path)


def test_a_device_or_a_pipe_stays_what_it_is(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_atomic(pipe, b"whole")
        assert os.read(read, 100) == b"whole"
    finally:
        os.close(read)
    write_atomic(Path("/dev/null"), b"gone")
    assert pipe.is_fifo()
    assert Path("/dev/null").is_char_device()
