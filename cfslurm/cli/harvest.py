"""cfslurm harvest."""

from __future__ import annotations

from pathlib import Path

import click

from cfslurm.cli.common import context_of


@click.command(
    name="harvest",
    epilog="Example:  cfslurm harvest -o hardware.json   (then, anywhere: "
    "cfslurm plan workflow.yaml --hardware hardware.json)",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write into this file.")
@click.pass_context
def command(ctx: click.Context, *, output: Path | None) -> None:
    """Read the whole cluster into one JSON document: nodes, GPUs, partitions, limits, topology."""
    from cfslurm.adapters.files import json_text, write_atomic
    from cfslurm.cli.output import note

    graph = context_of(ctx).harvest()
    if output is None:
        click.echo(json_text(graph), nl=False)
        return
    write_atomic(output, json_text(graph).encode())
    note(f"wrote {output}: {len(graph.nodes)} nodes of {graph.controller.cluster}")
