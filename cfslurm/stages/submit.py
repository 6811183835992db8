"""Hand the jobs of a run to Slurm, each exactly once.

Jobs are submitted held; when all of them exist they are released together. So nothing runs of a
submission that Slurm refuses in the middle, and a client that is killed between two calls leaves
held jobs that the next call finds by name.
"""

from __future__ import annotations

from dataclasses import dataclass

from cfslurm.core.render.submission import Job, Submission, dependency_option
from cfslurm.core.run.ledger import LedgerState, Told, event, fold
from cfslurm.core.slurm import sbatch, scancel, scontrol, squeue
from cfslurm.core.slurm.answers import checked, is_silence, meaningful
from cfslurm.core.slurm.command import Completed
from cfslurm.errors import RunError, SlurmRejectedError, SlurmUnavailableError
from cfslurm.ports import Clock, RunCommand, RunStore

_ATTEMPTS = 3
# How long an sbatch that was cut off may still be on its way to slurmctld.
_SETTLE_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Slurm:
    """How to talk to Slurm, and as whom."""

    run: RunCommand
    clock: Clock
    user: str


def submit(submission: Submission, *, store: RunStore, slurm: Slurm) -> LedgerState:
    """Bring a submission to its end: all jobs exist and are released, or none exists.

    Safe to call again after any failure: what exists already is found, not made twice.

    Raises:
        SlurmRejectedError: Slurm refused a job; those before it were cancelled.
        SlurmUnavailableError: Slurm does not answer; call again later.
        RunError: the run was undone or cancelled before.
    """
    state = fold(store.ledger())
    if state.is_released:
        return state
    if state.is_undone or state.cancelled:
        raise RunError(
            f"run {store.run_id} was undone: {state.refusal or 'cancelled'}",
            remedy="Submit the workflow anew.",
        )
    jobs = {**state.jobs, **_found_by_name(submission, state, store, slurm)}
    for position, job in enumerate(submission.jobs, start=1):
        if job.key not in jobs:
            jobs[job.key] = _submit_job(submission, job, jobs, position, store=store, slurm=slurm)
    for job in submission.jobs:
        checked(slurm.run(scontrol.release_command(jobs[job.key])))
    _tell(store, slurm, Told.RELEASED)
    return fold(store.ledger())


def _found_by_name(
    submission: Submission, state: LedgerState, store: RunStore, slurm: Slurm
) -> dict[str, str]:
    """Jobs that exist although their sbatch was never seen to answer."""
    found: dict[str, str] = {}
    for key in state.unsure:
        job_id = _look_up(submission.job(key), slurm)
        if job_id is not None:
            _tell(store, slurm, Told.SUBMITTED, key=key, job_id=job_id)
            found[key] = job_id
    return found


def _look_up(job: Job, slurm: Slurm) -> str | None:
    """The id of the job with our name; should there be several, all but the first are cancelled."""
    rows = squeue.read_jobs(slurm.run(squeue.named_jobs_command([job.name], user=slurm.user)))
    ids = sorted({row.parent_id for row in rows}, key=int)
    if len(ids) > 1:
        checked(slurm.run(scancel.cancel_command(ids[1:])))
    return ids[0] if ids else None


def _submit_job(
    submission: Submission,
    job: Job,
    jobs: dict[str, str],
    position: int,
    *,
    store: RunStore,
    slurm: Slurm,
) -> str:
    _tell(store, slurm, Told.INTENDED, key=job.key, name=job.name)
    command = sbatch.submit_command(
        job.script,
        options=("--hold", *options_of(submission, job, jobs)),
        export=submission.export,
    )
    for attempt in range(_ATTEMPTS):
        done = None
        try:
            done = slurm.run(command)
        except SlurmUnavailableError:  # it ran into its timeout: the job may exist all the same
            job_id = None
        else:
            job_id = (
                None if is_silence(done) else _answer(done, submission, job, position, store, slurm)
            )
        if job_id is None:
            slurm.clock.sleep(_SETTLE_S * (attempt + 1))
            job_id = _look_up(job, slurm)
        if job_id is not None:
            _tell(store, slurm, Told.SUBMITTED, key=job.key, job_id=job_id)
            return job_id
    said = meaningful(done.stderr) if done else "no answer in time"
    raise SlurmUnavailableError(
        f"Slurm did not take job {position} of {len(submission.jobs)} ({job.key}): {said}",
        remedy=f"Run the same command again to finish run {store.run_id}, "
        f"or `cfslurm cancel {store.run_id}` to undo it. Nothing has started.",
    )


def _answer(
    done: Completed,
    submission: Submission,
    job: Job,
    position: int,
    store: RunStore,
    slurm: Slurm,
) -> str:
    if done.returncode == 0:
        return sbatch.read_job_id(done)
    said = meaningful(done.stderr).replace("sbatch: error: ", "")
    _tell(store, slurm, Told.REFUSED, key=job.key, message=said)
    undo(store=store, slurm=slurm)
    raise SlurmRejectedError(
        f"Slurm refused job {position} of {len(submission.jobs)} ({job.key}): {said}",
        remedy=f"See {store.path}/submission/{job.key}.sbatch. "
        "Jobs before it were cancelled; nothing is left in the queue.",
    )


def undo(*, store: RunStore, slurm: Slurm) -> None:
    """Cancel whatever exists of a run that was not released."""
    state = fold(store.ledger())
    if state.jobs:
        checked(slurm.run(scancel.cancel_command(state.jobs.values())))
    _tell(store, slurm, Told.UNDONE)


def options_of(submission: Submission, job: Job, job_ids: dict[str, str]) -> tuple[str, ...]:
    """The words that stand on sbatch's command line and not in the script."""
    depends = dependency_option(job.depends, job_ids)
    waiting = (f"--dependency={depends}", "--kill-on-invalid-dep=yes") if depends else ()
    return (f"--chdir={submission.directory}", *waiting)


def feasibility(
    submission: Submission, *, slurm: Slurm, this_year: int
) -> dict[str, sbatch.Feasibility]:
    """What ``sbatch --test-only`` says of each job, dependencies left aside.

    Raises:
        SlurmUnavailableError: slurmctld does not answer.
    """
    answers = {}
    for job in submission.jobs:
        command = sbatch.feasibility_command(
            job.script, options=("--chdir=/",), export=submission.export
        )
        done = slurm.run(command)
        if is_silence(done):
            checked(done)
        answers[job.key] = sbatch.read_feasibility(done, this_year=this_year)
    return answers


def _tell(store: RunStore, slurm: Slurm, told: Told, **fields: str) -> None:
    store.append_ledger(event(told, at=slurm.clock.now(), client=store.client, **fields))
