"""What a run is: the small file that lists and look-ups read."""

from __future__ import annotations

from dataclasses import dataclass, fields

from cfslurm.core.documents import Json
from cfslurm.errors import RunError

SCHEMA = "cfslurm.run/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDescription:
    """A run in a few words.

    ``digest`` is the sha256 of the workflow and its items: an interrupted submission of the same
    work is found by it. ``created_at`` is UTC in ISO 8601.
    """

    schema: str = SCHEMA
    run_id: str
    workflow: str
    digest: str
    source: str
    user: str
    cluster: str
    created_at: str
    cfslurm: str
    items: int
    jobs: int


def read_description(data: Json) -> RunDescription:
    """The description in JSON data.

    Raises:
        RunError: it is of another version, or a key is missing or unknown.
    """
    names = {field.name for field in fields(RunDescription)}
    if not isinstance(data, dict) or data.get("schema") != SCHEMA or set(data) != names:
        raise RunError(
            f"not a run of {SCHEMA}", remedy="Read it with the cfslurm that submitted it."
        )
    return RunDescription(**data)  # type: ignore[arg-type]  # our own file, written from the same class
