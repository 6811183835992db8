"""cfslurm topo."""

from __future__ import annotations

import click

from cfslurm.cli.common import (
    age,
    context_of,
    fresh_option,
    freshness_of,
    json_option,
    last_known_option,
)


@click.command(name="topo", epilog="Examples:  cfslurm topo   ·   cfslurm topo --json")
@fresh_option
@last_known_option
@json_option
@click.pass_context
def command(ctx: click.Context, *, asked: str | None, as_json: bool) -> None:
    """Show how nodes and GPUs are joined: switches, nodes, GPUs and their links."""
    from cfslurm.cli.output import note, print_json
    from cfslurm.core.hardware.classes import node_classes
    from cfslurm.core.hardware.parts import Freshness
    from cfslurm.core.report.cluster_table import topology_text

    context = context_of(ctx)
    graph = context.harvest(freshness_of(asked, Freshness.LIMITS))
    read = age(graph, context)
    if as_json:
        print_json(
            "cfslurm.topo/1",
            warnings=graph.warnings,
            age=read,
            switches=graph.switches,
            nodes=graph.nodes,
            classes=node_classes(graph),
        )
    else:
        note(read.text)
        click.echo(topology_text(graph))
