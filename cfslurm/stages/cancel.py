"""End a run, or parts of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cfslurm.core.run.jobs import JobSummary, read_jobs
from cfslurm.core.run.ledger import Told, event, fold
from cfslurm.core.run.names import JOBS
from cfslurm.core.slurm import scancel, squeue
from cfslurm.core.slurm.answers import checked
from cfslurm.core.workflow.names import nearest
from cfslurm.errors import UserInputError
from cfslurm.ports import RunStore
from cfslurm.stages.submit import Slurm, find_settled


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
    """Cancel those of some jobs that wait or run; a submission that was cut off is undone as a whole.

    Its jobs are found by their names: an sbatch call may never have been answered. What has ended
    already stays as it ended.

    Raises:
        SlurmUnavailableError: slurmctld does not answer; nothing is written down then.
    """
    state = fold(store.ledger())
    there: Mapping[str, tuple[str, ...]]
    if state.is_complete:
        rows = squeue.read_jobs(slurm.run(squeue.user_jobs_command(slurm.user)))
        alive = {row.parent_id for row in rows}
        ids_told = {job.key: state.jobs.get(job.key, "") for job in jobs}
        there = {key: (job_id,) for key, job_id in ids_told.items() if job_id in alive}
        jobs = [job for job in jobs if job.key in there]
    else:
        jobs = read_jobs(store.read_json(JOBS))
        there = find_settled(jobs, state.unsure, slurm)
    ids = [job_id for of_job in there.values() for job_id in of_job]
    if state.is_complete and not ids:
        return {}
    if ids:
        checked(slurm.run(scancel.cancel_command(ids)))
    now = slurm.clock.now()
    keys = [job.key for job in jobs]
    store.append_ledger(event(Told.CANCELLED, at=now, client=store.client, keys=list(keys)))
    if not state.is_complete:
        store.append_ledger(event(Told.UNDONE, at=now, client=store.client))
    return {key: of_job[0] for key, of_job in there.items()}
