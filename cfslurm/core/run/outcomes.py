"""How work ended: the lines that attempts write, and what they add up to.

An attempt is one start of an array task or of a gang's component. It alone writes its file
``outcomes/<job key>/<name>.<attempt>.jsonl``, whose name tells a later attempt what is older; the
name is the number of the array task or the component's.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from cfslurm.core.documents import Json


class Event(StrEnum):
    """What an attempt can tell."""

    ATTEMPT = "attempt"  # an attempt begins
    START = "start"  # an item begins
    DONE = "done"  # an item has ended well; final
    FAILED = "failed"  # an item has failed as often as it may; final
    RETRY = "retry"  # an item has failed and is tried again
    INTERRUPTED = "interrupted"  # an item was cut off and goes back to the queue
    END = "end"  # the attempt is over


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptFile:
    """The name of an attempt's file, taken apart."""

    name: str
    attempt: int


def file_name(name: str, attempt: int) -> str:
    """The file of an attempt."""
    return f"{name}.{attempt}.jsonl"


def parse_file_name(text: str) -> AttemptFile | None:
    """The inverse of `file_name`; None for another file."""
    stem, dot, number = text.removesuffix(".jsonl").rpartition(".")
    if not text.endswith(".jsonl") or not dot or not number.isdigit():
        return None
    return AttemptFile(name=stem, attempt=int(number))


def read_lines(text: str) -> tuple[Mapping[str, Any], ...]:
    """The events of a file; a last line that a crash has torn is left out."""
    events = []
    for line in text.splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict) and "event" in event:
            events.append(event)
    return tuple(events)


def line(event: Event, *, at: float, **fields: Json) -> str:
    """One event as a line."""
    data = {"event": event.value, "at": round(at, 3), **fields}
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")) + "\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemState:
    """Where an item stands, from all attempts together.

    ``state`` is ``waiting``, ``running``, ``done`` or ``failed``; ``starts`` counts how often it
    began; ``results`` how often it was reported done: more than once would be a defect.
    """

    item: int
    state: str
    starts: int
    results: int
    node: str
    node_class: str
    variant: str
    seconds: float
    exit_code: int | None
    result: Json


def item_states(events: Iterable[Mapping[str, Any]]) -> dict[int, ItemState]:
    """Fold the events of all attempts of a job, oldest attempt first, into a state for each item.

    Done is final, whatever comes after it; items that never began are not in the answer.
    """
    states: dict[int, ItemState] = {}
    where: Mapping[str, Any] = {}
    for event in events:
        kind = event["event"]
        if kind == Event.ATTEMPT:
            where = event
        if "item" not in event:
            continue
        item = int(event["item"])
        before = states.get(item)
        if before is not None and before.state == "done" and kind != Event.DONE:
            continue
        states[item] = _next_state(item, before, kind, event, where)
    return states


def _next_state(
    item: int,
    before: ItemState | None,
    kind: str,
    event: Mapping[str, Any],
    where: Mapping[str, Any],
) -> ItemState:
    state = {
        Event.START.value: "running",
        Event.DONE.value: "done",
        Event.FAILED.value: "failed",
        Event.RETRY.value: "running",
        Event.INTERRUPTED.value: "waiting",
    }.get(kind, before.state if before else "waiting")
    return ItemState(
        item=item,
        state=state,
        starts=(before.starts if before else 0) + (kind == Event.START),
        results=(before.results if before else 0) + (kind == Event.DONE),
        node=str(where.get("node", "")),
        node_class=str(where.get("class", "")),
        variant=str(where.get("variant", "")),
        seconds=float(event.get("seconds", before.seconds if before else 0.0)),
        exit_code=event.get("exit", before.exit_code if before else None),
        result=event.get("result", before.result if before else None),
    )


def retries_used(events: Iterable[Mapping[str, Any]], item: int | None = None) -> int:
    """How often an item, or a gang, has failed and was tried again."""
    return sum(e["event"] == Event.RETRY and e.get("item") == item for e in events)


def finished_items(events: Iterable[Mapping[str, Any]]) -> set[int]:
    """The items that must not run again."""
    final = (Event.DONE.value, Event.FAILED.value)
    return {int(event["item"]) for event in events if event["event"] in final}
