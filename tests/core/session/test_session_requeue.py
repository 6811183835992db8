"""Requeue decisions, all of them."""

from __future__ import annotations

import itertools

import pytest

from cfslurm.core.session.requeue import Action, Budget, Event, Progress, on_event

SAVE, REQUEUE, GIVE_UP = Action.SAVE, Action.REQUEUE, Action.GIVE_UP
SOME, NONE = Progress.SOME, Progress.NONE


@pytest.mark.parametrize(
    ("event", "progress", "before", "after", "actions"),
    [
        (Event.FINISHED, SOME, (0, 0), (0, 0), (SAVE,)),
        (Event.FINISHED, NONE, (0, 0), (0, 0), (SAVE,)),
        (Event.PREEMPTED, SOME, (0, 0), (0, 0), (SAVE, REQUEUE)),
        (Event.PREEMPTED, NONE, (0, 0), (0, 0), (SAVE, REQUEUE)),
        (Event.WALL_TIME_NEAR, SOME, (0, 0), (0, 0), (SAVE, REQUEUE)),
        (Event.WALL_TIME_NEAR, SOME, (2, 2), (2, 2), (SAVE, REQUEUE)),
        (Event.WALL_TIME_NEAR, NONE, (2, 2), (1, 2), (SAVE, REQUEUE)),
        (Event.WALL_TIME_NEAR, NONE, (0, 2), (0, 2), (SAVE, GIVE_UP)),
        (Event.CRASHED, SOME, (2, 2), (2, 1), (REQUEUE,)),
        (Event.CRASHED, NONE, (2, 2), (2, 1), (REQUEUE,)),
        (Event.CRASHED, SOME, (2, 0), (2, 0), (GIVE_UP,)),
        (Event.OUT_OF_MEMORY, SOME, (2, 2), (2, 1), (REQUEUE,)),
        (Event.OUT_OF_MEMORY, SOME, (2, 0), (2, 0), (GIVE_UP,)),
        (Event.OUT_OF_MEMORY, NONE, (2, 2), (2, 2), (GIVE_UP,)),
        (Event.SETUP_FAILED, NONE, (2, 2), (2, 1), (REQUEUE,)),
        (Event.SETUP_FAILED, NONE, (2, 0), (2, 0), (GIVE_UP,)),
    ],
)
def test_decision(
    event: Event,
    progress: Progress,
    before: tuple[int, int],
    after: tuple[int, int],
    actions: tuple[Action, ...],
) -> None:
    budget = Budget(timeouts_left=before[0], crashes_left=before[1])
    expected = Budget(timeouts_left=after[0], crashes_left=after[1])
    assert on_event(budget, event, progress) == (expected, actions)


@pytest.mark.parametrize(("event", "progress"), [*itertools.product(Event, Progress)])
def test_nothing_but_preemption_and_progress_is_free_for_ever(
    event: Event, progress: Progress
) -> None:
    budget = Budget(timeouts_left=5, crashes_left=5)
    for _ in range(20):
        budget, actions = on_event(budget, event, progress)
    free = event is Event.PREEMPTED or (event is Event.WALL_TIME_NEAR and progress is SOME)
    assert (REQUEUE in actions) is free
    assert min(budget.timeouts_left, budget.crashes_left) >= 0
