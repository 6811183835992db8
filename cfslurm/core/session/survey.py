"""What can be told of a session from outside: its generations, whether they are whole, who wrote them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cfslurm.core.documents import STRICT

_LONGEST = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationFacts:
    """One generation, read to its last byte. ``damage`` says what is wrong with it; empty if it is whole.

    Units: ``bytes`` is the size of its file; ``journal_damage`` counts lines of its journal that
        cannot be read: the steps in them run again. ``refers_to`` are earlier generations whose files
        have large parts of it.
    """

    __pydantic_config__ = STRICT

    file: str
    bytes: int
    saved_at: str
    damage: str
    journal_damage: int
    refers_to: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFacts:
    """One session at its newest whole generation.

    ``holder`` is the process that has the session, or had it last; ``is_held`` says that it has not
    closed it. ``problem`` says why nothing can be read of it, and the numbers are 0 then.
    """

    __pydantic_config__ = STRICT

    name: str
    folder: str
    generations: int
    generation: int
    saved_at: str
    events: int
    bytes: int
    holder: str
    is_held: bool
    problem: str


def short(value: object) -> str:
    r"""A value of a session in one line, arrays and bytes by what they are.

    >>> short({"step": 3, "note": "a\nb", "raw": b"abc", "pair": (1, None)})
    '{step: 3, note: "a\\nb", raw: <3 bytes>, pair: [1, null]}'
    """
    text = _text(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _text(value: object) -> str:
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    if dtype is not None:
        return f"<{dtype}{list(shape)}>" if shape else str(value)
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case str():
            return json.dumps(value, ensure_ascii=False)
        case bytes():
            return f"<{len(value)} bytes>"
        case Mapping():
            return "{" + ", ".join(f"{key}: {_text(item)}" for key, item in value.items()) + "}"
        case Sequence():
            return "[" + ", ".join(_text(item) for item in value) + "]"
        case _:
            return str(value)
