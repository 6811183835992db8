"""TRES as Slurm prints them: ``cpu=8,mem=16G,gres/gpu=2,gres/gpu:a100=2``."""

from __future__ import annotations

from cfslurm.errors import SlurmOutputError


def read_tres(text: str) -> dict[str, str]:
    """Names and amounts, amounts as printed.

    Raises:
        SlurmOutputError: an item without ``=``.

    >>> read_tres("cpu=8,gres/gpu:a100=2")
    {'cpu': '8', 'gres/gpu:a100': '2'}
    """
    found: dict[str, str] = {}
    for item in text.split(","):
        if not item:
            continue
        name, equals, amount = item.partition("=")
        if not equals:
            raise SlurmOutputError(
                f"not a TRES list: {text[:120]!r}",
                remedy="Report this text and the output of `scontrol --version`.",
            )
        found[name] = amount
    return found


def gpus_in_tres(text: str) -> dict[str, int]:
    """GPUs by type; the key "" is the untyped total.

    >>> gpus_in_tres("cpu=8,gres/gpu=2,gres/gpu:a100=2")
    {'': 2, 'a100': 2}
    """
    return {
        name.removeprefix("gres/gpu").removeprefix(":"): int(amount)
        for name, amount in read_tres(text).items()
        if name == "gres/gpu" or name.startswith("gres/gpu:")
    }
