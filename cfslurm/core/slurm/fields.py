"""Fields of the records that Slurm's programs print: text in, values out, and where it went wrong."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

from cfslurm.core.slurm.answers import checked, command_text
from cfslurm.core.slurm.command import Completed
from cfslurm.core.slurm.hostlist import expand
from cfslurm.core.slurm.units import slurm_time_s
from cfslurm.errors import CfslurmError, SlurmOutputError

T = TypeVar("T")

_KEY = re.compile(r"(?:^| )([A-Za-z][A-Za-z0-9_/:]*)=")
_NOTHING = frozenset({"", "(null)", "N/A", "n/a", "None", "NONE", "Unknown"})
_NO_LIMIT = frozenset({"UNLIMITED", "INFINITE", "NONE", "", "(null)", "N/A", "NO_VAL"})


@dataclass(frozen=True, slots=True)
class Record:
    """The fields of one record, and its place: which command printed it, on which line.

    The first field that Slurm prints, the name, is the last of ``fields``; ``whole`` is the line itself,
    for free text that holds what looks like fields.
    """

    fields: dict[str, str]
    command: str
    line: int
    whole: str = ""

    def text(self, key: str, default: str = "") -> str:
        """A field; the default where it is missing or Slurm has nothing to say."""
        value = self.fields.get(key, "").strip()
        return default if value in _NOTHING else value

    def need(self, key: str) -> str:
        """A field that must be there.

        Raises:
            SlurmOutputError: it is not.
        """
        try:
            return self.fields[key].strip()
        except KeyError as error:
            raise self.unreadable(f"has no field {key}") from error

    def number(self, key: str) -> int:
        """A whole number that must be there.

        Raises:
            SlurmOutputError: it is not, or is something else.
        """
        return self.read(key, int, self.need(key))

    def number_or(self, key: str, default: int) -> int:
        """A whole number; the default where Slurm does not print the field."""
        text = self.text(key)
        return self.read(key, int, text) if text else default

    def limit(self, key: str) -> int | None:
        """A limit; None where there is none."""
        text = self.fields.get(key, "").strip()
        return None if text in _NO_LIMIT else self.read(key, int, text)

    def time_limit(self, key: str) -> int | None:
        """A time limit in seconds; None where there is none."""
        return self.read(key, slurm_time_s, self.fields.get(key, "NONE").strip() or "NONE")

    def moment(self, key: str) -> int | None:
        """A point in time; None where Slurm knows none."""
        return moment(self.fields.get(key, "").strip())

    def words(self, key: str) -> tuple[str, ...]:
        """A list with commas."""
        return words(self.fields.get(key, ""))

    def names(self, key: str) -> tuple[str, ...]:
        """A hostlist."""
        return self.read(key, expand, self.text(key))

    def read(self, key: str, reader: Callable[[str], T], text: str) -> T:
        """Read a field; what the reader refuses is told with its place.

        Raises:
            SlurmOutputError: the text is not what the reader reads.
        """
        try:
            return reader(text)
        except (CfslurmError, ValueError) as error:
            why = error.message if isinstance(error, CfslurmError) else "not a whole number"
            raise self.unreadable(f"has {key}={text[:80]!r}: {why}") from error

    def unreadable(self, what: str) -> SlurmOutputError:
        """The error for a record that cannot be read."""
        name = next(reversed(self.fields.items()), None) if self.fields else None
        first = f" ({name[0]}={name[1].strip()[:60]})" if name else ""
        return SlurmOutputError(
            f"`{self.command}`, line {self.line}{first} {what}",
            remedy=f"Run `{self.command}` by hand; if it shows the same, report that line and the "
            f"output of `{self.command.split()[0]} --version`.",
        )


def one_line_records(done: Completed, *, first_key: str | tuple[str, ...]) -> Iterator[Record]:
    """Read the ``-o`` (one line per record) form of ``scontrol show``.

    A value may hold blanks, and free text at a line's end (a node's Comment, a Reason) may hold what
    looks like a key: the first occurrence of a key wins, since Slurm prints its own fields first.

    Raises:
        SlurmUnavailableError: slurmctld did not answer.
        SlurmRejectedError: the program exited non-zero for another reason.
        SlurmOutputError: the answer is empty or cut off, or a line does not begin with ``first_key``.
    """
    command = command_text(done.command)
    keys = (first_key,) if isinstance(first_key, str) else first_key
    starts = tuple(f"{key}=" for key in keys)
    text = checked(done)
    if not text.endswith("\n"):  # "No nodes in the system" is an answer; nothing at all is none
        number = text.count("\n") + 1
        what = "is cut off: the answer has no end" if text else "is missing: the answer is empty"
        raise Record({}, command, number).unreadable(what)
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip() or line.startswith("No "):
            continue
        if not line.startswith(starts):
            raise Record({}, command, number).unreadable(
                f"does not begin with {' or '.join(starts)}: {line[:120]!r}"
            )
        parts = _KEY.split(line)  # "", key, value, key, value …
        # Filled from the last to the first, so that the first of two equal keys stays.
        yield Record(dict(zip(parts[-2::-2], parts[:0:-2], strict=True)), command, number, line)


def rows(done: Completed, columns: tuple[str, ...]) -> Iterator[Record]:
    """Read the ``--parsable2`` form: one record a line, columns separated by ``|``.

    Raises:
        SlurmUnavailableError: no daemon answered.
        SlurmRejectedError: the program exited non-zero for another reason.
        SlurmOutputError: a row has another number of columns.
    """
    command = command_text(done.command)
    for number, line in enumerate(checked(done).splitlines(), start=1):
        if not line.strip():
            continue
        values = line.split("|")
        if len(values) != len(columns):
            raise Record({}, command, number).unreadable(
                f"has {len(values)} columns, expected {len(columns)}: {line[:160]!r}"
            )
        yield Record(dict(reversed(list(zip(columns, values, strict=True)))), command, number)


@lru_cache(maxsize=4096)  # nodes of a kind have the same features and partitions
def words(text: str) -> tuple[str, ...]:
    """A list with commas; empty where Slurm has nothing to say.

    >>> words("a100,vram80"), words("(null)")
    (('a100', 'vram80'), ())
    """
    text = text.strip()
    if text in _NOTHING:
        return ()
    return tuple(word.strip() for word in text.split(",") if word.strip())


def allowed(text: str) -> tuple[str, ...]:
    """Who may; empty means everybody."""
    return () if text.strip() == "ALL" else tuple(sorted(words(text)))


def moment(text: str) -> int | None:
    """With SLURM_TIME_FORMAT=%s a time is a number; ``N/A`` and 0 mean that Slurm knows none."""
    return int(text) if text.isascii() and text.isdigit() and text != "0" else None
