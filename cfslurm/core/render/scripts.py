"""Jobs → batch scripts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from cfslurm.core.render.sbatch import render
from cfslurm.core.render.submission import ArrayJob, HetJob, Job, PrefetchJob, Submission
from cfslurm.core.run.comment import comment_of

TEMPLATES = ("macros.sh.j2", "array.sh.j2", "hetjob.sh.j2", "prefetch.sh.j2")
_LEAST_LEAD_S = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptSettings:
    """What all scripts of a run have in common.

    ``python`` is the interpreter on the nodes; ``account`` and ``qos`` may be empty.

    Units: ``signal_lead_s`` is how long before its end a job is told.
    """

    python: str
    account: str
    qos: str
    signal_lead_s: int


def with_scripts(
    submission: Submission, templates: Mapping[str, str], settings: ScriptSettings
) -> Submission:
    """Fill in the script of every job.

    Raises:
        UserInputError: a template lacks a value, or a value cannot stand in an #SBATCH line.
    """
    jobs = tuple(
        replace(job, script=_script(job, submission, templates, settings))
        for job in submission.jobs
    )
    return replace(submission, jobs=jobs)


def _script(
    job: Job, submission: Submission, templates: Mapping[str, str], settings: ScriptSettings
) -> str:
    match job:
        case ArrayJob():
            name, shortest, nice = "array.sh.j2", job.ask.time_limit_s, job.nice
        case HetJob():
            name, nice = "hetjob.sh.j2", job.nice
            shortest = min(ask.time_limit_s for ask in job.asks)
        case PrefetchJob():
            name, shortest, nice = "prefetch.sh.j2", job.ask.time_limit_s, 0
    values = {
        "job": job,
        "run_id": submission.run_id,
        "run_dir": submission.directory,
        "comment": comment_of(submission.run_id, job.key),
        "python": settings.python,
        "account": settings.account,
        "qos": settings.qos,
        "nice": nice,
        # Not more than a quarter of the job: a job of a minute must do something besides saving.
        "signal_lead_s": max(_LEAST_LEAD_S, min(settings.signal_lead_s, shortest // 4)),
    }
    return render(templates, name, values)
