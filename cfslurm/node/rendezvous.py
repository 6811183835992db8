"""The components of a gang find each other: one small file each, in a folder of the attempt."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from cfslurm.adapters.files import write_atomic
from cfslurm.core.session.rounds import Start, common
from cfslurm.errors import SetupError
from cfslurm.ports import Clock

_PATIENCE_S = 300.0
_POLL_S = 0.1


def free_port() -> socket.socket:
    """A TCP port that nobody uses, kept until the socket is closed."""
    holder = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind(("", 0))
    return holder


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What a component says of itself: where it listens, and which rounds its session has.

    ``rounds`` is None without a coordinated session.
    """

    host: str
    port: int
    rounds: tuple[int, ...] | None = None


def meet(
    folder: Path, *, me: str, card: Card, everybody: Sequence[str], clock: Clock
) -> dict[str, Card]:
    """Say who I am and wait until all have said so: the barrier before the start.

    Raises:
        SetupError: somebody did not come within five minutes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(folder / f"{me}.json", json.dumps(asdict(card)).encode(), mode=0o600)
    deadline = clock.monotonic() + _PATIENCE_S
    missing = set(everybody)
    while missing:
        # A listing, not exists(): NFS remembers for half a minute that a name was not there.
        missing = set(everybody) - {path.name.removesuffix(".json") for path in folder.iterdir()}
        if missing and clock.monotonic() > deadline:
            raise SetupError(
                f"{', '.join(sorted(missing))} did not start within {_PATIENCE_S:.0f} s",
                remedy="`cfslurm logs RUN` shows what they printed.",
            )
        if missing:
            clock.sleep(_POLL_S)
    return {name: _read(folder / f"{name}.json") for name in everybody}


def met_before(
    folder: Path, *, attempt: int, everybody: Sequence[str]
) -> dict[int, dict[str, Card]]:
    """What all said in earlier attempts; attempts in which somebody did not come are left out.

    ``folder`` holds one folder for each attempt.
    """
    found = {}
    for earlier in range(attempt):
        with contextlib.suppress(FileNotFoundError):
            cards = {name: _read(folder / str(earlier) / f"{name}.json") for name in everybody}
            found[earlier] = cards
    return found


def starts_of(met: Mapping[int, Mapping[str, Card]]) -> tuple[Start, ...]:
    """The round that each attempt started from: the newest that all coordinated sessions had."""
    return tuple(
        Start(
            attempt=attempt,
            round=common(
                {name: card.rounds for name, card in cards.items() if card.rounds is not None}
            ),
        )
        for attempt, cards in sorted(met.items())
    )


def _read(path: Path) -> Card:
    data = json.loads(path.read_text(encoding="utf-8"))
    rounds = data["rounds"]
    return Card(
        host=str(data["host"]),
        port=int(data["port"]),
        rounds=None if rounds is None else tuple(int(number) for number in rounds),
    )
