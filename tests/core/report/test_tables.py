from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cfslurm.core.report.tables import columns, printable, table


def test_numbers_stand_to_the_right() -> None:
    assert table(("NAME", "N"), [("a", 5), ("bcd", 12)]) == "NAME   N\na      5\nbcd   12"


def test_wide_letters_keep_the_columns() -> None:
    lines = table(("A", "B"), [("日本", "x"), ("ab", "y")]).splitlines()
    assert [columns(line) for line in lines] == [7, 7, 7]


def test_control_characters_cannot_reach_the_terminal() -> None:
    assert table(("A",), [("\x1b[31mred\n\u202egnp",)]).splitlines() == [
        "A",
        "\\x1b[31mred\\n\\u202egnp",
    ]


@given(st.text())
def test_printable_is_one_line_and_printable(text: str) -> None:
    assert printable(text).isprintable()
