"""TRES as Slurm prints them: ``cpu=8,mem=16G,gres/gpu=2,gres/gpu:a100=2``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from cfslurm.errors import SlurmOutputError

_AMOUNT = re.compile(r"(\d+)(?:\.(\d+))?([KMGTPE]?)", re.ASCII)
_SCALE = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4, "P": 1024**5, "E": 1024**6}
_MIB = 1024**2
# Amounts that Slurm keeps in MiB: a bare number is MiB, and a unit counts bytes. Source: slurm.conf(5).
_IN_MIB = frozenset({"mem", "vmem", "fs/disk"})


def read_tres(text: str) -> dict[str, int]:
    """Names and amounts; ``mem``, ``vmem`` and ``fs/disk`` in MiB, rounded up.

    Raises:
        SlurmOutputError: an item without ``=``, or an amount that is no number.

    >>> read_tres("cpu=8,mem=16G,gres/gpu:a100=2")
    {'cpu': 8, 'mem': 16384, 'gres/gpu:a100': 2}
    """
    return dict(_items(text))


@lru_cache(maxsize=4096)  # thousands of nodes have a few texts between them
def _items(text: str) -> tuple[tuple[str, int], ...]:
    found: dict[str, int] = {}
    if text in ("", "(null)", "N/A"):
        return ()
    for item in text.split(","):
        if not item:
            continue
        name, _, amount = item.partition("=")
        match = _AMOUNT.fullmatch(amount)
        if not name or match is None:
            raise SlurmOutputError(
                f"not a TRES list: {text[:120]!r}",
                remedy="Report this text and the output of `scontrol --version`.",
            )
        found[name] = _amount(name, match)
    return tuple(found.items())


def _amount(name: str, match: re.Match[str]) -> int:
    whole, fraction, unit = match.groups()
    scale = _SCALE[unit]
    # Whole numbers only: 1.50T is 150 hundredths, and no float rounds a large amount.
    decimals = len(fraction or "")
    scaled = int(whole + (fraction or "")) * scale
    divisor: int = 10**decimals * (_MIB if name in _IN_MIB and unit else 1)
    return -(-scaled // divisor)


def gpus_in_tres(tres: Mapping[str, int]) -> dict[str, int]:
    """GPUs by type; the key "" is the untyped total.

    >>> gpus_in_tres({"cpu": 8, "gres/gpu": 2, "gres/gpu:a100": 2})
    {'': 2, 'a100': 2}
    """
    return {
        name.removeprefix("gres/gpu").removeprefix(":"): amount
        for name, amount in tres.items()
        if name == "gres/gpu" or name.startswith("gres/gpu:")
    }
