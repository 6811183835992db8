"""Which rounds count: by example, and by a model of gangs that die anywhere."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cfslurm.core.session.layout import GenerationId
from cfslurm.core.session.rounds import Mark, Start, common, complete, read_marks, valid


def mark(number: int, attempt: int, generation: int) -> Mark:
    return Mark(round=number, attempt=attempt, id=GenerationId(attempt + 1, generation))


def test_names_come_back_and_strangers_are_passed_over() -> None:
    one = mark(7, 2, 19)
    names = {one.name, one.id.file_name, mark(8, 2, 20).name, "rubbish", "r1-a1-g1-1", "g1.h5"}
    assert read_marks(names) == (one,)


def test_what_a_late_component_has_done_before_does_not_count() -> None:
    starts = (Start(attempt=0, round=0), Start(attempt=1, round=5))
    ahead = [mark(number, 0, number) for number in (5, 6, 7, 8)]  # has not been opened since
    redone = [mark(5, 0, 5), mark(5, 1, 6), mark(6, 1, 7)]
    assert sorted(valid(ahead, starts)) == [5]
    assert valid(redone, starts) == {5: GenerationId(2, 6), 6: GenerationId(2, 7)}
    assert common({"a": valid(ahead, starts), "b": valid(redone, starts)}) == 5


class Component:
    """What a component has on its disk: marks, each with the past that led to it."""

    def __init__(self) -> None:
        self.marks: dict[Mark, str] = {}
        self.generation = 0

    def save(self, number: int, attempt: int, past: str) -> None:
        self.generation += 1
        self.marks[mark(number, attempt, self.generation)] = past

    def forget(self, starts: list[Start], everybody: list[Component], last: int) -> None:
        newest = [max(valid(one.marks, starts), default=0) for one in everybody if one is not self]
        oldest = complete([last, *newest])
        mine = {w for n, w in valid(self.marks, starts).items() if n >= oldest}
        self.marks = {m: h for m, h in self.marks.items() if m.id in mine}


@given(
    components=st.integers(1, 4),
    seed=st.integers(0, 10**9),
    attempts=st.integers(1, 7),
)
@settings(max_examples=300, deadline=None)
def test_an_attempt_always_starts_from_one_history(
    components: int, seed: int, attempts: int
) -> None:
    """Components at most one round apart, each killed after any number of saves, some never opened."""
    chance = random.Random(seed)
    gang = [Component() for _ in range(components)]
    starts: list[Start] = []
    reached = 0
    for attempt in range(attempts):
        rounds = {str(n): valid(one.marks, starts) for n, one in enumerate(gang)}
        start = common(rounds)
        pasts = {
            one.marks[next(m for m in one.marks if m.id == valid(one.marks, starts)[start])]
            for one in gang
            if start
        }
        assert len(pasts) <= 1  # everybody goes on from the same past
        assert start >= reached  # and never from before what all had
        past = pasts.pop() if pasts else ""
        starts.append(Start(attempt=attempt, round=start))
        at = [start] * components
        opened = [chance.random() < 0.8 for _ in gang]
        for n, one in enumerate(gang):
            if opened[n]:
                one.save(start, attempt, past)
        for _ in range(chance.randrange(12)):
            n = chance.randrange(components)
            if opened[n] and at[n] <= min(at):  # nobody runs ahead by more than a round
                at[n] += 1
                gang[n].save(at[n], attempt, f"{past}|attempt {attempt} to round {at[n]}")
                gang[n].forget(starts, gang, at[n])
        if all(opened):
            reached = min(at)


@pytest.mark.parametrize("rounds", [{}, {"a": []}, {"a": [1], "b": [2]}])
def test_without_a_common_round_all_begin_anew(rounds: dict[str, list[int]]) -> None:
    assert common(rounds) == 0
