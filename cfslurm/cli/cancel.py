"""cfslurm cancel."""

from __future__ import annotations

import sys

import click

from cfslurm.cli.common import context_of, json_option

_ASK_ABOVE = 10


@click.command(
    name="cancel",
    epilog="Examples:  cfslurm cancel last   ·   cfslurm cancel lab-3f09a1 eval -y.   See also: scancel(1)",
)
@click.argument("run", metavar="RUN")
@click.argument("parts", metavar="[TASK|GANG]…", nargs=-1)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@json_option
@click.pass_context
def command(
    ctx: click.Context, *, run: str, parts: tuple[str, ...], yes: bool, as_json: bool
) -> None:
    """End a run, or the named tasks and gangs of it. What they have saved stays."""
    from cfslurm.adapters.run_directory import open_run
    from cfslurm.cli.output import print_json
    from cfslurm.core.run.jobs import read_jobs
    from cfslurm.core.run.names import JOBS
    from cfslurm.stages.cancel import jobs_named
    from cfslurm.wiring.running import cancel_run

    context = context_of(ctx)
    store = open_run(context.runs, run, context.environment)
    jobs = jobs_named(parts, read_jobs(store.read_json(JOBS)))
    tasks = sum(job.tasks for job in jobs)
    if tasks > _ASK_ABOVE and not yes and sys.stdin.isatty():
        click.confirm(f"End {len(jobs)} job(s) with {tasks} task(s) of {store.run_id}?", abort=True)
    ended = cancel_run(store, jobs, context)
    if as_json:
        print_json("cfslurm.cancel/1", run_id=store.run_id, jobs=ended)
    else:
        names = ", ".join(f"{key} ({job_id})" for key, job_id in ended.items())
        click.echo(
            f"cancelled in {store.run_id}: {names}" if names else "nothing of it waits or runs"
        )
