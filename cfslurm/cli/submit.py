"""cfslurm submit."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cfslurm.cli.common import age, context_of, json_option, say, workflow_argument

if TYPE_CHECKING:
    from cfslurm.core.hardware.age import Age
    from cfslurm.core.render.submission import Submission
    from cfslurm.core.slurm.sbatch import Feasibility
    from cfslurm.wiring.running import Submitted


@click.command(
    name="submit",
    epilog="Examples:  cfslurm submit workflow.yaml   ·   cfslurm submit workflow.yaml --dry-run   ·   "
    "cfslurm submit plan.json   ·   cfslurm submit flow.py --parsable.   See also: sbatch(1)",
)
@workflow_argument
@click.option(
    "--dry-run", "--test-only", "dry_run", is_flag=True,
    help="Print exactly what would be submitted, ask sbatch --test-only, submit nothing.",
)  # fmt: skip
@click.option("--parsable", is_flag=True, help="Print the run id only.")
@click.option("-q", "--quiet", is_flag=True, help="Do not print the plan.")
@json_option
@click.pass_context
def command(
    ctx: click.Context, *, file: Path, dry_run: bool, parsable: bool, quiet: bool, as_json: bool
) -> None:
    """Plan FILE (a workflow in YAML or Python, or a plan in JSON) and hand its jobs to Slurm.

    Safe to run again: a submission that was cut off is finished, not made twice.
    """
    from cfslurm.cli.output import note
    from cfslurm.core.report.plan_table import Detail, plan_text
    from cfslurm.wiring.planning import load, make
    from cfslurm.wiring.running import finish_run, interrupted_run, start_run

    context = context_of(ctx)
    loaded = load(file, context)
    cut_off = None if dry_run else interrupted_run(loaded.digest, context)
    if cut_off is not None:
        click.echo(f"finishing run {cut_off.run_id}, whose submission was cut off", err=True)
        done = finish_run(cut_off, context, say=say)
        _report(done, None, parsable=parsable, as_json=as_json)
        return
    planned = make(loaded, context, say=say)
    read = age(planned.graph, context)
    if not (quiet or parsable or as_json):
        note(read.text)
        click.echo(plan_text(planned.plan, Detail.CHOSEN))
        click.echo("What was not taken, and why: cfslurm plan FILE, cfslurm explain FILE GROUP.\n")
    if dry_run:
        from cfslurm.wiring.running import check_feasible, compile_for

        run_dir = context.runs / "RUN-ID"
        compiled = compile_for(planned, context, run_id="RUN-ID", run_dir=run_dir)
        _report_dry_run(
            compiled.submission, check_feasible(compiled.submission, context), read, as_json=as_json
        )
        return
    _report(start_run(planned, context, say=say), read, parsable=parsable, as_json=as_json)


def _report(done: Submitted, read: Age | None, *, parsable: bool, as_json: bool) -> None:
    from cfslurm.cli.output import print_json

    run_id = done.description.run_id
    jobs = [
        {"key": job.key, "kind": job.kind, "job_id": done.state.jobs[job.key]}
        for job in done.submission.jobs
    ]
    if parsable:
        click.echo(run_id)
    elif as_json:
        print_json("cfslurm.submit/1", age=read, run_id=run_id, directory=str(done.path), jobs=jobs)
    else:
        from cfslurm.core.report.tables import table

        click.echo(f"Submitted run {run_id}   {len(jobs)} Slurm job(s)   {done.path}")
        rows = [(job["job_id"], _what(done.submission, job["key"])) for job in jobs]
        click.echo(table(("JOB", "WHAT"), rows, indent="  "))
        click.echo(
            f"Next:  cfslurm status {run_id}     cfslurm logs {run_id} -f     cfslurm cancel {run_id}"
        )


def _what(submission: Submission, key: str) -> str:
    from cfslurm.core.render.submission import ArrayJob, HetJob, PrefetchJob

    match submission.job(key):
        case ArrayJob() as job:
            return f"{job.key}: array of {job.tasks} task(s) on {', '.join(job.classes)}"
        case HetJob() as job:
            places = zip(job.components, job.classes, strict=True)
            return f"{job.key}: gang of {', '.join(f'{name} on {place}' for name, place in places)}"
        case PrefetchJob() as job:
            return f"{job.key}: {len(job.variants)} model variant(s) into the cache"


def _report_dry_run(
    submission: Submission, answers: dict[str, Feasibility], read: Age, *, as_json: bool
) -> None:
    from cfslurm.cli.output import print_json
    from cfslurm.stages.submit import options_of

    later = {job.key: f"<{job.key}>" for job in submission.jobs}
    if as_json:
        print_json("cfslurm.dry_run/1", age=read, submission=submission, test_only=answers)
        return
    for job in submission.jobs:
        words = " ".join(("sbatch --parsable --hold", *options_of(submission, job, later)))
        click.echo(f"--- {job.key}: {words} <<'END'")
        sys.stdout.write(job.script)
        click.echo("END")
        answer = answers[job.key]
        start = f"would start at {answer.start}" if answer.start else "feasible, start unknown"
        click.echo(f"--- sbatch --test-only: {start} on {answer.nodelist}\n")
    click.echo(f"Would submit {len(submission.jobs)} job(s). Nothing was submitted.")
