"""The journal: whole lines count, torn ones were never promised."""

from __future__ import annotations

import pytest

from cfslurm.core.session import journal
from cfslurm.core.session.journal import Recorded, frame, header, read_journal, step_record
from cfslurm.core.session.layout import GenerationId
from cfslurm.errors import SessionError

AFTER = GenerationId(3, 57)
LINES = [
    frame(header("coder", AFTER)),
    frame(step_record("a", 1)),
    frame(step_record("b", {"$tuple": ["é\n", None]})),
    frame(step_record("c", [2.5])),
]
WHOLE = {"a": 1, "b": {"$tuple": ["é\n", None]}, "c": [2.5]}


def test_records_come_back() -> None:
    assert read_journal(b"".join(LINES), AFTER) == Recorded(steps=WHOLE, damaged=0)


def test_every_cut_keeps_the_whole_lines() -> None:
    text = b"".join(LINES)
    for length in range(len(text)):
        whole = text[:length].count(b"\n")
        found = read_journal(text[:length], AFTER)
        assert found == Recorded(steps=dict(list(WHOLE.items())[: max(0, whole - 1)]), damaged=0)


def test_every_changed_bit_costs_its_own_line_only() -> None:
    text = b"".join(LINES)
    for bit in range(8 * len(LINES[0]), 8 * len(text)):
        changed = bytearray(text)
        changed[bit // 8] ^= 1 << bit % 8
        found = read_journal(bytes(changed), AFTER)
        assert found.steps.items() <= WHOLE.items() or bytes(changed).count(b"\n") != len(LINES)
        assert found != Recorded(steps=WHOLE, damaged=0)
        assert all(WHOLE[key] == found.steps[key] for key in found.steps)


def test_the_first_result_of_a_step_counts() -> None:
    text = b"".join([*LINES, frame(step_record("a", 9))])
    assert read_journal(text, AFTER).steps["a"] == 1


def test_empty_journal_says_nothing() -> None:
    assert read_journal(b"", AFTER) == Recorded(steps={}, damaged=0)


@pytest.mark.parametrize(
    "record",
    [
        header("coder", GenerationId(3, 58)),
        {**header("coder", AFTER), "schema": "cfslurm.session.journal/2"},
        {"kind": "turn"},
        {"kind": journal.STEP, "key": 1, "result": None},
    ],
)
def test_strange_record_is_refused(record: dict[str, object]) -> None:
    with pytest.raises(SessionError):
        read_journal(frame(record), AFTER)  # type: ignore[arg-type]
