"""What happens after an attempt of a job with a session: save, requeue, give up."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, auto


class Event(Enum):
    """How an attempt ended, or is about to end."""

    FINISHED = auto()
    PREEMPTED = auto()  # also a node that failed, and an administrator's requeue
    WALL_TIME_NEAR = auto()
    CRASHED = auto()
    OUT_OF_MEMORY = auto()
    SETUP_FAILED = auto()  # the node could not start the program


class Action(Enum):
    """What the caller does about it, in this order."""

    SAVE = auto()
    REQUEUE = auto()
    GIVE_UP = auto()


class Progress(Enum):
    """Whether the attempt saved anything that the attempt before it had not."""

    SOME = auto()
    NONE = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How many attempts may still be lost: to time limits without progress, and to failures."""

    timeouts_left: int
    crashes_left: int


def on_event(budget: Budget, event: Event, progress: Progress) -> tuple[Budget, tuple[Action, ...]]:
    """Decide, do nothing.

    Preemption is the cluster's doing, so it costs no budget. A time limit costs nothing as long as
    each attempt gets further; a job that must restart at the same step costs. Out of memory
    without progress would happen again at the same place, so it ends at once.
    """
    match event:
        case Event.FINISHED:
            return budget, (Action.SAVE,)
        case Event.PREEMPTED:
            return budget, (Action.SAVE, Action.REQUEUE)
        case Event.WALL_TIME_NEAR if progress is Progress.SOME:
            return budget, (Action.SAVE, Action.REQUEUE)
        case Event.WALL_TIME_NEAR if budget.timeouts_left > 0:
            spent = replace(budget, timeouts_left=budget.timeouts_left - 1)
            return spent, (Action.SAVE, Action.REQUEUE)
        case Event.WALL_TIME_NEAR:
            return budget, (Action.SAVE, Action.GIVE_UP)
        case Event.OUT_OF_MEMORY if progress is Progress.NONE:
            return budget, (Action.GIVE_UP,)
        case Event.CRASHED | Event.OUT_OF_MEMORY | Event.SETUP_FAILED if budget.crashes_left > 0:
            return replace(budget, crashes_left=budget.crashes_left - 1), (Action.REQUEUE,)
        case Event.CRASHED | Event.OUT_OF_MEMORY | Event.SETUP_FAILED:
            return budget, (Action.GIVE_UP,)
