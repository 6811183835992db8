"""What of a node's GRES is in use: never less than Slurm has handed out.

GresUsed is asked first, because AllocTRES lists only what accounting tracks, on many clusters no
GPUs at all. GPUs of which somebody holds a shard or a part by MPS cannot be had whole, so they count
as used.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from cfslurm.core.slurm.gres import Gres
from cfslurm.core.slurm.records import NodeRecord
from cfslurm.core.slurm.tres import gpus_in_tres

_PARTS_OF_GPUS = ("shard", "mps")
_SHARES = re.compile(r"(\d+|-)/\d+", re.ASCII)
_NUMBERS = re.compile(r"(\d+)(?:-(\d+))?", re.ASCII)
_MOST_INDICES = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """How many there are, how many nobody can get whole, and how many of those are used in parts."""

    count: int
    used: int
    shared: int = 0
    used_indices: tuple[int, ...] = ()
    sockets: tuple[int, ...] = ()


def gpu_usage(record: NodeRecord) -> dict[str, Usage]:
    """GPU type → use. Where the GRES in use could not be read, all GPUs count as used."""
    configured = _count_by_type(record.gres or (), "gpu")
    if not configured:
        return {}
    used = _used_by_type(record, configured)
    shared = _shared_by_type(record, configured)
    sockets = _numbers_by_type(record.gres or (), "S:")
    indices = _numbers_by_type(record.gres_used or (), "IDX:")
    return {
        gpu_type: Usage(
            count=count,
            used=min(count, used.get(gpu_type, 0) + shared.get(gpu_type, 0)),
            shared=min(count, shared.get(gpu_type, 0)),
            used_indices=indices.get(gpu_type, ()),
            sockets=sockets.get(gpu_type, ()),
        )
        for gpu_type, count in configured.items()
    }


def other_usage(record: NodeRecord) -> dict[tuple[str, str], tuple[int, int]]:
    """(name, type) → (count, used) of all GRES but GPUs.

    Slurm 22.05 counts the GPUs that have shards in use where it should count the shards
    (``shard:l40s:1(IDX:0)`` with four in use); AllocTRES has the right number where shards are tracked.
    """
    found: dict[tuple[str, str], tuple[int, int]] = {}
    in_use = {(item.name, item.type): item.count for item in record.gres_used or ()}
    for item in record.gres or ():
        if item.name == "gpu":
            continue
        key = (item.name, item.type)
        tracked = f"gres/{item.name}" + (f":{item.type}" if item.type else "")
        used = max(
            in_use.get(key, 0),
            record.alloc_tres.get(tracked, 0),
            0 if _has_several(record, item.name) else record.alloc_tres.get(f"gres/{item.name}", 0),
        )
        count = found.get(key, (0, 0))[0] + item.count
        found[key] = (count, min(count, used))
    return found


def _has_several(record: NodeRecord, name: str) -> bool:
    return sum(item.name == name for item in record.gres or ()) > 1


def _count_by_type(gres: Sequence[Gres], name: str) -> dict[str, int]:
    counts: dict[str, int] = {}
    for item in gres:
        if item.name == name:
            counts[item.type] = counts.get(item.type, 0) + item.count
    return counts


def _used_by_type(record: NodeRecord, configured: Mapping[str, int]) -> dict[str, int]:
    """GPUs handed out whole.

    Untyped use on a node with one type belongs to that type; with several types it is counted
    against each of them, so that never more is called free than Slurm has.
    """
    if any(note.startswith("GresUsed") for note in record.unread):
        return dict(configured)
    if record.gres_used is not None:
        used = _count_by_type(record.gres_used, "gpu")
        untyped = 0 if "" in configured else used.pop("", 0)
    else:
        used = gpus_in_tres(record.alloc_tres)
        # The untyped total repeats the typed amounts; what is left of it has a type nobody tracks.
        untyped = max(0, used.pop("", 0) - sum(used.values()))
        if "" in configured:
            used, untyped = {"": untyped + sum(used.values())}, 0
    if untyped:
        used = {gpu_type: used.get(gpu_type, 0) + untyped for gpu_type in configured}
    return used


def _shared_by_type(record: NodeRecord, configured: Mapping[str, int]) -> dict[str, int]:
    """How many GPUs of each type have shards or MPS parts in use; too many rather than too few."""
    found: dict[str, int] = {}
    if record.gres_used is None:
        parts = [(name, "", _tracked(record, name), "") for name in _PARTS_OF_GPUS]
    else:
        parts = [
            (item.name, item.type, item.count, item.note)
            for item in record.gres_used
            if item.name in _PARTS_OF_GPUS
        ]
    for _name, part_type, count, note in parts:
        gpus = _gpus_in_note(note, count)
        for gpu_type in [part_type] if part_type in configured else configured:
            found[gpu_type] = found.get(gpu_type, 0) + gpus
    return found


def _tracked(record: NodeRecord, name: str) -> int:
    return record.alloc_tres.get(f"gres/{name}", 0)


def _gpus_in_note(note: str, count: int) -> int:
    """``4/8,0/8`` is one GPU with shards in use, ``IDX:0-1`` are two; without a note, one for each."""
    shares = _SHARES.findall(note)
    if shares:
        return sum(share not in ("0", "-") for share in shares)
    if note.startswith("IDX:"):
        return len(_numbers(note.removeprefix("IDX:")))
    return count


def _numbers_by_type(gres: Sequence[Gres], mark: str) -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {}
    for item in gres:
        if item.name == "gpu" and item.note.startswith(mark):
            numbers = _numbers(item.note.removeprefix(mark))
            before = found.get(item.type)
            found[item.type] = tuple(sorted({*before, *numbers})) if before else numbers
    return found


@lru_cache(maxsize=4096)  # thousands of nodes have a few texts between them
def _numbers(text: str) -> tuple[int, ...]:
    """``0-1,3``; nothing for ``N/A``."""
    numbers: list[int] = []
    for item in text.split(","):
        match = _NUMBERS.fullmatch(item)
        if match:
            first, last = int(match[1]), int(match[2] or match[1])
            numbers += range(first, min(last, first + _MOST_INDICES) + 1)
    return tuple(numbers)
