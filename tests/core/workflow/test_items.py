from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cfslurm.core.workflow.items import file_items, item_fields, range_items
from cfslurm.core.workflow.placeholders import fill, used
from cfslurm.errors import UserInputError


@pytest.mark.parametrize(
    ("text", "name", "items"),
    [
        ("a\nb\n", "x.txt", ("a", "b")),
        ("a\r\nb", "x.txt", ("a", "b")),
        ("  a \n\n\t\nb", "x.txt", ("  a ", "b")),
        ('{"q": 1}\n"two"\n3\n', "x.jsonl", ({"q": 1}, "two", 3)),
        ('q,n\nwhy,1\n"a,b",2\n', "x.csv", ({"q": "why", "n": "1"}, {"q": "a,b", "n": "2"})),
        ("", "x.csv", ()),
        ("\u2028x", "x.txt", ("\u2028x",)),
    ],
)
def test_items_of_a_file(text: str, name: str, items: tuple[object, ...]) -> None:
    assert file_items(text, name=name) == items


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        ("1\n{x\n", "x.jsonl", "x.jsonl:2: not JSON"),
        ("[1]\n", "x.jsonl", "x.jsonl:1: an item is"),
        ('{"a": {"b": 1}}\n', "x.jsonl", "x.jsonl:1: an item is"),
        ("a,a\n1,2\n", "x.csv", "repeated column"),
        ("a,b\n1\n", "x.csv", "x.csv:2: 1 columns, the header has 2"),
        ("[" * 100_000, "x.jsonl", "not JSON"),
    ],
)
def test_line_that_is_no_item_is_told_with_its_place(text: str, name: str, message: str) -> None:
    with pytest.raises(UserInputError, match=message.replace("[", r"\[")):
        file_items(text, name=name)


@given(st.integers(0, 1000), st.integers(0, 1000), st.integers(1, 50))
def test_range_is_slurms_range(first: int, more: int, step: int) -> None:
    assert range_items(f"{first}-{first + more}:{step}") == tuple(
        range(first, first + more + 1, step)
    )


def test_value_never_becomes_two_words() -> None:
    values = item_fields({"q": 'a "b" $(c); d\n'})
    assert fill(("run", "--q={item.q}", "{item}"), values) == (
        "run",
        '--q=a "b" $(c); d\n',
        '{"q": "a \\"b\\" $(c); d\\n"}',
    )


def test_value_that_looks_like_a_placeholder_is_not_filled_in_again() -> None:
    assert fill(("{item}",), {"item": "{index}", "index": "7"}) == ("{index}",)


@given(st.lists(st.text(max_size=20), max_size=4))
def test_words_without_placeholders_stay(words: list[str]) -> None:
    command = tuple(words)
    if not used(command) and not any("{{" in word for word in words):
        assert fill(command, {}) == command
