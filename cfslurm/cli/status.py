"""cfslurm status."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cfslurm.cli.common import context_of, json_option

if TYPE_CHECKING:
    from cfslurm.core.run.outcomes import ItemState
    from cfslurm.core.run.status import JobStatus, RunStatus


@click.command(
    name="status",
    epilog="Examples:  cfslurm status last   ·   cfslurm status lab-3f09a1 --items   ·   "
    "cfslurm status last --json",
)
@click.argument("run", metavar="RUN", default="last")
@click.option(
    "--items", "show_items", is_flag=True, help="Every item: node, variant, starts, result."
)
@json_option
@click.pass_context
def command(ctx: click.Context, *, run: str, show_items: bool, as_json: bool) -> int | None:
    """Tell where a run stands: its id, the end of its id, or `last`.

    Exits with 1 if something of the run has failed.
    """
    from cfslurm.adapters.run_directory import open_run
    from cfslurm.cli.output import print_json
    from cfslurm.core.run.status import State, run_status, shown_items
    from cfslurm.stages.watch import gather, jobs_of_run
    from cfslurm.wiring.calibrating import learn_once

    context = context_of(ctx)
    store = open_run(context.runs, run, context.environment)
    evidence = gather(store, jobs_of_run(store, run=context.run))
    status = run_status(evidence)
    items = {
        job.key: shown_items(job, evidence.outcomes[job.key])
        for job in status.jobs
        if job.kind == "array"
    }
    learn_once(context, store, evidence)
    if as_json:
        print_json("cfslurm.status/1", run=status, items=items if show_items else {})
    else:
        click.echo(_text(status))
        if show_items:
            click.echo(_items_text(items))
    failed = status.items_failed or any(job.state is State.FAILED for job in status.jobs)
    return 1 if failed else None


def _text(status: RunStatus) -> str:
    from cfslurm.core.report.tables import table

    lines = [f"Run {status.run_id}: {status.state.value}   submitted {status.created_at}"]
    lines.append(
        table(
            ("JOB", "STATE", "JOBID", "DONE", "FAILED", "RUNNING", "RESTARTS", "WHERE / WHY"),
            [_job_row(job) for job in status.jobs],
            indent="  ",
        )
    )
    parts = [(job.key, part) for job in status.jobs for part in job.parts]
    if parts:
        lines.append(
            table(
                ("GANG", "COMPONENT", "STATE", "NODE", "NODE CLASS", "VARIANT", "ATTEMPT"),
                [
                    (
                        key,
                        p.name,
                        p.state,
                        p.node or "-",
                        p.node_class or "-",
                        p.variant or "-",
                        p.attempt,
                    )
                    for key, p in parts
                ],
                indent="  ",
            )
        )
    return "\n".join(lines)


def _job_row(job: JobStatus) -> tuple[object, ...]:
    items = job.kind == "array"
    return (
        job.key,
        job.state.value,
        job.job_id or "-",
        f"{job.items_done}/{job.items_total}" if items else "-",
        job.items_failed if items else "-",
        job.items_running if items else "-",
        job.restarts,
        ",".join(job.nodes) or job.reason,
    )


def _items_text(items: dict[str, list[ItemState]]) -> str:
    from cfslurm.core.report.tables import table

    rows = [
        (key, i.item, i.state, i.node, i.node_class, i.variant or "-", i.starts, f"{i.seconds:.1f}")
        for key, states in items.items()
        for i in states
    ]
    header = ("JOB", "ITEM", "STATE", "NODE", "NODE CLASS", "VARIANT", "STARTS", "SECONDS")
    return table(header, rows, indent="  ") if rows else "  no item has begun"
