"""GRES as Slurm prints them: ``gpu:a100:4(S:0-1)``, ``gpu:2(IDX:0-1)``, ``shard:l40s:16``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from cfslurm.errors import SlurmOutputError

_ITEM = re.compile(r"(?P<head>[^(),]+)(?:\((?P<note>[^()]*)\))?")
_COUNT = re.compile(r"(\d+)([KMGTP]?)")
_SCALE = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4, "P": 1024**5}


@dataclass(frozen=True, slots=True, kw_only=True)
class Gres:
    """Generic resources of one name and type on a node; ``type`` is empty where the site gives none."""

    name: str
    type: str
    count: int
    note: str = ""


@lru_cache(maxsize=4096)  # nodes of a kind print the same text
def read_gres(text: str) -> tuple[Gres, ...]:
    """Read a Gres or GresUsed field.

    Raises:
        SlurmOutputError: an item has no count, or more than three parts.

    >>> read_gres("gpu:a100:2(IDX:0,2),shard:0")[0]
    Gres(name='gpu', type='a100', count=2, note='IDX:0,2')
    """
    if text in ("", "(null)", "N/A"):
        return ()
    found = []
    position = 0
    while position < len(text):
        match = _ITEM.match(text, position)
        if match is None:
            raise _unreadable(text)
        found.append(_item(match["head"], match["note"] or "", text))
        position = match.end()
        if position < len(text):
            if text[position] != ",":
                raise _unreadable(text)
            position += 1
    return tuple(found)


def _item(head: str, note: str, text: str) -> Gres:
    parts = head.split(":")
    if parts[0] in ("gres/gpu", "gres/shard"):
        parts[0] = parts[0].removeprefix("gres/")
    if len(parts) == 1:
        return Gres(name=parts[0], type="", count=1, note=note)
    # "no_consume" stands between type and count: craynetwork:no_consume:4
    parts = [part for part in parts if part != "no_consume"]
    count = _COUNT.fullmatch(parts[-1])
    if len(parts) > 3 or (count is None and len(parts) == 3):
        raise _unreadable(text)
    if count is None:
        return Gres(name=parts[0], type=parts[1], count=1, note=note)
    number = int(count.group(1)) * _SCALE[count.group(2)]
    return Gres(name=parts[0], type=parts[1] if len(parts) == 3 else "", count=number, note=note)


def _unreadable(text: str) -> SlurmOutputError:
    return SlurmOutputError(
        f"not a GRES list: {text[:120]!r}",
        remedy="Report this text and the output of `scontrol --version`.",
    )
