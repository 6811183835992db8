"""Trying again."""

from __future__ import annotations

import pytest

from cfslurm.errors import CfslurmError, HubAccessError, HubUnavailableError
from cfslurm.stages.retrying import retrying
from tests.hub.fake import FakeClock


class Action:
    """Fails as often as it is told, then answers how often it was called."""

    def __init__(self, *errors: CfslurmError) -> None:
        self.errors = list(errors)
        self.calls = 0

    def __call__(self) -> int:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return self.calls


def down() -> HubUnavailableError:
    return HubUnavailableError("down", remedy="wait")


def test_success_is_not_repeated() -> None:
    clock = FakeClock()
    assert retrying(Action(), clock=clock) == 1
    assert clock.slept == []


def test_what_may_pass_is_tried_again_ever_more_slowly() -> None:
    clock = FakeClock()
    action = Action(down(), down(), down())
    assert retrying(action, clock=clock, attempts=4, first_wait_s=0.5) == 4
    assert clock.slept == [0.5, 1.0, 2.0]


def test_the_last_error_is_raised() -> None:
    clock = FakeClock()
    errors = [down(), down()]
    with pytest.raises(HubUnavailableError) as raised:
        retrying(Action(*errors), clock=clock, attempts=2)
    assert raised.value is errors[-1]
    assert clock.slept == [1.0]


def test_what_does_not_pass_is_not_tried_again() -> None:
    clock = FakeClock()
    action = Action(HubAccessError("gated", remedy="ask"))
    with pytest.raises(HubAccessError):
        retrying(action, clock=clock)
    assert (action.calls, clock.slept) == (1, [])


def test_a_bug_is_not_tried_again() -> None:
    with pytest.raises(ZeroDivisionError):
        retrying(lambda: 1 // 0, clock=FakeClock())


def test_the_hub_is_left_alone_as_long_as_it_asks() -> None:
    clock = FakeClock()
    busy = HubUnavailableError("busy", remedy="wait", wait_s=55)
    assert retrying(Action(busy, down()), clock=clock) == 3
    assert clock.slept == [55, 2]


def test_nobody_waits_for_an_hour() -> None:
    clock = FakeClock()
    busy = HubUnavailableError("busy", remedy="wait", wait_s=3600)
    with pytest.raises(HubUnavailableError):
        retrying(Action(busy), clock=clock)
    assert clock.slept == []
