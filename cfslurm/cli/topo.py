"""cfslurm topo."""

from __future__ import annotations

import click

from cfslurm.cli.common import context_of, json_option


@click.command(name="topo", epilog="Examples:  cfslurm topo   ·   cfslurm topo --json")
@json_option
@click.pass_context
def command(ctx: click.Context, *, as_json: bool) -> None:
    """Show how nodes and GPUs are joined: switches, nodes, GPUs and their links."""
    from cfslurm.cli.output import print_json
    from cfslurm.core.hardware.classes import node_classes
    from cfslurm.core.report.cluster_table import topology_text

    graph = context_of(ctx).harvest()
    if as_json:
        print_json(
            "cfslurm.topo/1",
            warnings=graph.warnings,
            switches=graph.switches,
            nodes=graph.nodes,
            classes=node_classes(graph),
        )
    else:
        click.echo(topology_text(graph))
