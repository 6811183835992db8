"""cfslurm info."""

from __future__ import annotations

import click

from cfslurm.cli.common import context_of, json_option


@click.command(
    name="info",
    epilog="Examples:  cfslurm info   ·   cfslurm info -N   ·   cfslurm info --json.   See also: sinfo(1)",
)
@click.option("-N", "--nodes", "by_node", is_flag=True, help="One line for each node.")
@json_option
@click.pass_context
def command(ctx: click.Context, *, by_node: bool, as_json: bool) -> None:
    """Show partitions, GPU types, what is free now, and the limits that hold."""
    from cfslurm.cli.output import print_json
    from cfslurm.core.report.cluster_table import gpu_rows, info_text, nodes_text

    graph = context_of(ctx).harvest()
    if as_json:
        rows = graph.nodes if by_node else gpu_rows(graph)
        schema = "cfslurm.nodes/1" if by_node else "cfslurm.info/1"
        print_json(schema, warnings=graph.warnings, cluster=graph.controller, rows=rows)
    else:
        click.echo(nodes_text(graph) if by_node else info_text(graph))
