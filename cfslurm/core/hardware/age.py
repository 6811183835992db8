"""How old what is known of a cluster is, and where it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from cfslurm.core.hardware.graph import HardwareGraph
from cfslurm.core.slurm.units import human_seconds
from cfslurm.errors import UserInputError

# Parts that are so much older than the nodes are told apart.
_TOGETHER_S = 5.0
# A clock that is so far behind the one that dated the graph is wrong.
_SKEW_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Age:
    """How old a graph is at a moment.

    ``file`` is where it was recorded, empty for one that was read from Slurm. ``age_s`` is that of the
    nodes and of what is free; ``older_s`` has the parts that are older, in seconds.
    """

    cluster: str
    backend: str
    file: str
    read_at: str
    age_s: float
    older_s: Mapping[str, float]

    @property
    def text(self) -> str:
        """``cluster lab, read 3s ago (text); settings 4m ago``, on one line whatever the names are."""
        verb = "recorded" if self.file else "read"
        place = f"{self.backend}, {self.file}" if self.file else self.backend
        older = "".join(f"; {part} {_ago(age)}" for part, age in self.older_s.items())
        text = f"cluster {self.cluster or '?'}, {verb} {self._moment()} ({place}){older}"
        return "".join(char if char.isprintable() else "?" for char in text)

    def _moment(self) -> str:
        if self.age_s < -_SKEW_S:
            return f"{human_seconds(-self.age_s)} in the future: the clocks differ"
        return "just now" if self.age_s < 2 else _ago(self.age_s)


def age_of(graph: HardwareGraph, *, now: float, file: str = "") -> Age:
    """The age of a graph at ``now``, in seconds since the epoch.

    Raises:
        UserInputError: the graph has a date that is none.
    """
    read_at = _seconds(graph.harvested_at)
    ages = {part.name: now - _seconds(part.read_at) for part in graph.parts}
    return Age(
        cluster=graph.controller.cluster,
        backend=graph.backend,
        file=file,
        read_at=graph.harvested_at,
        age_s=round(now - read_at, 1),
        older_s={
            name: round(age, 1)
            for name, age in sorted(ages.items())
            if age > now - read_at + _TOGETHER_S
        },
    )


def _ago(seconds: float) -> str:
    return f"{seconds:.0f}s ago" if seconds < 10 else f"{human_seconds(seconds)} ago"


def _seconds(moment: str) -> float:
    try:
        return datetime.fromisoformat(moment).timestamp()
    except ValueError as error:
        raise UserInputError(
            f"{moment[:40]!r} is not a date in ISO 8601",
            remedy="Record the cluster again with `cfslurm harvest -o FILE`.",
        ) from error
