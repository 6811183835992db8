"""Times and sizes as Slurm writes them, and as people write them."""

from __future__ import annotations

import re

from cfslurm.errors import UserInputError

MIB = 1024**2
_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+)s)?", re.ASCII)
_CLOCK = re.compile(r"(?:(\d+)-)?(\d+):(\d\d):(\d\d)", re.ASCII)
_DAYS = re.compile(r"(\d+)-(\d+)(?::(\d\d))?", re.ASCII)
_SIZE = re.compile(r"(\d+(?:\.\d+)?)([KMGT])(?:iB|B)?", re.IGNORECASE | re.ASCII)
_SIZE_MIB = {"K": 1 / 1024, "M": 1.0, "G": 1024.0, "T": 1024.0**2}
_LONGEST_S = 366 * 86400

DURATION_PATTERN = r"^(\d+d)?(\d+h)?(\d+m)?(\d+s)?$|^(\d+-)?\d+:\d\d:\d\d$|^\d+-\d+(:\d\d)?$"
SIZE_PATTERN = r"^\d+(\.\d+)?[KMGTkmgt](iB|B)?$"


def duration_s(text: str) -> int:
    """Seconds of a time with a unit: ``90s``, ``30m``, ``2h``, ``1d12h``, ``02:00:00``, ``1-12:00``.

    Refuses what people and Slurm read differently: a bare number (minutes to sbatch) and ``1:30``
    (90 seconds to sbatch).

    Raises:
        UserInputError: no such form, zero, or longer than a year.

    >>> duration_s("1d12h"), duration_s("1-12:00"), duration_s("02:30:00")
    (129600, 129600, 9000)
    """
    text = text.strip()
    if re.fullmatch(r"\d+(\.\d+)?", text):
        raise UserInputError(
            f"{text!r} has no unit; Slurm would read it as minutes",
            remedy=f"Write {text}m for minutes, {text}h for hours or {text}s for seconds.",
        )
    if re.fullmatch(r"\d+:\d+", text):
        first, second = text.split(":")
        raise UserInputError(
            f"{text!r} can be read in two ways; Slurm reads minutes and seconds",
            remedy=f"Write {int(first)}h{int(second)}m or {int(first)}m{int(second)}s.",
        )
    seconds = _seconds(text)
    if seconds is None or seconds <= 0 or seconds > _LONGEST_S:
        raise UserInputError(
            f"{text[:40]!r} is not a time between 1s and 366d",
            remedy="Write for example 90s, 30m, 2h, 1d12h or 02:00:00.",
        )
    return seconds


def _seconds(text: str) -> int | None:
    if match := _CLOCK.fullmatch(text):
        days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
        return ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    if match := _DAYS.fullmatch(text):
        days, hours, minutes = (int(part or 0) for part in match.groups())
        return ((days * 24 + hours) * 60 + minutes) * 60
    if text and (match := _DURATION.fullmatch(text)):
        days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
        return ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    return None


def slurm_time_s(text: str) -> int | None:
    """Seconds of a time limit that Slurm printed; None for no limit.

    Shape: ``UNLIMITED``, ``INFINITE``, ``NONE``, ``MM:SS``, ``HH:MM:SS``, ``D-HH:MM:SS``.

    Raises:
        UserInputError: another form.

    >>> slurm_time_s("1-00:00:00"), slurm_time_s("UNLIMITED")
    (86400, None)
    """
    if text.upper() in {"UNLIMITED", "INFINITE", "NONE", "N/A", "(NULL)", "NOT_SET"}:
        return None
    if match := re.fullmatch(r"(\d+):(\d\d)", text, re.ASCII):
        return int(match.group(1)) * 60 + int(match.group(2))
    seconds = _seconds(text)
    if seconds is None:
        raise UserInputError(
            f"Slurm printed a time that cfslurm cannot read: {text[:40]!r}",
            remedy="Report this text and the output of `scontrol --version`.",
        )
    return seconds


def time_limit(seconds: int) -> str:
    """A time limit as sbatch reads it, rounded up to whole minutes.

    >>> time_limit(90), time_limit(90_000)
    ('0-00:02:00', '1-01:00:00')
    """
    minutes = max(1, -(-seconds // 60))
    days, rest = divmod(minutes, 24 * 60)
    hours, minutes = divmod(rest, 60)
    return f"{days}-{hours:02}:{minutes:02}:00"


def size_mib(text: str) -> int:
    """MiB of a size with a unit, rounded up: ``512M``, ``4G``, ``1.5T``; powers of 1024 as in Slurm.

    Raises:
        UserInputError: no unit, or not a size.

    >>> size_mib("4G"), size_mib("1.5GiB")
    (4096, 1536)
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None or float(match.group(1)) <= 0:
        bare = re.fullmatch(r"\d+", text.strip())
        raise UserInputError(
            f"{text[:40]!r} has no unit" if bare else f"{text[:40]!r} is not a size",
            remedy=f"Write {text.strip()}M or {text.strip()}G." if bare else "Write 512M or 4G.",
        )
    exact = float(match.group(1)) * _SIZE_MIB[match.group(2).upper()]
    return max(1, -int(-exact // 1))


def human_bytes(count: float) -> str:
    """A size for people, powers of 1024.

    >>> human_bytes(13_958_643_712), human_bytes(512)
    ('13.0G', '512')
    """
    size = float(count)
    for unit in ("", "K", "M", "G", "T", "P"):
        if abs(size) < 1024 or unit == "P":
            return f"{size:.0f}" if not unit else f"{size:.1f}{unit}"
        size /= 1024
    raise AssertionError("unreachable")


def human_seconds(seconds: float) -> str:
    """A time for people, two units at the most.

    >>> human_seconds(3.2), human_seconds(5400), human_seconds(200_000)
    ('3.2s', '1h30m', '2d7h')
    """
    if seconds < 10:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    units = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))
    for index, (name, length) in enumerate(units):
        if whole >= length:
            count, rest = divmod(whole, length)
            smaller = units[index + 1] if index + 1 < len(units) else None
            tail = f"{rest // smaller[1]}{smaller[0]}" if smaller and rest // smaller[1] else ""
            return f"{count}{name}{tail}"
    return "0s"
