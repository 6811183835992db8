"""cfslurm info."""

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


@click.command(
    name="info",
    epilog="Examples:  cfslurm info   ·   cfslurm info -N   ·   cfslurm info --json.   See also: sinfo(1)",
)
@click.option("-N", "--nodes", "by_node", is_flag=True, help="One line for each node.")
@fresh_option
@last_known_option
@json_option
@click.pass_context
def command(ctx: click.Context, *, by_node: bool, asked: str | None, as_json: bool) -> None:
    """Show partitions, GPU types, what is free now and next, reservations, licences and your limits.

    Slurm's answers are kept for some seconds, so that looking often costs it little.
    """
    from cfslurm.cli.output import note, print_json
    from cfslurm.core.hardware.capacity import freeings
    from cfslurm.core.hardware.limits import limits_of_user
    from cfslurm.core.hardware.parts import Freshness
    from cfslurm.core.report.cluster_table import gpu_rows, info_text, nodes_text

    context = context_of(ctx)
    graph = context.harvest(freshness_of(asked, Freshness.LIMITS))
    read = age(graph, context)
    if as_json:
        schema = "cfslurm.nodes/1" if by_node else "cfslurm.info/1"
        print_json(
            schema,
            warnings=graph.warnings,
            age=read,
            cluster=graph.controller,
            rows=graph.nodes if by_node else gpu_rows(graph),
            reservations=graph.reservations,
            next_free=freeings(graph),
            licenses=graph.licenses,
            limits=limits_of_user(graph),
            shares=graph.shares,
        )
    else:
        note(read.text)
        click.echo(nodes_text(graph) if by_node else info_text(graph))
