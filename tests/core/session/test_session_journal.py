"""The journal: whole lines count, torn ones were never promised."""

from __future__ import annotations

import pytest

from cfslurm.core.session import values
from cfslurm.core.session.journal import (
    Change,
    Recorded,
    applied,
    commit_texts,
    header,
    line,
    read_journal,
    step_text,
)
from cfslurm.core.session.layout import GenerationId
from cfslurm.errors import SessionError

AFTER = GenerationId(3, 57)
LINES = [
    line(header("coder", AFTER)),
    line(step_text(3, "a", 1)),
    line(step_text(3, "b", {"$tuple": ["é\n", None]})),
    line(step_text(3, "c", [2.5])),
]
WHOLE = {"a": 1, "b": {"$tuple": ["é\n", None]}, "c": [2.5]}
FIRST = Change(put={"x": 1, "y": [2]}, events=(b'{"role":"user"}', b'"}"'))
SECOND = Change(put={"x": 2}, drop=("y",), rng={"r": {"kind": "k"}})


def commits(*changes: Change, epoch: int = 3) -> list[bytes]:
    return [line(text) for change in changes for text in commit_texts(epoch, change)]


def test_records_come_back() -> None:
    assert read_journal(b"".join(LINES), AFTER) == Recorded(steps=WHOLE)
    text = b"".join([*LINES, *commits(FIRST, SECOND)])
    assert read_journal(text, AFTER) == Recorded(steps=WHOLE, commits=(FIRST, SECOND))


def test_commits_change_a_state_in_its_order() -> None:
    assert list(applied({"a": 0, "y": 1, "x": 9}, [FIRST, SECOND]).items()) == [("a", 0), ("x", 2)]


def test_a_commit_is_there_whole_or_not_at_all() -> None:
    text = b"".join([LINES[0], *commits(FIRST, SECOND)])
    for length in range(len(text)):
        found = read_journal(text[:length], AFTER)
        assert found.commits in ((), (FIRST,))
        assert found.damaged == 0


def test_every_changed_bit_is_noticed_and_nothing_behind_it_counts() -> None:
    text = b"".join([LINES[0], *commits(FIRST, SECOND)])
    for bit in range(8 * len(LINES[0]), 8 * len(text)):
        changed = bytearray(text)
        changed[bit // 8] ^= 1 << bit % 8
        found = read_journal(bytes(changed), AFTER)
        assert found.commits in ((), (FIRST,))
        assert found.damaged or changed.count(b"\n") < text.count(b"\n")


def test_what_a_fenced_writer_appended_does_not_count() -> None:
    text = b"".join(
        [LINES[0], *commits(FIRST), *commits(SECOND, FIRST, epoch=2), line(step_text(2, "z", 1))]
    )
    assert read_journal(text, AFTER) == Recorded(commits=(FIRST,))


def test_every_cut_keeps_the_whole_lines() -> None:
    text = b"".join(LINES)
    for length in range(len(text)):
        whole = text[:length].count(b"\n")
        found = read_journal(text[:length], AFTER)
        assert found == Recorded(steps=dict(list(WHOLE.items())[: max(0, whole - 1)]))


def test_every_changed_bit_costs_its_own_line_only() -> None:
    text = b"".join(LINES)
    for bit in range(8 * len(LINES[0]), 8 * len(text)):
        changed = bytearray(text)
        changed[bit // 8] ^= 1 << bit % 8
        found = read_journal(bytes(changed), AFTER)
        assert found.steps.items() <= WHOLE.items() or bytes(changed).count(b"\n") != len(LINES)
        assert found != Recorded(steps=WHOLE)
        assert all(WHOLE[key] == found.steps[key] for key in found.steps)


def test_the_first_result_of_a_step_counts() -> None:
    text = b"".join([*LINES, line(step_text(3, "a", 9))])
    assert read_journal(text, AFTER).steps["a"] == 1


def test_empty_journal_says_nothing() -> None:
    assert read_journal(b"", AFTER) == Recorded()


@pytest.mark.parametrize(
    "text",
    [
        header("coder", GenerationId(3, 58)),
        header("coder", AFTER).replace(b"journal/2", b"journal/3"),
        b'{"kind":"turn","epoch":3}',
        b'{"kind":"step","key":1,"result":null}',
        b'{"kind":"commit","epoch":3,"events":0,"set":[]}',
        b'{"kind":"commit","epoch":3,"events":0,"drop":[1]}',
        values.to_bytes([1]),
    ],
)
def test_strange_record_is_refused(text: bytes) -> None:
    with pytest.raises(SessionError):
        read_journal(line(text), AFTER)
