"""What can go wrong on the way, on purpose."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A fault for the next ``times`` requests whose ``METHOD /path?query`` the pattern is found in.

    ``status`` answers with that status; ``truncate`` sends ``bytes`` bytes of the promised body and
    hangs up; ``corrupt`` flips one bit; ``slow`` waits ``seconds`` before it answers; ``drop`` hangs
    up without an answer; ``whole`` knows no ranges; ``page`` answers 200 with a login page in HTML; ``circle`` redirects to itself;
    ``drip`` sends a byte every ``seconds``.
    """

    match: str
    kind: Literal[
        "status", "truncate", "corrupt", "slow", "drop", "page", "circle", "drip", "whole"
    ]
    times: int = 1
    status: int = 503
    headers: Mapping[str, str] = field(default_factory=dict)
    bytes: int = 100
    seconds: float = 60.0


class Faults:
    """The faults that wait for their request."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[tuple[Fault, int]] = []

    def add(self, fault: Fault) -> None:
        """Let it happen."""
        with self._lock:
            self._waiting.append((fault, fault.times))

    def clear(self) -> None:
        """Let nothing more happen."""
        with self._lock:
            self._waiting.clear()

    def take(self, request_line: str) -> Fault | None:
        """The first fault that matches, one time less."""
        with self._lock:
            for index, (fault, left) in enumerate(self._waiting):
                if re.search(fault.match, request_line):
                    if left > 1:
                        self._waiting[index] = (fault, left - 1)
                    else:
                        del self._waiting[index]
                    return fault
        return None
