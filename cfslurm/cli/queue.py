"""cfslurm queue."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cfslurm.cli.common import context_of, json_option

if TYPE_CHECKING:
    from cfslurm.core.run.status import RunStatus
    from cfslurm.wiring import Context


@click.command(
    name="queue",
    epilog="Examples:  cfslurm queue   ·   cfslurm queue --all   ·   cfslurm queue --json.   "
    "See also: squeue(1)",
)
@click.option("--all", "show_all", is_flag=True, help="Ended runs too.")
@json_option
@click.pass_context
def command(ctx: click.Context, *, show_all: bool, as_json: bool) -> None:
    """List my runs that wait or run, and their jobs: one question to Slurm for all of them."""
    from cfslurm.cli.output import print_json

    runs = _statuses(context_of(ctx), show_all=show_all)
    if as_json:
        print_json("cfslurm.queue/1", runs=runs)
    elif not runs:
        click.echo("no run waits or runs; `cfslurm queue --all` shows ended ones")
    else:
        click.echo(_text(runs))


def _statuses(context: Context, *, show_all: bool) -> list[RunStatus]:
    from cfslurm.adapters.run_directory import open_run, run_ids
    from cfslurm.core.run.comment import run_of
    from cfslurm.core.run.status import run_status
    from cfslurm.stages.watch import gather, jobs_of_user

    queued = jobs_of_user(run=context.run, user=context.environment.user)
    alive = {run_of(job.comment) for job in queued} - {""}
    found = []
    for run_id in run_ids(context.runs):
        if show_all or run_id in alive:
            store = open_run(context.runs, run_id, context.environment)
            found.append(run_status(gather(store, queued)))
    return found


def _text(runs: list[RunStatus]) -> str:
    from cfslurm.core.report.tables import table

    rows = []
    for run in runs:
        items = f"{run.items_done}/{run.items_total}" if run.items_total else "-"
        rows.append((run.run_id, run.state, "", items, run.created_at, ""))
        for job in run.jobs:
            done = f"{job.items_done}/{job.items_total}" if job.items_total else "-"
            counts = " ".join(f"{count} {state}" for state, count in job.slurm.items())
            where = ",".join(job.nodes) or job.reason
            rows.append((f"  {job.key}", job.state, job.job_id, done, counts, where))
    return table(("RUN / JOB", "STATE", "JOBID", "ITEMS", "SINCE / SLURM", "NODES / REASON"), rows)
