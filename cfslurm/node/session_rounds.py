"""A session's rounds: marks in its own folder, a look at those of the others in the gang."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from cfslurm.adapters.environment import Environment
from cfslurm.adapters.files import sync_folder
from cfslurm.core.session.layout import GenerationId
from cfslurm.core.session.rounds import (
    MAX_ROUND,
    Mark,
    Start,
    complete,
    mark_names,
    read_marks,
    valid,
)
from cfslurm.errors import SessionError

if TYPE_CHECKING:
    from cfslurm.adapters.session_writer import SessionWriter

_VARIABLE = "CFSLURM_SESSION_ROUNDS"


@dataclass(frozen=True, slots=True, kw_only=True)
class Together:
    """What a component is told of its gang's rounds: all starts up to this attempt's, who else there is."""

    starts: tuple[Start, ...]
    peers: tuple[Path, ...] = ()

    @property
    def attempt(self) -> int:
        """The present attempt."""
        return self.starts[-1].attempt

    @property
    def start(self) -> int:
        """The round that this attempt starts from."""
        return self.starts[-1].round

    def text(self) -> str:
        """For the environment."""
        return json.dumps(
            {
                "starts": [[start.attempt, start.round] for start in self.starts],
                "peers": [str(peer) for peer in self.peers],
            }
        )


ALONE = Together(starts=(Start(attempt=0, round=0),))


def told(environment: Environment) -> Together | None:
    """What the environment says of rounds; None outside a gang that has them.

    Raises:
        SessionError: it makes no sense.
    """
    text = environment.get(_VARIABLE)
    if text is None:
        return None
    try:
        data = json.loads(text)
        return Together(
            starts=tuple(Start(attempt=int(a), round=int(r)) for a, r in data["starts"]),
            peers=tuple(Path(peer) for peer in data["peers"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise SessionError(
            f"{_VARIABLE} is {text[:80]!r}", remedy="cfslurm sets it; do not change it."
        ) from error


def marked(folder: Path, starts: tuple[Start, ...]) -> dict[int, GenerationId]:
    """The rounds of a session that count."""
    return valid(read_marks(_names(folder)), starts)


def is_begun(folder: Path, together: Together) -> bool:
    """True once the session was opened in this attempt."""
    return any(mark.attempt == together.attempt for mark in read_marks(_names(folder)))


def _names(folder: Path) -> frozenset[str]:
    try:
        return frozenset(path.name for path in folder.iterdir())
    except FileNotFoundError:
        return frozenset()


@dataclass(slots=True, kw_only=True)
class Rounds:
    """Marks the rounds of one session, and keeps those that a restart of the gang may need."""

    folder: Path
    writer: SessionWriter
    together: Together = ALONE
    last: int = field(init=False)

    def __post_init__(self) -> None:
        self.last = max(marked(self.folder, self.together.starts), default=0)

    def begin(self, generation: int) -> None:
        """Mark the first generation of an attempt as the round that all start from.

        Raises:
            SessionSupersededError: a later attempt has the session.
            OSError: the folder cannot be written.
        """
        if self.together is not ALONE and not is_begun(self.folder, self.together):
            self.record(self.together.start, generation)

    def check(self, number: int) -> None:
        """Refuse a number that is none, or does not grow.

        Raises:
            SessionError: it is no later round than the last.
        """
        if type(number) is not int or not self.last < number <= MAX_ROUND:
            raise SessionError(
                f"round {number!r} does not come after round {self.last}",
                remedy="Count rounds up from 1; after a restart go on behind session.round.",
            )

    def record(self, number: int, generation: int) -> None:
        """Mark a generation that was just saved, and forget rounds before the last that all have.

        Raises:
            SessionSupersededError: a later attempt has the session.
            OSError: the folder cannot be written.
        """
        which = GenerationId(self.writer.claim.epoch, generation)
        mark = Mark(round=number, attempt=self.together.attempt, id=which)
        (self.folder / mark.name).touch(mode=0o600)
        sync_folder(self.folder)
        self.writer.check_fence()
        self.last = number
        self._forget()

    def _forget(self) -> None:
        names = _names(self.folder)
        starts = self.together.starts
        mine = valid(read_marks(names), starts)
        newest = [max(marked(peer, starts), default=0) for peer in self.together.peers]
        oldest = complete([self.last, *newest])
        kept = {which for number, which in mine.items() if number >= oldest}
        needed = {mark.name for mark in read_marks(names) if mark.id in kept}
        for name in mark_names(names) - needed:
            (self.folder / name).unlink(missing_ok=True)
