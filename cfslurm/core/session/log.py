"""The events of a session: a log in segments, so that a save writes what was added and little more."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, overload

from cfslurm.core.session import values
from cfslurm.core.session.layout import PART_BYTES

_GROWTH = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    r"""Some events in a row: JSON lines, each with a line break, and perhaps line breaks behind them.

    ``first`` is the number of the first event; ``data`` is never changed.
    """

    first: int
    count: int
    data: bytes

    def lines(self) -> list[bytes]:
        """The events, encoded."""
        return self.data.split(b"\n", self.count)[: self.count] if self.count else []


def read_segment(first: int, data: bytes) -> Segment:
    """A segment as it was saved; line breaks behind the last event are filling."""
    events = data.rstrip(b"\n")
    return Segment(first=first, count=events.count(b"\n") + 1 if events else 0, data=data)


def segment(first: int, lines: Sequence[bytes]) -> Segment:
    """Put lines together."""
    return Segment(first=first, count=len(lines), data=b"".join(line + b"\n" for line in lines))


class EventLog:
    """Sealed segments, and a tail that still grows.

    A tail of 64 KiB is sealed; four sealed segments of about the same size become one. So there are
    few of them, and an event is written once more each time that the log has grown by the factor 4.
    """

    def __init__(self, saved: Iterable[Segment] = ()) -> None:
        self._sealed = list(saved)
        is_open = bool(self._sealed) and len(self._sealed[-1].data) < PART_BYTES
        self._tail = self._sealed.pop().lines() if is_open else []
        self._tail_bytes = sum(len(line) + 1 for line in self._tail)
        self._lines: dict[int, list[bytes]] = {}
        self._tail_first = self._sealed[-1].first + self._sealed[-1].count if self._sealed else 0

    def append(self, line: bytes) -> None:
        """Add an encoded event."""
        self._tail.append(line)
        self._tail_bytes += len(line) + 1

    def __len__(self) -> int:
        return self._tail_first + len(self._tail)

    def line(self, number: int) -> bytes:
        """One event, encoded."""
        if number >= self._tail_first:
            return self._tail[number - self._tail_first]
        for place, sealed in enumerate(self._sealed):
            if number < sealed.first + sealed.count:
                if place not in self._lines:
                    self._lines[place] = sealed.lines()
                return self._lines[place][number - sealed.first]
        raise IndexError(number)

    def lines(self, start: int = 0) -> Iterator[bytes]:
        """Events from one on, encoded."""
        return (self.line(number) for number in range(start, len(self)))

    def segments(self) -> tuple[Segment, ...]:
        """All events for a save; those that were sealed before are the same objects again."""
        if self._tail_bytes >= PART_BYTES:
            self._seal()
        tail = (segment(self._tail_first, self._tail),) if self._tail else ()
        return (*self._sealed, *tail)

    def _seal(self) -> None:
        self._sealed.append(segment(self._tail_first, self._tail))
        self._tail_first += len(self._tail)
        self._tail, self._tail_bytes = [], 0
        while self._has_a_row_of_equals():
            last = self._sealed[-_GROWTH:]
            del self._sealed[-_GROWTH:]
            self._sealed.append(_joined(last))
        self._lines.clear()

    def _has_a_row_of_equals(self) -> bool:
        last = self._sealed[-_GROWTH:]
        return len(last) == _GROWTH and len({_size_class(one) for one in last}) == 1


def _size_class(one: Segment) -> int:
    return int(math.log(max(1, len(one.data) // PART_BYTES), _GROWTH) + 1e-9)


def _joined(segments: Sequence[Segment]) -> Segment:
    return Segment(
        first=segments[0].first,
        count=sum(one.count for one in segments),
        data=b"".join(one.data.rstrip(b"\n") + b"\n" for one in segments),
    )


class Events(Sequence[Any]):
    """The events of a session, oldest first; each is decoded when it is looked at."""

    def __init__(self, log: EventLog) -> None:
        self._log = log

    def __len__(self) -> int:
        return len(self._log)

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> list[Any]: ...
    def __getitem__(self, index: int | slice) -> Any:
        numbers = range(len(self._log))[index]
        if isinstance(numbers, range):
            return [self._decoded(number) for number in numbers]
        return self._decoded(numbers)

    def lines(self) -> Iterator[bytes]:
        """The events as they are stored, each as JSON."""
        return self._log.lines()

    def _decoded(self, number: int) -> Any:
        return values.decode(values.from_bytes(self._log.line(number)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<{len(self)} events>"
