"""What one generation holds, and how a session's values become it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cfslurm.core.documents import Json
from cfslurm.core.session import values
from cfslurm.core.session.journal import Change, applied
from cfslurm.core.session.log import EventLog, Events, Segment
from cfslurm.errors import SessionError

if TYPE_CHECKING:
    from cfslurm.core.session.values import Datum


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """A generation in memory: JSON as bytes, arrays and long bytes by path, events in segments."""

    state_json: bytes = b"{}"
    data: Mapping[str, Datum] = field(default_factory=dict)
    events: tuple[Segment, ...] = ()
    steps_json: bytes = b"{}"
    rng_json: bytes = b"{}"


@dataclass(slots=True, kw_only=True)
class Values:
    """What a session is about: the user's state, and what is kept beside it.

    ``steps`` and ``rng`` hold encoded values by name; ``log`` the events, encoded, oldest first.
    """

    state: dict[str, Any] = field(default_factory=dict)
    log: EventLog = field(default_factory=EventLog)
    steps: dict[str, Json] = field(default_factory=dict)
    rng: dict[str, Json] = field(default_factory=dict)


def pack(held: Values) -> Content:
    """Encode what a session holds. Arrays are not copied: write it before anything changes.

    Raises:
        SessionError: a value that a session cannot keep.
    """
    data: dict[str, Datum] = {}
    state = values.encode(held.state, name="session", data=data)
    return Content(
        state_json=values.to_bytes(state),
        data=data,
        events=held.log.segments(),
        steps_json=values.to_bytes(held.steps),
        rng_json=values.to_bytes(held.rng),
    )


def unpack(content: Content, commits: Sequence[Change] = ()) -> Values:
    """Undo `pack`, and do what was committed since; every object is new.

    Raises:
        SessionError: the content was not written by `pack`.
    """
    state_tree = values.from_bytes(content.state_json)
    steps = values.from_bytes(content.steps_json)
    rng = values.from_bytes(content.rng_json)
    if not (isinstance(state_tree, dict) and isinstance(steps, dict) and isinstance(rng, dict)):
        raise _no_mapping()
    data = content.data
    if commits:
        changed = {values.link_name(key) for change in commits for key in _keys(change)}
        data = {path: datum for path, datum in data.items() if path.split("/")[0] not in changed}
        state_tree = applied(state_tree, commits)
    state = values.decode(state_tree, data=data)
    if not isinstance(state, dict):
        raise _no_mapping()
    log = EventLog(content.events)
    for change in commits:
        rng.update(change.rng)
        for line in change.events:
            log.append(line)
    return Values(state=state, log=log, steps=steps, rng=rng)


def _keys(change: Change) -> tuple[str, ...]:
    """The keys of the state that a commit touches, as the user wrote them."""
    return tuple(values.plain_key(key) for key in (*change.put, *change.drop))


def _no_mapping() -> SessionError:
    return SessionError(
        "the session's state, steps or generators are no mapping",
        remedy="Move the newest generation out of the folder; the one before it is read then.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A session as it was at its newest readable generation, for reading.

    ``steps`` are the results recorded by `Session.once`, also those after the generation.
    ``warnings`` says what was damaged and passed over.
    """

    name: str
    epoch: int
    generation: int
    saved_at: str
    writer: str
    state: Mapping[str, Any]
    events: Events
    steps: Mapping[str, Any]
    warnings: tuple[str, ...] = ()
