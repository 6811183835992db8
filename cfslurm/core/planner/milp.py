"""A mixed-integer linear programme as data, and what a solver made of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A variable and its bounds; no upper bound is infinity."""

    name: str
    lower: float = 0.0
    upper: float = float("inf")
    is_integer: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A constraint. Its name is what an infeasible plan is explained with."""

    name: str
    terms: Mapping[str, float]
    sense: Literal["<=", ">=", "=="]
    bound: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Milp:
    """Minimise ``objective`` over ``columns`` under ``rows``; all of them sorted by name."""

    columns: tuple[Column, ...]
    objective: Mapping[str, float]
    rows: tuple[Row, ...]


class Outcome(StrEnum):
    """What a solver can honestly say."""

    OPTIMAL = "optimal"
    FEASIBLE = "feasible"  # a limit stopped it; the values hold, but may not be the best
    INFEASIBLE = "infeasible"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Solution:
    """Values by column; empty unless the outcome is OPTIMAL or FEASIBLE."""

    outcome: Outcome
    values: Mapping[str, float] = field(default_factory=dict)
    solver: str = ""

    @property
    def has_values(self) -> bool:
        """True if there is something to go by."""
        return self.outcome in (Outcome.OPTIMAL, Outcome.FEASIBLE)
