"""Hand the jobs of a run to Slurm, each exactly once.

Jobs are submitted held; when all of them exist they are released. So nothing runs of a submission
that Slurm refuses in the middle. sbatch's answer is no proof: it can fail although the job exists,
and succeed although slurmctld dies and forgets it. Before anything is tried again, and before
anything is released, Slurm is asked what it has, by name.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from cfslurm.core.render.submission import SlurmJob, SlurmJobs, dependency_option
from cfslurm.core.run.jobs import JobSummary
from cfslurm.core.run.ledger import LedgerState, Told, event, fold
from cfslurm.core.slurm import sbatch, scancel, scontrol, squeue
from cfslurm.core.slurm.answers import checked, is_silence, meaningful
from cfslurm.core.slurm.command import Command
from cfslurm.errors import (
    RunError,
    SlurmOutputError,
    SlurmRejectedError,
    SlurmUnavailableError,
    SubmissionInterruptedError,
)
from cfslurm.ports import Clock, RunCommand, RunStore
from cfslurm.stages.watch import read_outcomes

_ATTEMPTS = 3
# How long an sbatch that was cut off may still be on its way to slurmctld.
_SETTLE_S = 2.0
_NAMES_AT_ONCE = 500  # Linux takes no argument above 128 KiB


@dataclass(frozen=True, slots=True, kw_only=True)
class Slurm:
    """How to talk to Slurm, and as whom."""

    run: RunCommand
    clock: Clock
    user: str


def submit(submission: SlurmJobs, *, store: RunStore, slurm: Slurm) -> LedgerState:
    """Bring a submission to its end: all jobs exist and are released, or none exists.

    Safe to call again after any failure: what exists already is found, not made twice.

    Raises:
        SlurmRejectedError: Slurm refused a job; those before it were cancelled.
        SlurmUnavailableError: Slurm does not answer; call again later.
        SubmissionInterruptedError: Ctrl-C; call again, or cancel the run.
        RunError: the run was undone or cancelled before, or Slurm has forgotten jobs of it.
    """
    state = fold(store.ledger())
    if state.is_released:
        return state
    if state.is_undone or state.cancelled:
        raise RunError(
            f"run {store.run_id} was undone: {state.refusal or 'cancelled'}",
            remedy="Submit the workflow anew.",
        )
    try:
        if state.is_releasing:
            rows = _rows(submission.jobs, slurm)
            jobs = {key: row.parent_id for row, key in rows if row.parent_id == state.jobs.get(key)}
        else:
            jobs = _bring_in(submission, state, store=store, slurm=slurm)
            _tell(store, slurm, Told.RELEASING)
        _release(submission, jobs, store=store, slurm=slurm)
        _tell(store, slurm, Told.RELEASED)
    except SlurmUnavailableError as error:
        raise _unavailable(error.message, store) from error
    except KeyboardInterrupt as error:
        raise SubmissionInterruptedError(
            f"interrupted while run {store.run_id} was being submitted",
            remedy="Run the same command again to finish it, "
            f"or `cfslurm cancel {store.run_id}` to undo it.",
        ) from error
    return fold(store.ledger())


def _bring_in(
    submission: SlurmJobs, state: LedgerState, *, store: RunStore, slurm: Slurm
) -> dict[str, str]:
    """Have every job in Slurm exactly once, held, behind the right others; ids by key.

    What is not as it should be is cancelled first: nothing of it has run.
    """
    known = dict(state.jobs)
    is_new = not (known or state.unsure)
    there = {} if is_new else find_settled(submission.jobs, state.unsure, slurm)
    for _ in range(_ATTEMPTS):
        kept = jobs_to_keep(submission, known, there)
        _cancel([i for key, ids in there.items() for i in ids if i != kept.get(key)], slurm)
        for key, job_id in kept.items():
            if known.get(key) != job_id:
                _tell(store, slurm, Told.SUBMITTED, key=key, job_id=job_id)
        if len(kept) == len(submission.jobs):
            return kept
        known = kept
        for position, job in enumerate(submission.jobs, start=1):
            if job.key not in known:
                known[job.key] = _submit_job(
                    submission, job, known, position, store=store, slurm=slurm
                )
        there = find_jobs(submission.jobs, slurm)
    raise _unavailable(f"Slurm has forgotten jobs it had taken, {_ATTEMPTS} times", store)


def _unavailable(message: str, store: RunStore) -> SlurmUnavailableError:
    return SlurmUnavailableError(
        message,
        remedy="Run `scontrol ping`; when it says UP, run the same command again to finish run "
        f"{store.run_id}, or `cfslurm cancel {store.run_id}` to undo it.",
    )


def jobs_to_keep(
    submission: SlurmJobs, known: Mapping[str, str], there: Mapping[str, Sequence[str]]
) -> dict[str, str]:
    """Which of the jobs that Slurm has may stay; ids by key.

    ``known`` are the ids that sbatch told, ``there`` those that Slurm has by the jobs' names. Of
    several with one name the known one stays, else the oldest. A job that was submitted behind
    another one than the one that stays waits for the wrong one, perhaps for ever.
    """
    kept: dict[str, str] = {}
    for job in submission.jobs:
        ids = there.get(job.key, ())
        waits_rightly = all(
            needed.key in kept and kept[needed.key] == known.get(needed.key)
            for needed in job.depends
        )
        if ids and waits_rightly:
            kept[job.key] = known[job.key] if known.get(job.key) in ids else ids[0]
    return kept


def find_settled(
    jobs: Sequence[SlurmJob | JobSummary], unsure: Collection[str], slurm: Slurm
) -> dict[str, tuple[str, ...]]:
    """As `find_jobs`; unanswered sbatch calls get the time to arrive."""
    there = find_jobs(jobs, slurm)
    if all(key in there for key in unsure):
        return there
    slurm.clock.sleep(_SETTLE_S)
    return find_jobs(jobs, slurm)


def find_jobs(jobs: Sequence[SlurmJob | JobSummary], slurm: Slurm) -> dict[str, tuple[str, ...]]:
    """The ids that Slurm has by the names of some jobs, oldest first, by key; cancelled ones are none."""
    found: dict[str, set[str]] = {}
    for row, key in _rows(jobs, slurm):
        if row.state != "CANCELLED":
            found.setdefault(key, set()).add(row.parent_id)
    return {key: tuple(sorted(ids, key=int)) for key, ids in found.items()}


def _rows(
    jobs: Sequence[SlurmJob | JobSummary], slurm: Slurm
) -> Iterator[tuple[squeue.QueuedJob, str]]:
    keys = {job.name: job.key for job in jobs}
    names = sorted(keys)
    for first in range(0, len(names), _NAMES_AT_ONCE):
        some = names[first : first + _NAMES_AT_ONCE]
        answer = slurm.run(squeue.named_jobs_command(some, user=slurm.user))
        yield from ((row, keys[row.name]) for row in squeue.read_jobs(answer) if row.name in keys)


def _release(
    submission: SlurmJobs, jobs: Mapping[str, str], *, store: RunStore, slurm: Slurm
) -> None:
    """Let all jobs go, also those that another client has let go before.

    A job that Slurm does not know has ended long ago, or slurmctld has died and forgotten it.
    """
    gone = {job.key for job in submission.jobs} - set(jobs)
    for key, job_id in jobs.items():
        done = slurm.run(scontrol.release_command(job_id))
        if done.returncode != 0 and not is_silence(done):
            rows = squeue.read_jobs(slurm.run(squeue.some_jobs_command([job_id])))
            if not rows:
                gone.add(key)
            if all(row.state != "PENDING" for row in rows):
                continue  # it has begun, or has ended already
        checked(done)
    lost = sorted(key for key in gone if not read_outcomes(store.path, key))
    if lost:
        raise RunError(
            f"Slurm has forgotten {', '.join(lost)} of run {store.run_id}",
            remedy=f"Run `cfslurm cancel {store.run_id}`, then submit the workflow again.",
        )


def _submit_job(
    submission: SlurmJobs,
    job: SlurmJob,
    jobs: Mapping[str, str],
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
    what = f"job {position} of {len(submission.jobs)} ({job.key})"
    said = ""
    for _ in range(_ATTEMPTS):
        answer = _ask(command, slurm)
        job_id = answer.job_id
        if not job_id:
            unsure = () if answer.is_refusal else (job.key,)
            job_id = find_settled([job], unsure, slurm).get(job.key, ("",))[0]
        if job_id:
            _tell(store, slurm, Told.SUBMITTED, key=job.key, job_id=job_id)
            return job_id
        said = answer.said
        if answer.is_refusal:
            _tell(store, slurm, Told.REFUSED, key=job.key, message=said)
            undo(submission, store=store, slurm=slurm)
            raise SlurmRejectedError(
                f"Slurm refused {what}: {said}",
                remedy=f"See {store.path}/submission/{job.key}.sbatch. "
                "Jobs before it were cancelled; nothing is left in the queue.",
            )
    raise _unavailable(f"Slurm did not take {what}: {said}", store)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """What sbatch said: an id, a refusal, or neither, and then the job may exist all the same."""

    job_id: str = ""
    is_refusal: bool = False
    said: str = ""


def _ask(command: Command, slurm: Slurm) -> _Answer:
    try:
        done = slurm.run(command)
        if done.returncode == 0:
            return _Answer(job_id=sbatch.read_job_id(done))
    except (SlurmUnavailableError, SlurmOutputError) as error:
        return _Answer(said=error.message)
    if done.returncode < 0:
        return _Answer(said=f"sbatch was killed by signal {-done.returncode}")
    said = meaningful(done.stderr).replace("sbatch: error: ", "")
    return _Answer(is_refusal=not is_silence(done), said=said or f"sbatch exited {done.returncode}")


def undo(submission: SlurmJobs, *, store: RunStore, slurm: Slurm) -> None:
    """Cancel whatever Slurm has of a run that was not released."""
    _cancel([i for ids in find_jobs(submission.jobs, slurm).values() for i in ids], slurm)
    _tell(store, slurm, Told.UNDONE)


def _cancel(job_ids: Sequence[str], slurm: Slurm) -> None:
    if job_ids:
        checked(slurm.run(scancel.cancel_command(job_ids)))


def options_of(submission: SlurmJobs, job: SlurmJob, job_ids: Mapping[str, str]) -> tuple[str, ...]:
    """The words that stand on sbatch's command line and not in the script."""
    depends = dependency_option(job.depends, job_ids)
    waiting = (f"--dependency={depends}", "--kill-on-invalid-dep=yes") if depends else ()
    return (f"--chdir={submission.directory}", *waiting)


def feasibility(
    submission: SlurmJobs, *, slurm: Slurm, this_year: int
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
