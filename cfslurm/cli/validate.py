"""cfslurm validate."""

from __future__ import annotations

from pathlib import Path

import click

from cfslurm.cli.common import json_option, workflow_argument


@click.command(name="validate", epilog="Example:  cfslurm validate workflow.yaml")
@workflow_argument
@json_option
def command(file: Path, *, as_json: bool) -> None:
    """Check a workflow and its item files, without the cluster and without the Hub."""
    from cfslurm.adapters.item_files import load_items
    from cfslurm.adapters.workflow_file import load_workflow
    from cfslurm.cli.output import print_json

    workflow = load_workflow(file)
    items = load_items(workflow, file.resolve().parent)
    counts = {name: len(items.get(name, (None,))) for name in workflow.tasks}
    if as_json:
        print_json(
            "cfslurm.validate/1",
            name=workflow.name,
            models=sorted(workflow.models),
            tasks=counts,
            gangs={name: sorted(gang.components) for name, gang in workflow.gangs.items()},
        )
        return
    parts = [f"{name} ({count} item{'s' if count != 1 else ''})" for name, count in counts.items()]
    parts += [
        f"gang {name} ({len(gang.components)} components)" for name, gang in workflow.gangs.items()
    ]
    click.echo(f"{file}: ok: {workflow.name}: {', '.join(parts)}")
