"""Slurm's JSON: is it any, and what do its values mean, whatever the version writes them as."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from cfslurm.core.documents import Json
from cfslurm.core.slurm.answers import checked, command_text
from cfslurm.core.slurm.command import Completed
from cfslurm.core.slurm.hostlist import expand
from cfslurm.core.slurm.tres import read_tres
from cfslurm.errors import CfslurmError, SlurmOutputError


def num(value: Json) -> float | int | None:
    """A number in any of Slurm's forms; None where it is not set or infinite.

    22.05 writes ``5`` or null, 23.02 and later ``{"set": true, "infinite": false, "number": 5}``, and a
    site may have asked for the short form (``DataParserParameters=…+complex``).

    Raises:
        ValueError: it is none of these.

    >>> num({"set": True, "infinite": False, "number": 5}), num(5), num(None)
    (5, 5, None)
    """
    if isinstance(value, dict):
        if not value.get("set") or value.get("infinite"):
            return None
        value = value.get("number")
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
        return value
    raise ValueError(f"not a number: {str(value)[:60]}")


@dataclass(frozen=True, slots=True)
class JsonRecord:
    """One record of an answer, and its place: which command printed it, and where."""

    fields: Mapping[str, Json]
    command: str
    place: str

    def at(self, path: str) -> Json:
        """The value at a path like ``maximums/time``; None where any part of it is missing."""
        value: Json = dict(self.fields)
        for key in path.split("/"):
            if not isinstance(value, dict):
                return None
            value = value.get(key)
        return value

    def text(self, path: str) -> str:
        """A text; empty where there is none.

        Raises:
            SlurmOutputError: it is something else.
        """
        value = self.at(path)
        if value is None or isinstance(value, str):
            return value or ""
        raise self.unreadable(path, "a text")

    def need(self, path: str) -> str:
        """A text that must be there.

        Raises:
            SlurmOutputError: it is not.
        """
        if not self.text(path):
            raise self.unreadable(path, "a text")
        return self.text(path)

    def integer(self, path: str) -> int | None:
        """A whole number; None where it is not set or has no limit.

        Raises:
            SlurmOutputError: it is something else.
        """
        found = self.number(path)
        return None if found is None else int(found)

    def number(self, path: str) -> float | int | None:
        """A number; None where it is not set or has no limit.

        Raises:
            SlurmOutputError: it is something else.
        """
        try:
            return num(self.at(path))
        except ValueError as error:
            raise self.unreadable(path, "a number") from error

    def count(self, path: str) -> int:
        """A whole number that must be there.

        Raises:
            SlurmOutputError: it is not.
        """
        found = self.integer(path)
        if found is None:
            raise self.unreadable(path, "a number")
        return found

    def moment(self, path: str) -> int | None:
        """Seconds since the epoch; None where Slurm knows none, which it writes as 0."""
        return self.integer(path) or None

    def words(self, path: str) -> tuple[str, ...]:
        """A list of words: JSON's own, or a text with commas.

        Raises:
            SlurmOutputError: it is something else.
        """
        value = self.at(path)
        if value is None or isinstance(value, str):
            return tuple(word for word in (value or "").split(",") if word)
        if isinstance(value, list):
            return tuple(word for word in value if isinstance(word, str))
        raise self.unreadable(path, "a list")

    def names(self, path: str) -> tuple[str, ...]:
        """A hostlist.

        Raises:
            SlurmOutputError: it is none, or a bomb.
        """
        try:
            return expand(self.text(path))
        except CfslurmError as error:
            raise self.unreadable(path, f"a hostlist ({error.message})") from error

    def tres(self, path: str) -> dict[str, int]:
        """TRES: ``cpu=8,mem=16G`` or ``[{"type": "gres", "name": "gpu", "count": 2}]``.

        Raises:
            SlurmOutputError: it is neither.
        """
        value = self.at(path)
        if not isinstance(value, list):
            try:
                return read_tres(self.text(path))
            except SlurmOutputError as error:
                raise self.unreadable(path, "a TRES list") from error
        found: dict[str, int] = {}
        for item in value:
            match item:
                case {"type": str(kind), "name": str(name), "count": int(count)}:
                    found[f"{kind}/{name}" if name else kind] = count
                case _:
                    raise self.unreadable(path, "a TRES list")
        return found

    def unreadable(self, path: str, expected: str) -> SlurmOutputError:
        """The error for a value that is not what every version prints."""
        return SlurmOutputError(
            f"`{self.command}`, {self.place}: {path} is {str(self.at(path))[:80]!r}, not {expected}",
            remedy="Read with text meanwhile: `slurm: {reader: text}` in the site config. Report the "
            f"value and the output of `{self.command.split()[0]} --version`.",
        )


def json_records(done: Completed, key: str) -> Iterator[JsonRecord]:
    """The records under a key of a JSON answer (``a/b`` is key ``b`` of ``a``).

    Exit code 0 does not mean JSON: 24.11 prints plain text for what it has no JSON of.

    Raises:
        SlurmUnavailableError: no daemon answered.
        SlurmRejectedError: the program exited non-zero for another reason.
        SlurmOutputError: no JSON, cut off, or without that key.
    """
    command = command_text(done.command)
    text = checked(done)
    try:
        document: Json = json.loads(text)
    except ValueError as error:  # JSONDecodeError names line and column
        what = "cut off" if text.lstrip().startswith("{") else f"it begins {text[:60]!r}"
        raise _no_json(command, f"{error}; {what}" if text.strip() else "nothing") from error
    except RecursionError as error:
        raise _no_json(command, "nested too deeply") from error
    outer = JsonRecord(document if isinstance(document, dict) else {}, command, "the answer")
    found = outer.at(key)
    if not isinstance(found, list):
        seen = ", ".join(sorted(outer.fields)) or type(document).__name__
        raise _no_json(command, f"no list {key!r} in it, but {seen[:120]}")
    for index, record in enumerate(found):
        name = record.get("name") if isinstance(record, dict) else None
        place = f"{key}[{index}]" + (f" ({name})" if isinstance(name, str) else "")
        if not isinstance(record, dict):
            raise JsonRecord({}, command, place).unreadable("the record", "an object")
        yield JsonRecord(record, command, place)


def _no_json(command: str, what: str) -> SlurmOutputError:
    return SlurmOutputError(
        f"`{command}` printed no JSON that cfslurm can read: {what}",
        remedy="Read with text: `slurm: {reader: text}` in the site config. If this Slurm should have "
        f"JSON, report the output of `{command.split()[0]} --version`.",
    )
