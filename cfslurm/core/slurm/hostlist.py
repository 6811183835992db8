"""Hostlists: ``n[1-3,07],gpu[1-2]-ib[0-1]`` and back, as scontrol reads and writes them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import groupby, product

from cfslurm.errors import SlurmOutputError

MAX_NAMES = 100_000
_PART = re.compile(r"([^\[\],]*)(?:\[([^\]]*)\])?")
_RANGE = re.compile(r"(\d+)(?:-(\d+))?", re.ASCII)
_NUMBERED = re.compile(r"(.*?)(\d+)", re.ASCII)


def expand(hostlist: str, *, limit: int = MAX_NAMES) -> tuple[str, ...]:
    """The node names of a hostlist, in its order, duplicates kept.

    Raises:
        SlurmOutputError: brackets that do not match, a range that runs backwards, or more than
            ``limit`` names (``n[0-9999999999]``).

    >>> expand("n[08-10],login1")
    ('n08', 'n09', 'n10', 'login1')
    """
    names: list[str] = []
    for entry in _split(hostlist):
        names.extend(_expand_entry(entry, hostlist, limit=limit - len(names)))
    return tuple(names)


def _split(hostlist: str) -> list[str]:
    entries, depth, current = [], 0, ""
    for char in hostlist.strip():
        depth += (char == "[") - (char == "]")
        if depth not in (0, 1):
            raise _unreadable(hostlist)
        if char == "," and depth == 0:
            entries.append(current)
            current = ""
        else:
            current += char
    if depth:
        raise _unreadable(hostlist)
    return [entry for entry in (*entries, current) if entry]


def _expand_entry(entry: str, hostlist: str, *, limit: int) -> list[str]:
    pieces: list[list[str]] = []
    count, position = 1, 0
    while position < len(entry):
        match = _PART.match(entry, position)
        if match is None or match.end() == position:
            raise _unreadable(hostlist)
        position = match.end()
        if match.group(1):
            pieces.append([match.group(1)])
        if match.group(2) is not None:
            numbers = _numbers(match.group(2), hostlist, limit=limit // count)
            count *= len(numbers)
            pieces.append(numbers)
    if count > limit:
        raise _too_long(hostlist)
    return ["".join(parts) for parts in product(*pieces)]


def _numbers(inside: str, hostlist: str, *, limit: int) -> list[str]:
    numbers: list[str] = []
    for item in inside.split(","):
        match = _RANGE.fullmatch(item)
        if match is None:
            raise _unreadable(hostlist)
        first, last = match.group(1), match.group(2) or match.group(1)
        if int(last) < int(first):
            raise _unreadable(hostlist)
        if len(numbers) + int(last) - int(first) + 1 > limit:
            raise _too_long(hostlist)
        width = len(first)
        numbers += [str(number).zfill(width) for number in range(int(first), int(last) + 1)]
    return numbers


def fold(names: Iterable[str]) -> str:
    """A hostlist of node names, sorted, duplicates dropped: the inverse of `expand` as a set.

    >>> fold(["n10", "n9", "n11", "login"])
    'login,n[9-11]'
    """
    plain: set[str] = set()
    parts: list[tuple[str, str]] = []
    for name in names:
        match = _NUMBERED.fullmatch(name)
        if match is None or len(match.group(2)) > 18:
            plain.add(name)
        else:
            parts.append((match.group(1), match.group(2)))
    # A width only matters where somebody pads: n9 and n10 fold together, n09 and n9 do not.
    padded = {
        (prefix, len(digits)) for prefix, digits in parts if digits[0] == "0" and digits != "0"
    }
    numbered: dict[tuple[str, int | None], set[int]] = {}
    for prefix, digits in parts:
        width = len(digits) if (prefix, len(digits)) in padded else None
        numbered.setdefault((prefix, width), set()).add(int(digits))
    folded = [_fold_group(prefix, width, numbers) for (prefix, width), numbers in numbered.items()]
    return ",".join(sorted([*plain, *folded]))


def _fold_group(prefix: str, width: int | None, numbers: set[int]) -> str:
    def text(number: int) -> str:
        return str(number).zfill(width or 0)

    ordered = sorted(numbers)
    if len(ordered) == 1:
        return prefix + text(ordered[0])
    runs = []
    for _, run in groupby(enumerate(ordered), key=lambda pair: pair[1] - pair[0]):
        members = [number for _, number in run]
        first, last = text(members[0]), text(members[-1])
        runs.append(first if first == last else f"{first}-{last}")
    return f"{prefix}[{','.join(runs)}]"


def _unreadable(hostlist: str) -> SlurmOutputError:
    return SlurmOutputError(
        f"not a hostlist: {hostlist[:80]!r}",
        remedy="Compare with `scontrol show hostnames LIST`, which names the mistake.",
    )


def _too_long(hostlist: str) -> SlurmOutputError:
    return SlurmOutputError(
        f"the hostlist {hostlist[:80]!r} names more than {MAX_NAMES} nodes",
        remedy="Name fewer nodes; a list this long is a mistake or an attack.",
    )
