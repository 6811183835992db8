"""Rounds: checkpoints that the components of a gang make together, and which of them count.

A component marks a generation as its checkpoint of a round with an empty file beside it. Before any
component of an attempt starts, all say which rounds they have; the attempt starts from the newest that
everybody has, and what any of them has done in later rounds never counts again, whoever comes late.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from cfslurm.core.session.layout import GenerationId, read_listing

MAX_ROUND = 10**12 - 1
_MARK = re.compile(r"r(\d{12})-a(\d{6})-(g\d+-\d+)")


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Mark:
    """A generation that is the checkpoint of a round, made in an attempt of the gang."""

    round: int
    attempt: int
    id: GenerationId

    @property
    def name(self) -> str:
        """The file's name."""
        stem = self.id.file_name.removesuffix(".h5")
        return f"r{self.round:012d}-a{self.attempt:06d}-{stem}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """From which round an attempt has started; 0 is the very beginning."""

    attempt: int
    round: int


def read_marks(names: Collection[str]) -> tuple[Mark, ...]:
    """The marks in a folder whose generations are there."""
    found = []
    for name in names:
        match = _MARK.fullmatch(name)
        if match and f"{match[3]}.h5" in names:
            (which,) = read_listing([f"{match[3]}.h5"]).generations or (None,)
            if which is not None:
                found.append(Mark(round=int(match[1]), attempt=int(match[2]), id=which))
    return tuple(sorted(found))


def mark_names(names: Iterable[str]) -> frozenset[str]:
    """The names that are marks, whether their generations are there or not."""
    return frozenset(name for name in names if _MARK.fullmatch(name))


def valid(marks: Iterable[Mark], starts: Sequence[Start]) -> dict[int, GenerationId]:
    """The rounds that count, each with its newest generation.

    A mark does not count if an attempt after its own has started from an earlier round.
    """
    counted = (
        mark
        for mark in marks
        if all(mark.round <= start.round for start in starts if start.attempt > mark.attempt)
    )
    return {mark.round: mark.id for mark in sorted(counted)}


def common(rounds: Mapping[str, Iterable[int]]) -> int:
    """The newest round that all components have; 0 if there is none.

    >>> common({"a": [3, 4, 5], "b": [4, 3]}), common({"a": [1], "b": []})
    (4, 0)
    """
    sets = [frozenset(one) for one in rounds.values()]
    return max(frozenset.intersection(*sets) if sets else (), default=0)


def complete(newest: Iterable[int]) -> int:
    """The newest round that all have reached, of the newest round of each: older ones may go."""
    return min(newest, default=0)
