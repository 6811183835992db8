"""What one generation holds, and how a session's values become it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, overload

from cfslurm.core.documents import Json
from cfslurm.core.session import values
from cfslurm.core.session.layout import GenerationId
from cfslurm.errors import SessionError

if TYPE_CHECKING:
    from cfslurm.core.session.values import Datum


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """Where a generation comes from.

    Shape: ``parent`` is the file name of the generation it goes on from and the hexadecimal digest
        of that, as ``g0003-000000000056.h5:1f…``; empty in the first. ``saved_at`` is UTC.
    """

    id: GenerationId
    session: str
    writer: str
    parent: str
    saved_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """A generation in memory: JSON as bytes, arrays and long bytes by path, events as lines."""

    state_json: bytes = b"{}"
    data: Mapping[str, Datum] = field(default_factory=dict)
    events: Sequence[bytes] = ()
    steps_json: bytes = b"{}"
    rng_json: bytes = b"{}"


@dataclass(slots=True, kw_only=True)
class Values:
    """What a session is about: the user's state, and what is kept beside it.

    ``steps`` and ``rng`` hold encoded values by name; ``lines`` the events, encoded, oldest first.
    """

    state: dict[str, Any] = field(default_factory=dict)
    lines: list[bytes] = field(default_factory=list)
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
        events=tuple(held.lines),
        steps_json=values.to_bytes(held.steps),
        rng_json=values.to_bytes(held.rng),
    )


def unpack(content: Content) -> Values:
    """Undo `pack`; every object is new.

    Raises:
        SessionError: the content was not written by `pack`.
    """
    state = values.decode(values.from_bytes(content.state_json), data=content.data)
    steps = values.from_bytes(content.steps_json)
    rng = values.from_bytes(content.rng_json)
    if not (isinstance(state, dict) and isinstance(steps, dict) and isinstance(rng, dict)):
        raise SessionError(
            "the session's state, steps or generators are no mapping",
            remedy="Move the newest generation out of the folder; the one before it is read then.",
        )
    return Values(state=state, lines=list(content.events), steps=steps, rng=rng)


class Events(Sequence[Any]):
    """The events of a session, oldest first; each is decoded when it is looked at."""

    def __init__(self, lines: Sequence[bytes]) -> None:
        self._lines = lines

    def __len__(self) -> int:
        return len(self._lines)

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> list[Any]: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return [values.decode(values.from_bytes(line)) for line in self._lines[index]]
        return values.decode(values.from_bytes(self._lines[index]))

    def __iter__(self) -> Iterator[Any]:
        return (values.decode(values.from_bytes(line)) for line in self._lines)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<{len(self)} events>"


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
