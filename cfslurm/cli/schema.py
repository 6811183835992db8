"""cfslurm schema."""

from __future__ import annotations

import json

import click

_NAMES = ("workflow", "site", "hardware", "probe", "catalog", "plan", "submission")


@click.command(
    name="schema",
    epilog="Example:  cfslurm schema workflow > workflow.schema.json   (an editor then checks as you type: "
    "# yaml-language-server: $schema=workflow.schema.json)",
)
@click.argument("name", type=click.Choice(_NAMES))
def command(name: str) -> None:
    """Print the JSON Schema of a file that cfslurm reads or writes."""
    from cfslurm.adapters.schemas import schema

    click.echo(json.dumps(schema(name), indent=2, ensure_ascii=False))
