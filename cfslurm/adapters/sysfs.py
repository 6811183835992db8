"""Small files of the kernel (/proc, /sys): each one a fact, or the reason why it cannot be read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cfslurm.core.hardware.probe import Count, NotKnown, Text

_LONGEST = 65_536


def text_in(path: Path) -> Text:
    """The text of a file, without blanks around it; an empty one is no fact."""
    try:
        with path.open("rb") as file:
            text = file.read(_LONGEST).decode("utf-8", "replace").strip()
    except OSError as error:
        return NotKnown(not_known=f"{path}: {error.strerror or error}")
    return text or NotKnown(not_known=f"{path} is empty")


def number_in(path: Path) -> Count:
    """The whole number in a file."""
    text = text_in(path)
    if isinstance(text, NotKnown):
        return text
    try:
        return int(text)
    except ValueError:
        return NotKnown(not_known=f"{path} holds {text[:40]!r}, not a number")


def entries(folder: Path) -> list[Path]:
    """What lies in a folder, sorted; nothing where the folder is not there."""
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def cpu_list(cpus: Sequence[int]) -> str:
    """CPU numbers as the kernel writes them.

    >>> cpu_list([0, 1, 2, 5])
    '0-2,5'
    """
    runs: list[list[int]] = []
    for cpu in sorted(cpus):
        if runs and runs[-1][-1] == cpu - 1:
            runs[-1] = [runs[-1][0], cpu]
        else:
            runs.append([cpu])
    return ",".join("-".join(str(edge) for edge in run) for run in runs)
