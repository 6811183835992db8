"""What a prefetch job tells its run; nothing where no job and no run is."""

from __future__ import annotations

from pathlib import Path

from cfslurm.adapters.environment import Environment
from cfslurm.core.run.outcomes import Event
from cfslurm.errors import CfslurmError
from cfslurm.node.outcome_file import OutcomeFile
from cfslurm.ports import Clock

_KEY = "prefetch"


class PrefetchOutcome:
    """The outcome file of a prefetch job."""

    def __init__(self, run: Path | None, *, environment: Environment, clock: Clock) -> None:
        self._file: OutcomeFile | None = None
        job_id = environment.get("SLURM_JOB_ID")
        if run is None or job_id is None:
            return
        attempt = int(environment.get("SLURM_RESTART_COUNT") or 0)
        self._file = OutcomeFile(run, job_key=_KEY, name="0", attempt=attempt, clock=clock)
        node = environment.get("SLURMD_NODENAME") or ""
        self._file.tell(Event.ATTEMPT, attempt=attempt, job=job_id, node=node)

    def done(self) -> None:
        """All variants are in the cache."""
        if self._file is not None:
            self._file.tell(Event.END, exit=0)
            self._file.close()

    def failed(self, error: CfslurmError) -> None:
        """A variant could not be brought in."""
        if self._file is not None:
            self._file.tell(Event.END, exit=error.exit_code, reason=error.message)
            self._file.close()
