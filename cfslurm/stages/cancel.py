"""End a run, or parts of it."""

from __future__ import annotations

from collections.abc import Sequence

from cfslurm.core.run.jobs import JobSummary
from cfslurm.core.run.ledger import Told, event, fold
from cfslurm.core.slurm import scancel, squeue
from cfslurm.core.slurm.answers import checked
from cfslurm.core.workflow.names import nearest
from cfslurm.errors import UserInputError
from cfslurm.ports import RunStore
from cfslurm.stages.submit import Slurm


def jobs_named(parts: Sequence[str], jobs: Sequence[JobSummary]) -> tuple[JobSummary, ...]:
    """The jobs of some tasks and gangs; all jobs if none is named.

    Raises:
        UserInputError: the run has no such part.
    """
    if not parts:
        return tuple(jobs)
    known = {name for job in jobs for name in (job.entry, job.key)}
    for part in parts:
        if part not in known:
            near = nearest(part, known)
            raise UserInputError(
                f"the run has no task or gang {part!r}",
                remedy=f"Did you mean {near!r}?" if near else f"It has {', '.join(sorted(known))}.",
            )
    return tuple(job for job in jobs if job.entry in parts or job.key in parts)


def cancel_jobs(jobs: Sequence[JobSummary], *, store: RunStore, slurm: Slurm) -> dict[str, str]:
    """Cancel some jobs of a run; a submission that was cut off is undone with them.

    Jobs whose sbatch call was never answered are found by their names.

    Raises:
        SlurmUnavailableError: slurmctld does not answer; nothing is written down then.
    """
    state = fold(store.ledger())
    ids = {job.key: state.jobs[job.key] for job in jobs if job.key in state.jobs}
    unsure = {job.name: job.key for job in jobs if job.key in state.unsure}
    if unsure:
        rows = squeue.read_jobs(slurm.run(squeue.named_jobs_command(unsure, user=slurm.user)))
        ids.update({unsure[row.name]: row.parent_id for row in rows if row.name in unsure})
    if ids:
        checked(slurm.run(scancel.cancel_command(ids.values())))
    now = slurm.clock.now()
    keys = [job.key for job in jobs]
    store.append_ledger(event(Told.CANCELLED, at=now, client=store.client, keys=list(keys)))
    if not state.is_complete and set(state.jobs) <= set(ids):
        store.append_ledger(event(Told.UNDONE, at=now, client=store.client))
    return ids
