r"""The journal of a generation: what must be durable before the next one, a line each.

Shape: ``<crc32 in 8 hexadecimal digits> <JSON>\n``; the first line says whose journal it is, every
other has a ``kind`` and the epoch of its writer. A crash can tear only the last line; it is then not
there. Events count once a commit stands behind them.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from cfslurm.core.documents import Json
from cfslurm.core.session import values
from cfslurm.core.session.layout import JOURNAL_SCHEMA, GenerationId, newer_error
from cfslurm.core.session.trailer import SALT_BYTES
from cfslurm.errors import SessionError

SCHEMAS = ("cfslurm.session.journal/1", JOURNAL_SCHEMA)
_EVENT = b'{"kind":"event","epoch":%d,"event":%s}'
_EVENT_HEAD = b'{"kind":"event","epoch":'


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a commit changes: values by key, encoded; keys that go; events; states of generators.

    A value that is set again keeps its place in the order of keys; a new one comes last.
    """

    put: Mapping[str, Json] = field(default_factory=dict)
    drop: tuple[str, ...] = ()
    events: tuple[bytes, ...] = ()
    rng: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What a journal says: results by key, commits in their order, and how many lines are damaged.

    An interrupted write at the very end is not counted: nobody was told that it is safe. Commits
    behind a damaged line are not there: they would be changes to something else.
    """

    steps: dict[str, Json] = field(default_factory=dict)
    commits: tuple[Change, ...] = ()
    damaged: int = 0


def line(text: bytes) -> bytes:
    """Text as one line of a journal."""
    return b"%08x %s\n" % (zlib.crc32(text), text)


def header(session: str, after: GenerationId) -> bytes:
    """The first line of a journal."""
    record: Json = {
        "schema": JOURNAL_SCHEMA,
        "session": session,
        "epoch": after.epoch,
        "generation": after.generation,
    }
    return values.to_bytes(record)


def salt_of(raw: bytes) -> bytes | None:
    """What a sealed journal says in its first line; None if it is not sealed, or empty."""
    first, _, _ = raw.partition(b"\n")
    text = _text(first)
    record = values.from_bytes(text) if text is not None else None
    salt = record.get("salt") if isinstance(record, dict) else None
    if not isinstance(salt, str):
        return None
    try:
        found = bytes.fromhex(salt)
    except ValueError:
        found = b""
    if len(found) != SALT_BYTES:
        raise newer_error("a salt of another length")
    return found


def step_text(epoch: int, key: str, result: Json) -> bytes:
    """The record of a step's result."""
    return values.to_bytes({"kind": "step", "epoch": epoch, "key": key, "result": result})


def commit_texts(epoch: int, change: Change) -> tuple[bytes, ...]:
    """The records of a commit: its events, then what ends it."""
    end: dict[str, Json] = {"kind": "commit", "epoch": epoch, "events": len(change.events)}
    if change.put:
        end["set"] = dict(change.put)
    if change.drop:
        end["drop"] = list(change.drop)
    if change.rng:
        end["rng"] = dict(change.rng)
    return (*(_EVENT % (epoch, event) for event in change.events), values.to_bytes(end))


def read_journal(
    raw: bytes, after: GenerationId, opened: Callable[[bytes, int], bytes | None] | None = None
) -> Recorded:
    """Read every line that is whole; a step's result is a fact of its own.

    ``opened`` makes the text of a line of a sealed journal readable, given the number of the line;
    None if it is not what was once written.

    Raises:
        SessionError: it was written by a newer cfslurm, or belongs to another generation.
    """
    *lines, _torn = raw.split(b"\n")
    reader = _Reader(after)
    for number, one in enumerate(lines):
        text = _text(one)
        if text is not None and opened is not None and number > 0:
            text = opened(text, number)
        reader.take(text)
    return Recorded(steps=reader.steps, commits=tuple(reader.commits), damaged=reader.damaged)


class _Reader:
    def __init__(self, after: GenerationId) -> None:
        self.after = after
        self.steps: dict[str, Json] = {}
        self.commits: list[Change] = []
        self.damaged = 0
        self._events: list[bytes] = []
        self._event_head = _EVENT_HEAD + b'%d,"event":' % after.epoch

    def take(self, text: bytes | None) -> None:
        """Read one line; None if it is damaged."""
        if text is None:
            self.damaged += 1
        elif text.startswith(self._event_head) and text.endswith(b"}"):
            self._events.append(text[len(self._event_head) : -1])
        else:
            self._record(values.from_bytes(text))

    def _record(self, record: Json) -> None:
        if isinstance(record, str):
            self.damaged += 1  # sealed, and the line that says how is damaged
            return
        told = record if isinstance(record, dict) else {}
        match told:
            case {"schema": _}:
                _check_header(told, self.after)
            case {"kind": "step", "key": str(key), "result": result}:
                if told.get("epoch", self.after.epoch) == self.after.epoch:
                    self.steps.setdefault(key, result)
            case {"kind": "commit", "epoch": int(epoch), "events": int(events)}:
                self._commit(epoch, events, told)
            case {"kind": "event", "epoch": int(_)}:
                self._events.clear()  # of another writer: no commit of ours stands behind it
            case _:
                raise newer_error("a journal record of an unknown kind")

    def _commit(self, epoch: int, events: int, rest: Mapping[str, Json]) -> None:
        put, drop, rng = rest.get("set", {}), rest.get("drop", []), rest.get("rng", {})
        keys = [key for key in drop if isinstance(key, str)] if isinstance(drop, list) else []
        if not (isinstance(put, dict) and isinstance(rng, dict)) or [*keys] != drop:
            raise newer_error("a journal commit of an unknown shape")
        waiting, self._events = tuple(self._events), []
        if self.damaged or epoch != self.after.epoch or len(waiting) != events:
            return
        self.commits.append(Change(put=put, drop=tuple(keys), events=waiting, rng=rng))


def _text(one: bytes) -> bytes | None:
    crc, _, text = one.partition(b" ")
    return text if len(crc) == 8 and crc == b"%08x" % zlib.crc32(text) else None


def _check_header(record: Mapping[str, Json], after: GenerationId) -> None:
    if record.get("schema") not in SCHEMAS:
        raise newer_error(f"journal schema {record.get('schema')!r}")
    if (record.get("epoch"), record.get("generation")) != (after.epoch, after.generation):
        raise SessionError(
            f"{after.journal_name} is the journal of another generation",
            remedy="Move it out of the folder; a recorded step that was in it runs again then.",
        )


def applied(state: Mapping[str, Json], changes: Iterable[Change]) -> dict[str, Json]:
    """An encoded state after some commits."""
    found = dict(state)
    for change in changes:
        for key in change.drop:
            found.pop(key, None)
        found.update(change.put)
    return found
