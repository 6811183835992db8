"""What has changed between two harvests, for people."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from cfslurm.core.documents import Json
from cfslurm.core.hardware.diff import Change, Kind
from cfslurm.core.report.tables import table
from cfslurm.core.slurm.units import MIB, human_bytes, human_seconds

_TITLES = {
    Kind.CONFIGURATION: "Configuration",
    Kind.STATE: "Nodes and partitions that open or close",
    Kind.USE: "Use",
}
# Seconds since the epoch; what else ends in ``_s`` is a duration.
_MOMENTS = frozenset({"boot_time", "boot_time_s", "start_time", "end_time", "reason_time"})


def diff_text(changes: Sequence[Change]) -> str:
    """The changes by kind; ``+`` came, ``-`` went, ``~`` is another."""
    parts = []
    for kind, title in _TITLES.items():
        rows = [_row(change) for change in changes if change.kind is kind]
        if rows:
            parts.append(
                f"{title}\n{table(('', 'WHAT', 'NAME', 'FIELD', 'CHANGE'), rows, indent='  ')}"
            )
    return "\n".join([*parts, _summary(changes)])


def _row(change: Change) -> tuple[str, ...]:
    mark, text = "~", ""
    if change.field == "" and change.old is None:
        mark, text = "+", str(change.new)
    elif change.field == "" and change.new is None:
        mark, text = "-", str(change.old)
    elif change.lost or change.gained:
        words = [*(f"-{word}" for word in change.lost), *(f"+{word}" for word in change.gained)]
        text = " ".join(words)
    else:
        text = f"{_value(change.old, change.field)} → {_value(change.new, change.field)}"
    return mark, change.what, change.names, change.field, text


def _value(value: Json, field: str) -> str:
    """A value in the unit that its field's name ends in."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float) and field.endswith("_mib"):
        return human_bytes(value * MIB)
    if isinstance(value, int | float) and field.rpartition(".")[2] in _MOMENTS:
        return _moment(value)
    if isinstance(value, int | float) and field.endswith("_s"):
        return human_seconds(value)
    return str(value) or "none"


def _moment(seconds: float) -> str:
    """UTC in ISO 8601; the number itself where no calendar has it."""
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"
    except (ValueError, OverflowError, OSError):
        return str(seconds)


def _summary(changes: Sequence[Change]) -> str:
    counts = [sum(change.kind is kind for change in changes) for kind in Kind]
    if not any(counts):
        return "Nothing has changed."
    words = ("of configuration", "of state", "of use")
    told = [f"{count} {word}" for count, word in zip(counts, words, strict=True) if count]
    return f"Changes: {', '.join(told)}."
