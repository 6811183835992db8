"""The calibration ledger: one JSON object a line, appended and never changed.

A line that is torn, of another version, too long, or has a number out of bounds is left out and
counted: a damaged ledger costs what it has lost and nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

from cfslurm.core.models.calibration import Basis, Observation, Quantity, Subject

SCHEMA = "cfslurm.calibration/1"
_LONGEST_LINE = 4096
_LONGEST_WORD = 400
_LARGEST = 1e15  # bytes of a GPU, seconds and tokens/s stay far below
_WORDS = ("cluster", "gpu", "engine", "variant", "work", "user", "run", "at")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """What a ledger holds, and how many of its lines say nothing that can be used."""

    observations: tuple[Observation, ...]
    refused: int


def line_of(observation: Observation) -> str:
    """An observation as a line."""
    subject = observation.subject
    data = {
        "schema": SCHEMA,
        "quantity": observation.quantity.value,
        "basis": observation.basis.value,
        "cluster": subject.cluster,
        "gpu": subject.gpu,
        "engine": subject.engine,
        "variant": subject.variant,
        "work": subject.work,
        "user": observation.user,
        "run": observation.run,
        "at": observation.at,
        "predicted": observation.predicted,
        "measured": observation.measured,
        "count": observation.count,
    }
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")) + "\n"


def read_lines(lines: Iterable[str], *, user: str) -> Lines:
    """The observations of a user's ledger; nobody can speak for somebody else in their own."""
    observations: list[Observation] = []
    refused = 0
    for line in lines:
        if not line.strip():
            continue
        found = _observation(line)
        if found is None or found.user != user or not found.is_believable:
            refused += 1
        else:
            observations.append(found)
    return Lines(observations=tuple(observations), refused=refused)


def _observation(line: str) -> Observation | None:
    if len(line) > _LONGEST_LINE:
        return None
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        return None
    words = {name: data.get(name) for name in _WORDS}
    count = data.get("count")
    if not all(isinstance(word, str) and len(word) <= _LONGEST_WORD for word in words.values()):
        return None
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        return None
    return _from(data, words, count)


def _from(data: Mapping[str, Any], words: Mapping[str, Any], count: int) -> Observation | None:
    predicted, measured = _number(data.get("predicted")), _number(data.get("measured"))
    try:
        quantity, basis = Quantity(str(data.get("quantity"))), Basis(str(data.get("basis")))
    except ValueError:
        return None
    if predicted is None or measured is None:
        return None
    return Observation(
        subject=Subject(
            cluster=words["cluster"],
            gpu=words["gpu"],
            engine=words["engine"],
            variant=words["variant"],
            work=words["work"],
        ),
        quantity=quantity,
        basis=basis,
        user=words["user"],
        run=words["run"],
        at=words["at"],
        predicted=predicted,
        measured=measured,
        count=count,
    )


def _number(value: object) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if isfinite(number) and 0 < number <= _LARGEST else None
