"""A "no" as a value."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why something that a Hub offers is not taken, in the user's words."""

    reason: str
