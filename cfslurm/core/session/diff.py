"""What has changed between two states of a session."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cfslurm.core.documents import STRICT
from cfslurm.core.session import values
from cfslurm.core.session.content import Snapshot
from cfslurm.core.session.survey import short

if TYPE_CHECKING:
    from cfslurm.core.session.values import Datum


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyChange:
    """A key of the state and its value before and after, in a line each; empty where there is none."""

    __pydantic_config__ = STRICT

    key: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Between an earlier and a later state. ``events_kept`` counts the events that both begin with."""

    __pydantic_config__ = STRICT

    earlier: str
    later: str
    keys: tuple[KeyChange, ...]
    events_before: int
    events_after: int
    events_kept: int
    steps: tuple[KeyChange, ...]

    @property
    def is_empty(self) -> bool:
        """True if nothing has changed."""
        same = self.events_before == self.events_after == self.events_kept
        return same and not self.keys and not self.steps


def difference(earlier: Snapshot, later: Snapshot) -> Difference:
    """Compare two snapshots, arrays to the last bit."""
    return Difference(
        earlier=_named(earlier),
        later=_named(later),
        keys=_changes(dict(earlier.state), dict(later.state)),
        events_before=len(earlier.events),
        events_after=len(later.events),
        events_kept=_kept(earlier, later),
        steps=_changes(dict(earlier.steps), dict(later.steps)),
    )


def _named(found: Snapshot) -> str:
    return f"{found.name} generation {found.generation} of epoch {found.epoch}"


def _changes(before: dict[str, object], after: dict[str, object]) -> tuple[KeyChange, ...]:
    keys = [*before, *(key for key in after if key not in before)]
    return tuple(
        KeyChange(
            key=key,
            before=short(before[key]) if key in before else "",
            after=short(after[key]) if key in after else "",
        )
        for key in keys
        if key not in before or key not in after or _bits(before[key]) != _bits(after[key])
    )


def _bits(value: object) -> tuple[object, ...]:
    """Equal for equal values only."""
    data: dict[str, Datum] = {}
    tree = values.encode({"": value}, name="value", data=data)
    arrays = (
        (path, item if isinstance(item, bytes) else (item.dtype.str, item.shape, item.tobytes()))
        for path, item in data.items()
    )
    return values.to_bytes(tree), *arrays


def _kept(earlier: Snapshot, later: Snapshot) -> int:
    count = 0
    for one, other in zip(earlier.events.lines(), later.events.lines(), strict=False):
        if one != other:
            break
        count += 1
    return count
