"""The log of events: few segments however long it is, and little written again."""

from __future__ import annotations

import math
import random

from hypothesis import given
from hypothesis import strategies as st

from cfslurm.core.session.layout import PART_BYTES
from cfslurm.core.session.log import EventLog, Events, read_segment, segment


def saved(log: EventLog) -> EventLog:
    """The log as it is read back."""
    return EventLog(read_segment(one.first, one.data) for one in log.segments())


@given(st.lists(st.lists(st.integers(0, 40_000), max_size=12), max_size=8))
def test_events_come_back_over_saves_and_restarts(rounds: list[list[int]]) -> None:
    log = EventLog()
    expected = []
    for sizes in rounds:
        for size in sizes:
            line = b'"%s"' % (b"x" * size)
            log.append(line)
            expected.append(line)
        log = saved(log)
    assert list(log.lines()) == expected
    assert len(log) == len(expected)
    assert [e for e in Events(log)] == [line.decode()[1:-1] for line in expected]


def test_filling_is_no_event() -> None:
    found = read_segment(3, b"1\n2\n\n\n\n")
    assert (found.first, found.count, found.lines()) == (3, 2, [b"1", b"2"])
    assert read_segment(0, b"\n" * 9).count == 0
    assert segment(0, []).lines() == []


def test_a_long_log_has_few_segments_and_is_written_a_few_times() -> None:
    chance = random.Random(1)
    log, written, total = EventLog(), 0, 0
    before: tuple[bytes, ...] = ()
    for number in range(20_000):
        line = b'"%s"' % (b"x" * chance.randrange(2000))
        total += len(line) + 1
        log.append(line)
        if number % 50 == 0:
            found = log.segments()
            assert len(found) <= 2 + 3 * (1 + math.log(max(1, total / PART_BYTES), 4))
            written += sum(len(o.data) for o in found if not any(o.data is b for b in before))
            before = tuple(one.data for one in found if len(one.data) >= PART_BYTES)
    assert written < 6 * total


def test_a_slice_and_an_index_from_behind() -> None:
    log = EventLog()
    for number in range(10):
        log.append(b"%d" % number)
    events = Events(log)
    assert (events[-1], events[2:4], events == list(range(10))) == (9, [2, 3], True)
