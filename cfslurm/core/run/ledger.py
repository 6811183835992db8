"""The ledger: what Slurm was told, written before and after each telling.

Events are never changed. What a client wrote before it was killed tells the next one where to go on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from cfslurm.core.documents import Json


class Told(StrEnum):
    """What happened between us and Slurm."""

    INTENDED = "intended"  # sbatch is about to get this job
    SUBMITTED = "submitted"  # the job exists, held
    RELEASING = "releasing"  # all jobs of the run exist; from now on some may start
    RELEASED = "released"  # all may start
    REFUSED = "refused"  # sbatch said no
    UNDONE = "undone"  # nothing of the run is left in the queue
    CANCELLED = "cancelled"  # the user ended the run, or some of its jobs


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerState:
    """What the events add up to.

    ``jobs`` maps a job's key to its id; ``unsure`` are keys whose last sbatch call was not answered.
    ``cancelled`` are keys that the user ended.
    """

    jobs: Mapping[str, str]
    unsure: tuple[str, ...]
    is_releasing: bool
    is_released: bool
    is_undone: bool
    cancelled: tuple[str, ...]
    refusal: str

    @property
    def is_complete(self) -> bool:
        """True if nothing of the submission is left to do or to undo."""
        return self.is_released or self.is_undone


def event(told: Told, *, at: float, client: str, **fields: Json) -> dict[str, Json]:
    """An event of one client."""
    return {"event": told.value, "at": round(at, 3), "client": client, **fields}


def fold(events: Sequence[Mapping[str, Any]]) -> LedgerState:
    """Add the events up, oldest first."""
    jobs: dict[str, str] = {}
    unsure: dict[str, None] = {}
    cancelled: dict[str, None] = {}
    refusal = ""
    kinds = {item["event"] for item in events}
    for item in events:
        match Told(item["event"]):
            case Told.INTENDED:
                unsure[str(item["key"])] = None
            case Told.SUBMITTED:
                jobs[str(item["key"])] = str(item["job_id"])
                unsure.pop(str(item["key"]), None)
            case Told.CANCELLED:
                cancelled.update(dict.fromkeys(str(key) for key in item["keys"]))
            case Told.REFUSED:
                refusal = str(item["message"])
            case Told.RELEASING | Told.RELEASED | Told.UNDONE:
                pass  # counted in kinds
    return LedgerState(
        jobs=jobs,
        unsure=tuple(unsure),
        is_releasing=Told.RELEASING.value in kinds,
        is_released=Told.RELEASED.value in kinds,
        is_undone=Told.UNDONE.value in kinds,
        cancelled=tuple(cancelled),
        refusal=refusal,
    )
