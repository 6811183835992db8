"""From a plan to jobs in Slurm."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cfslurm import __version__
from cfslurm.adapters.resources import shipped_text
from cfslurm.adapters.run_directory import RunDirectory, open_run, prepare_run, run_ids
from cfslurm.adapters.validated import validate_json
from cfslurm.adapters.workflow_file import dump_workflow
from cfslurm.core.planner.plan import Plan
from cfslurm.core.render.compile import Compiled, RunSettings
from cfslurm.core.render.programs import ProgramPlaces
from cfslurm.core.render.scripts import TEMPLATES, ScriptSettings
from cfslurm.core.render.submission import Submission
from cfslurm.core.run import names
from cfslurm.core.run.description import RunDescription, read_description
from cfslurm.core.run.jobs import JobSummary
from cfslurm.core.run.ledger import LedgerState, fold
from cfslurm.core.run.sources import ModelSources
from cfslurm.core.slurm.sbatch import EXPORTED, Feasibility
from cfslurm.core.slurm.units import duration_s
from cfslurm.errors import RunError, SlurmRejectedError
from cfslurm.stages.cancel import cancel_jobs
from cfslurm.stages.prefetch import prefetch
from cfslurm.stages.submit import Slurm, feasibility, submit
from cfslurm.stages.write_run import RunContent, compile_run, write_run
from cfslurm.wiring import Context
from cfslurm.wiring.planning import Planned, Say
from cfslurm.wiring.tokens import check_token


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """A run that Slurm has: its description, its jobs, and what is in the queue."""

    description: RunDescription
    path: Path
    submission: Submission
    state: LedgerState


def slurm_of(context: Context) -> Slurm:
    """Slurm, as this user."""
    return Slurm(run=context.run, clock=context.clock, user=context.environment.user)


def compile_for(planned: Planned, context: Context, *, run_id: str, run_dir: Path) -> Compiled:
    """The jobs and the manifest that a run of this name would have."""
    settings, store = context.settings, context.store(context.sources)
    variants = planned.plan.variants
    found = {name: store.find(variant) for name, variant in variants.items()}
    places = ProgramPlaces(
        folders={name: str(found[name] or store.place(v)) for name, v in variants.items()},
        cached={name for name, folder in found.items() if folder is not None},
    )
    return compile_run(
        planned.plan,
        planned.graph,
        run=RunSettings(
            run_id=run_id,
            run_dir=str(run_dir),
            workdir=str(planned.loaded.workdir),
            export=tuple(dict.fromkeys((*EXPORTED, *settings.texts("export")))),
            places=places,
            prefetch_partition=_prefetch_partition(settings.text("prefetch_on")),
        ),
        scripts=ScriptSettings(
            python=settings.text("node_python") or sys.executable,
            account=planned.plan.workflow.account or "",
            qos=planned.plan.workflow.qos or "",
            signal_lead_s=duration_s(settings.text("signal_lead")),
        ),
        templates={name: shipped_text(f"sbatch_templates/{name}") for name in TEMPLATES},
    )


def _prefetch_partition(where: str) -> str | None:
    if where == "login":
        return None
    return where.removeprefix("partition:") if where.startswith("partition:") else ""


def check_feasible(submission: Submission, context: Context) -> dict[str, Feasibility]:
    """Ask ``sbatch --test-only`` about every job, before any is submitted.

    Raises:
        SlurmRejectedError: Slurm would refuse one; all refusals are told.
    """
    answers = feasibility(submission, slurm=slurm_of(context), this_year=context.this_year)
    refused = [f"{key}: {answer.message}" for key, answer in answers.items() if not answer.accepted]
    if refused:
        raise SlurmRejectedError(
            f"Slurm would refuse {len(refused)} of {len(answers)} jobs: {'; '.join(refused)}",
            remedy="Nothing was submitted. `cfslurm submit --dry-run` prints the scripts; "
            "`cfslurm info` shows partitions, limits and accounts.",
        )
    return answers


def start_run(planned: Planned, context: Context, *, say: Say) -> Submitted:
    """Write a run's directory, bring in the models if that is done here, and submit.

    Raises:
        SlurmRejectedError: Slurm refused; nothing is left in the queue.
        SlurmUnavailableError: Slurm went silent; the same call finishes the run.
    """
    loaded = planned.loaded
    store = prepare_run(
        context.runs, loaded.workflow.name, context.environment, now=context.clock.now()
    )
    try:
        compiled = compile_for(planned, context, run_id=store.run_id, run_dir=store.path)
        say("asking sbatch --test-only")
        check_feasible(compiled.submission, context)
        description = RunDescription(
            run_id=store.run_id,
            workflow=loaded.workflow.name,
            digest=loaded.digest,
            source=str(loaded.source),
            user=context.environment.user,
            cluster=planned.graph.controller.cluster,
            created_at=context.utc(),
            cfslurm=__version__,
            items=sum(loaded.item_counts.values()),
            jobs=len(compiled.submission.jobs),
        )
        content = RunContent(
            description=description,
            workflow_text=dump_workflow(loaded.workflow),
            graph=planned.graph,
            catalog=planned.catalog,
            plan=planned.plan,
            items=loaded.items,
            sources=context.sources,
        )
        write_run(store, content, compiled)
        if context.settings.text("prefetch_on") == "login":
            bring_in(planned.plan, context.sources, context, say=say)
        elif any(job.kind == "prefetch" for job in compiled.submission.jobs):
            check_token(planned.plan, context)
        store.publish()
    except BaseException:
        store.discard()
        raise
    return _submit(store, compiled.submission, description, context, say=say)


def _submit(
    store: RunDirectory,
    submission: Submission,
    description: RunDescription,
    context: Context,
    *,
    say: Say,
) -> Submitted:
    say(f"submitting {len(submission.jobs)} job(s)")
    with store.submitting():
        state = submit(submission, store=store, slurm=slurm_of(context))
    return Submitted(description=description, path=store.path, submission=submission, state=state)


def interrupted_run(digest: str, context: Context) -> RunDirectory | None:
    """The run of the same work whose submission was cut off; None if there is none."""
    for run_id in run_ids(context.runs):
        store = open_run(context.runs, run_id, context.environment)
        try:
            description = read_description(store.read_json(names.DESCRIPTION))
        except RunError:
            continue
        if description.digest == digest and _is_unfinished(fold(store.ledger())):
            return store
    return None


def _is_unfinished(state: LedgerState) -> bool:
    return not state.is_complete and not state.cancelled


def finish_run(store: RunDirectory, context: Context, *, say: Say) -> Submitted:
    """Go on with a submission that was cut off: exactly the jobs that were prepared then."""
    description = read_description(store.read_json(names.DESCRIPTION))
    return _submit(store, submission_of(store), description, context, say=say)


def cancel_run(store: RunDirectory, jobs: Sequence[JobSummary], context: Context) -> dict[str, str]:
    """End some jobs of a run; the ids by key.

    Raises:
        RunError: a client is submitting the run just now.
    """
    slurm = slurm_of(context)
    if fold(store.ledger()).is_complete:
        return cancel_jobs(jobs, store=store, slurm=slurm)
    with store.submitting():
        return cancel_jobs(jobs, store=store, slurm=slurm)


def submission_of(store: RunDirectory) -> Submission:
    """The jobs that a run's directory holds."""
    return validate_json(Submission, store.read_json(names.JOBS), f"{store.path}/{names.JOBS}")


def bring_in(plan: Plan, sources: ModelSources, context: Context, *, say: Say) -> None:
    """Fill the model cache with the variants of a plan.

    Raises:
        CacheError, HubError: a variant cannot be had or stored.
    """
    prefetch(
        [plan.variants[name] for name in sorted(plan.variants)],
        store=context.store(sources),
        hub=context.hub(sources),
        clock=context.clock,
        progress=say,
    )
