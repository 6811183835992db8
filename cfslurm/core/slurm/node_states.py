"""The states of a node: one base state and any number of flags. Source: sinfo(1), NODE STATE CODES."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

UNKNOWN = "UNKNOWN"
_BASES = frozenset({"ALLOCATED", "DOWN", "ERROR", "FUTURE", "IDLE", "MIXED", UNKNOWN})
_FLAGS = frozenset(
    {
        "BLOCKED", "CLOUD", "COMPLETING", "DRAIN", "DYNAMIC_FUTURE", "DYNAMIC_NORM", "EXTERNAL",
        "FAIL", "INVALID_REG", "MAINTENANCE", "NOT_RESPONDING", "PERFCTRS", "PLANNED", "POWER_DOWN",
        "POWER_DRAIN", "POWER_UP", "POWERED_DOWN", "POWERING_DOWN", "POWERING_UP", "REBOOT_CANCELED",
        "REBOOT_ISSUED", "REBOOT_REQUESTED", "RESERVED", "RESUME", "UNDRAIN",
    }
)  # fmt: skip
# What one program or version writes for what another calls by the name above.
_SYNONYMS = {
    "MAINT": "MAINTENANCE",
    "REBOOT": "REBOOT_REQUESTED",
    "REBOOT^": "REBOOT_ISSUED",
    "POWER": "POWERED_DOWN",
    "INVAL": "INVALID_REG",
    "INVALID": "INVALID_REG",
    "DYN_NORM": "DYNAMIC_NORM",
    "DYN_FUTURE": "DYNAMIC_FUTURE",
    "NO_RESPOND": "NOT_RESPONDING",
    "ALLOC": "ALLOCATED",
    "MIX": "MIXED",
    "COMP": "COMPLETING",
    "DRNG": "DRAIN",
    "DRAINED": "DRAIN",
    "DRAINING": "DRAIN",
}
_MARKS = {
    "*": "NOT_RESPONDING",
    "~": "POWERED_DOWN",
    "#": "POWERING_UP",
    "%": "POWERING_DOWN",
    "!": "POWER_DOWN",
    "$": "MAINTENANCE",
    "@": "REBOOT_REQUESTED",
    "^": "REBOOT_ISSUED",
    "-": "PLANNED",
}


def read_state(words: Iterable[str]) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """Base state, sorted flags, and the words that no version of Slurm is known to use.

    With a word that is not known the state is UNKNOWN, so that the node counts as closed: nobody can
    say whether it takes jobs.

    >>> read_state(["IDLE*", "DRAIN"])
    ('IDLE', ('DRAIN', 'NOT_RESPONDING'), ())
    """
    return _read_state(tuple(words))


@lru_cache(maxsize=4096)
def _read_state(words: tuple[str, ...]) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    base, flags, strange = "", set(), []
    for word in words:
        bare = word.strip().upper()
        stem = bare.rstrip("".join(_MARKS)) if bare != "REBOOT^" else bare
        flags |= {name for mark, name in _MARKS.items() if mark in bare[len(stem) :]}
        name = _SYNONYMS.get(stem, stem)
        if name in _BASES and not base:
            base = name
        elif name in _FLAGS:
            flags.add(name)
        elif name:
            strange.append(name)
    if strange or not base:
        base = UNKNOWN
    return base, tuple(sorted(flags)), tuple(strange)
