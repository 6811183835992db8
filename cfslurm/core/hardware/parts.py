"""The parts of a cluster that are read by one call each, and how old each may be for what it is for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from cfslurm.core.documents import STRICT
from cfslurm.core.slurm.units import duration_s
from cfslurm.errors import UserInputError


class Freshness(StrEnum):
    """What a command may do with what Slurm has said before."""

    NOW = "now"  # nothing: ask Slurm for everything
    FREE_NOW = (
        "free-now"  # ask what is free and who holds it; the rest may be as old as the site allows
    )
    LIMITS = "limits"  # every part may be as old as the site allows
    KEPT = "kept"  # ask Slurm for nothing; the last answer counts, however old


@dataclass(frozen=True, slots=True, kw_only=True)
class PartRead:
    """When a part was read: ``read_at`` is UTC in ISO 8601."""

    __pydantic_config__ = STRICT

    name: str
    read_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refresh:
    """How old parts may be before Slurm is asked again, in seconds; 0 asks every time.

    ``nodes`` is for what changes with every job, ``settings`` for what administrators change,
    ``accounts`` for what slurmdbd knows.
    """

    nodes_s: float = 10.0
    settings_s: float = 600.0
    accounts_s: float = 600.0


# What the second word of `scontrol show` and `sacctmgr show` begins with → part.
_SHOWN = {
    ("scontrol", "node"): "nodes",
    ("scontrol", "partition"): "partitions",
    ("scontrol", "config"): "settings",
    ("scontrol", "topo"): "topology",
    ("scontrol", "reservation"): "reservations",
    ("scontrol", "lic"): "licenses",
    ("sacctmgr", "qos"): "qos",
    ("sacctmgr", "assoc"): "associations",
}
_WHOLE = {"sinfo": "nodes", "squeue": "jobs", "sshare": "shares"}
_PYSLURM = "cfslurm.adapters.pyslurm_child"  # our own program, run by some Python
_CHANGES_WITH_JOBS = frozenset({"nodes", "jobs", "reservations", "licenses"})
_IN_SLURMDBD = frozenset({"qos", "associations", "shares"})


def part_of(argv: Sequence[str]) -> str | None:
    """The part that a call reads; None for a call that is not one of a harvest, or about one thing only.

    >>> part_of(("scontrol", "-d", "-o", "show", "nodes")), part_of(("scontrol", "show", "node", "n1"))
    ('nodes', None)
    """
    program, words = argv[0], [word for word in argv[1:] if not word.startswith("-")]
    if _PYSLURM in argv:
        return "nodes"
    if program in _WHOLE:
        return _WHOLE[program]
    if len(words) < 2 or words[0] != "show" or any("=" not in word for word in words[2:]):
        return None
    return next(
        (part for (name, start), part in _SHOWN.items()
         if name == program and words[1].startswith(start)),
        None,
    )  # fmt: skip


def oldest_s(part: str, freshness: Freshness, refresh: Refresh) -> float:
    """How old a kept answer about a part may be, in seconds; 0 for one that must be asked for."""
    match freshness:
        case Freshness.NOW:
            return 0.0
        case Freshness.KEPT:
            return float("inf")
        case Freshness.FREE_NOW if part in _CHANGES_WITH_JOBS:
            return 0.0
        case Freshness.FREE_NOW | Freshness.LIMITS:
            if part in _CHANGES_WITH_JOBS:
                return refresh.nodes_s
            return refresh.accounts_s if part in _IN_SLURMDBD else refresh.settings_s


def refresh_s(text: str, *, where: str) -> float:
    """Seconds of a limit as settings write it; ``0s`` asks every time.

    Raises:
        UserInputError: it is no time; ``where`` names the setting.

    >>> refresh_s("10m", where=""), refresh_s("0s", where="")
    (600.0, 0.0)
    """
    if text.strip() == "0s":
        return 0.0
    try:
        return float(duration_s(text))
    except UserInputError as error:
        raise UserInputError(f"{where}: {error.message}", remedy=error.remedy) from error


def parts_read(read_at: Mapping[str, str]) -> tuple[PartRead, ...]:
    """When each part was read, sorted by name."""
    return tuple(PartRead(name=name, read_at=read_at[name]) for name in sorted(read_at))
