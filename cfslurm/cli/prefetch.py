"""cfslurm prefetch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cfslurm.cli.common import context_of
from cfslurm.errors import CfslurmError

if TYPE_CHECKING:
    from cfslurm.wiring import Context


@click.command(
    name="prefetch",
    epilog="Examples:  cfslurm prefetch last   ·   cfslurm prefetch plan.json   "
    "(before `cfslurm submit plan.json`)",
)
@click.argument("target", metavar="RUN|PLAN")
@click.pass_context
def command(ctx: click.Context, *, target: str) -> None:
    """Bring the model variants that a run or a plan uses into the shared cache.

    What is there already costs nothing; every byte is verified before it counts. This is also
    what a run's prefetch job calls.
    """
    from cfslurm.adapters.files import read_json
    from cfslurm.adapters.validated import validate_json
    from cfslurm.core.planner.plan import Plan
    from cfslurm.core.run.names import SOURCES
    from cfslurm.core.run.sources import ModelSources
    from cfslurm.node.prefetch_outcome import PrefetchOutcome
    from cfslurm.wiring.running import bring_in

    context = context_of(ctx)
    path, run = _plan_file(target, context)
    plan = validate_json(Plan, read_json(path), str(path))
    sources = context.sources
    if run is not None:  # what was settled when the run was submitted
        sources = validate_json(ModelSources, read_json(run / SOURCES), str(run / SOURCES))
    outcome = PrefetchOutcome(run, environment=context.environment, clock=context.clock)
    try:
        bring_in(plan, sources, context, say=click.echo)
    except CfslurmError as error:
        outcome.failed(error)
        raise
    outcome.done()
    click.echo(f"{len(plan.variants)} variant(s) are in {sources.model_cache}")


def _plan_file(target: str, context: Context) -> tuple[Path, Path | None]:
    """The plan, and the run that it belongs to if a run was named (by its folder or its id)."""
    from cfslurm.adapters.run_directory import open_run
    from cfslurm.core.run.names import PLAN

    path = Path(target)
    if path.is_file():
        return path, None
    if (path / PLAN).is_file():
        return path / PLAN, path
    run = open_run(context.runs, target, context.environment).path
    return run / PLAN, run
