"""What finished work teaches the next plan."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from cfslurm.core.run.names import CALIBRATED

if TYPE_CHECKING:
    from cfslurm.adapters.calibration_file import CalibrationFiles
    from cfslurm.adapters.run_directory import RunDirectory
    from cfslurm.core.models.calibration import Observation
    from cfslurm.core.models.speed import Knowledge
    from cfslurm.core.run.outcomes import ItemState
    from cfslurm.core.run.status import Evidence
    from cfslurm.wiring import Context


def files(context: Context) -> CalibrationFiles:
    """The ledgers that this user reads and writes."""
    from cfslurm.adapters.calibration_file import CalibrationFiles

    environment = context.environment
    state = environment.get("XDG_STATE_HOME")
    folder = Path(state) if state else environment.home / ".local" / "state"
    shared = context.settings.text("calibration")
    return CalibrationFiles(
        user=environment.user,
        uid=environment.uid,
        own=folder / "cfslurm" / "calibration.jsonl",
        shared=Path(shared) if shared else None,
    )


def knowledge(context: Context, *, cluster: str) -> Knowledge:
    """What predictions for a cluster are made from."""
    from cfslurm.core.models.calibration import Calibration
    from cfslurm.core.models.speed import Knowledge

    observations, _ = files(context).read()
    return Knowledge(
        table=context.speed_table(),
        calibration=Calibration(observations=observations, user=context.environment.user),
        cluster=cluster,
    )


def learn(context: Context, store: RunDirectory, evidence: Evidence) -> tuple[Observation, ...]:
    """Keep what a run that has ended tells; again and again gives the same as once.

    Raises:
        OSError: the user's ledger cannot be written.
        RunError: the run has no plan, or is not this user's: who writes its files says what was measured.
    """
    from cfslurm.core.run.measured import Finished, measured
    from cfslurm.core.run.names import PLAN
    from cfslurm.core.run.status import run_status, shown_items
    from cfslurm.errors import RunError

    if store.path.stat().st_uid != context.environment.uid:
        raise RunError(
            f"run {store.run_id} is not yours: its numbers would count as your own",
            remedy="Calibrate with runs of your own; a site shares ledgers by `storage.calibration`.",
        )
    items: dict[str, list[ItemState]] = {}
    for job in run_status(evidence).jobs:
        if job.kind == "array":
            items.setdefault(job.entry, []).extend(shown_items(job, evidence.outcomes[job.key]))
    found = measured(
        Finished(
            run=store.run_id,
            user=context.environment.user,
            at=context.utc(),
            plan=store.read_json(PLAN),
            items=items,
        )
    )
    if found:
        files(context).append(found)
    return found


def learn_once(context: Context, store: RunDirectory, evidence: Evidence) -> None:
    """As `learn`, where a user asks for something else: only for own runs, once, and never in the way."""
    from cfslurm.core.run.status import State, run_status
    from cfslurm.errors import CfslurmError

    if evidence.description.user != context.environment.user:
        return
    if run_status(evidence).state not in (State.DONE, State.FAILED):
        return
    if (store.path / CALIBRATED).exists():
        return
    with suppress(OSError, CfslurmError):
        learn(context, store, evidence)
        store.write_text(CALIBRATED, context.utc() + "\n")
