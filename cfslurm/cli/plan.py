"""cfslurm plan."""

from __future__ import annotations

from pathlib import Path

import click

from cfslurm.cli.common import (
    age,
    context_of,
    fresh_option,
    freshness_of,
    json_option,
    say,
    workflow_argument,
)


@click.command(
    name="plan",
    epilog="Examples:  cfslurm plan workflow.yaml   ·   cfslurm plan workflow.yaml -o plan.json   ·   "
    "cfslurm plan workflow.yaml --hardware hardware.json   (another cluster, recorded there)",
)
@workflow_argument
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Save the plan; `submit` takes it."
)
@click.option("--all", "show_all", is_flag=True, help="Show every way that was not taken.")
@click.option(
    "--hardware", type=click.Path(path_type=Path, exists=True), help="Plan for a recorded cluster."
)
@click.option(
    "--catalog", type=click.Path(path_type=Path, exists=True), help="Use recorded model variants."
)
@click.option(
    "--save-catalog", type=click.Path(path_type=Path), help="Record the model variants found."
)
@fresh_option
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    *,
    file: Path,
    output: Path | None,
    show_all: bool,
    hardware: Path | None,
    catalog: Path | None,
    save_catalog: Path | None,
    asked: str | None,
    as_json: bool,
) -> None:
    """Choose variant, node class, parallelism and share for everything in FILE.

    Prints what was chosen and what was not, with the reasons. Submits nothing. What is free is always
    asked anew; settings and limits may be as old as the site allows.
    """
    from cfslurm.adapters.files import json_text
    from cfslurm.cli.output import note, print_json, write_output
    from cfslurm.core.hardware.parts import Freshness
    from cfslurm.core.report.plan_table import Detail, plan_text
    from cfslurm.wiring.planning import load, make

    context = context_of(ctx)
    planned = make(
        load(file, context), context, say=say, hardware=hardware, catalog_file=catalog,
        freshness=freshness_of(asked, Freshness.FREE_NOW),
    )  # fmt: skip
    read = age(planned.graph, context, file=hardware)
    if output is not None:
        write_output(output, json_text(planned.plan))
        note(f"wrote {output}; `cfslurm submit {output}` submits exactly this")
    if save_catalog is not None and planned.catalog is not None:
        write_output(save_catalog, json_text(planned.catalog))
        note(f"wrote {save_catalog}")
    if as_json:
        print_json("cfslurm.planned/1", age=read, plan=planned.plan)
    else:
        note(read.text)
        click.echo(plan_text(planned.plan, Detail.EVERYTHING if show_all else Detail.REASONS))
