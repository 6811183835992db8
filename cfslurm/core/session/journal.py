r"""The journal of a generation: what must be durable before the next one, a line each.

Shape: ``<crc32 in 8 hexadecimal digits> <JSON>\n``; the first line says whose journal it is, every
other has a ``kind``. A crash can tear only the last line; it is then not there.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from cfslurm.core.documents import Json
from cfslurm.core.session import values
from cfslurm.core.session.layout import JOURNAL_SCHEMA, GenerationId, newer_error
from cfslurm.errors import SessionError

STEP = "step"


def frame(record: dict[str, Json]) -> bytes:
    """A record as one line."""
    text = values.to_bytes(record)
    return b"%08x %s\n" % (zlib.crc32(text), text)


def header(session: str, after: GenerationId) -> dict[str, Json]:
    """The first record of a journal."""
    return {
        "schema": JOURNAL_SCHEMA,
        "session": session,
        "epoch": after.epoch,
        "generation": after.generation,
    }


def step_record(key: str, result: Json) -> dict[str, Json]:
    """The record of a step's result."""
    return {"kind": STEP, "key": key, "result": result}


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What a journal says: results by key, and how many lines cannot be read.

    An interrupted write at the very end is not counted: nobody was told that it is safe.
    """

    steps: dict[str, Json]
    damaged: int


def read_journal(raw: bytes, after: GenerationId) -> Recorded:
    """Read every line that is whole; each is a fact of its own.

    Raises:
        SessionError: it was written by a newer cfslurm, or belongs to another generation.
    """
    *lines, _torn = raw.split(b"\n")
    records = [_record(line) for line in lines]
    steps: dict[str, Json] = {}
    for record in records:
        match record:
            case None:
                continue
            case {"schema": _}:
                _check_header(record, after)
            case {"kind": "step", "key": str(key), "result": result}:
                steps.setdefault(key, result)
            case _:
                raise newer_error(f"journal record of kind {record.get('kind')!r}")
    return Recorded(steps=steps, damaged=records.count(None))


def _record(line: bytes) -> dict[str, Json] | None:
    crc, _, text = line.partition(b" ")
    if len(crc) != 8 or crc != b"%08x" % zlib.crc32(text):
        return None
    record = values.from_bytes(text)
    return record if isinstance(record, dict) else None


def _check_header(record: dict[str, Json], after: GenerationId) -> None:
    if record.get("schema") != JOURNAL_SCHEMA:
        raise newer_error(f"journal schema {record.get('schema')!r}")
    if (record.get("epoch"), record.get("generation")) != (after.epoch, after.generation):
        raise SessionError(
            f"{after.journal_name} is the journal of another generation",
            remedy="Move it out of the folder; a recorded step that was in it runs again then.",
        )
