"""Events of a session as a conversation, where they are messages with a role."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from cfslurm.core.report.tables import printable
from cfslurm.core.session.survey import short

_WIDTH = 100
_TEXTS = ("content", "text", "message")


def event_text(number: int, event: Any) -> str:
    """One event: a message as its author and its text, anything else in one line."""
    if isinstance(event, Mapping) and isinstance(event.get("role"), str):
        return _message(number, event)
    return f"  {number}  {printable(short(event))}"


def _message(number: int, event: Mapping[str, Any]) -> str:
    name = event.get("name")
    author = f"{event['role']} ({name})" if isinstance(name, str) else event["role"]
    body = next((event[key] for key in _TEXTS if event.get(key) is not None), None)
    lines = [f"  {number}  {printable(author)}:", *_body(body)]
    calls = event.get("tool_calls")
    for call in calls if isinstance(calls, Sequence) and not isinstance(calls, str) else ():
        lines.append(f"      calls {printable(_call(call))}")
    known = {"role", "name", "tool_calls", *_TEXTS}
    lines += [f"      {key}: {printable(short(v))}" for key, v in event.items() if key not in known]
    return "\n".join(lines)


def _body(body: Any) -> list[str]:
    if body is None:
        return []
    if isinstance(body, str):
        return [
            f"      {line}"
            for paragraph in body.splitlines()
            for line in textwrap.wrap(printable(paragraph), _WIDTH) or [""]
        ]
    if isinstance(body, Sequence) and not isinstance(body, bytes):
        return [line for part in body for line in _part(part)]
    return [f"      {printable(short(body))}"]


def _part(part: Any) -> list[str]:
    """A piece of a message: its text, or what else it is."""
    if isinstance(part, Mapping) and isinstance(part.get("text"), str):
        return _body(part["text"])
    return [f"      {printable(short(part))}"]


def _call(call: Any) -> str:
    """A tool and its arguments."""
    inner = call.get("function", call) if isinstance(call, Mapping) else None
    if isinstance(inner, Mapping) and isinstance(inner.get("name"), str):
        told = inner.get("arguments", inner.get("args"))
        return f"{inner['name']}({told if isinstance(told, str) else short(told)})"
    return short(call)
