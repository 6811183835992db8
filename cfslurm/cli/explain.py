"""cfslurm explain."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cfslurm.cli.common import (
    age,
    context_of,
    fresh_option,
    freshness_of,
    json_option,
    say,
)
from cfslurm.errors import UserInputError

if TYPE_CHECKING:
    from cfslurm.core.hardware.age import Age
    from cfslurm.core.planner.plan import Plan
    from cfslurm.wiring import Context


@click.command(
    name="explain",
    epilog="Examples:  cfslurm explain workflow.yaml eval   ·   cfslurm explain last agents/coder   ·   "
    "cfslurm explain 4711   ·   cfslurm explain last --variant awq --node-class rtx4090",
)
@click.argument("target", metavar="FILE|RUN|JOB")
@click.argument("group", required=False, default="")
@click.option(
    "--variant", default="", help="Only what is said of variants with this in their name."
)
@click.option(
    "--node-class", default="", help="Only what is said of node classes with this in their name."
)
@fresh_option
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    *,
    target: str,
    group: str,
    variant: str,
    node_class: str,
    asked: str | None,
    as_json: bool,
) -> int | None:
    """Say why a plan is as it is (FILE or RUN, and GROUP in it), or why a JOB waits.

    Exits with 1 if there is nothing to say.
    """
    from cfslurm.cli.output import note, print_json
    from cfslurm.core.report.plan_table import explain_plan

    context = context_of(ctx)
    sentences: tuple[str, ...] = ()
    read: Age | None = None
    if target.replace("_", "").replace("+", "").isdigit():
        sentences = _sentences_of_job(target, context)
    if not sentences:
        plan, read = _plan_of(target, context, asked)
        sentences = explain_plan(plan, group=group, variant=variant, node_class=node_class)
    if as_json:
        print_json("cfslurm.explain/1", age=read, sentences=sentences)
    else:
        if read is not None:
            note(read.text)
        click.echo("\n".join(sentences) or "the plan says nothing of that")
    return None if sentences else 1


def _plan_of(target: str, context: Context, asked: str | None) -> tuple[Plan, Age | None]:
    """The plan of a file, made now, with the age of the cluster; or that of a run, as it was made."""
    from cfslurm.adapters.run_directory import open_run
    from cfslurm.adapters.validated import validate_json
    from cfslurm.core.hardware.parts import Freshness
    from cfslurm.core.planner.plan import Plan
    from cfslurm.core.run.names import PLAN
    from cfslurm.wiring.planning import load, make

    if Path(target).is_file():
        loaded = load(Path(target), context)
        freshness = freshness_of(asked, Freshness.FREE_NOW)
        planned = make(loaded, context, say=say, freshness=freshness)
        return planned.plan, age(planned.graph, context)
    if asked:
        raise UserInputError(
            f"{target} has its plan already: no cluster is read for it",
            remedy="--fresh belongs to a workflow FILE; leave it out.",
        )
    store = open_run(context.runs, target, context.environment)
    return validate_json(Plan, store.read_json(PLAN), f"{store.path}/{PLAN}"), None


def _sentences_of_job(job_id: str, context: Context) -> tuple[str, ...]:
    """What Slurm says of a job; nothing where the digits are the end of a run's id.

    Raises:
        UserInputError: they are neither.
    """
    from cfslurm.adapters.run_directory import run_ids
    from cfslurm.core.report.reasons import explain_queued
    from cfslurm.core.slurm import squeue

    rows = squeue.read_jobs(context.run(squeue.some_jobs_command([job_id])))
    if not rows and not any(run_id.endswith(f"-{job_id}") for run_id in run_ids(context.runs)):
        raise UserInputError(
            f"Slurm does not know job {job_id} (any more)",
            remedy="`cfslurm queue` lists the jobs, `cfslurm status RUN` what became of them.",
        )
    return explain_queued(rows, now=context.clock.now())
