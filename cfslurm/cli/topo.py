"""cfslurm topo."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cfslurm.cli.common import (
    age,
    context_of,
    fresh_option,
    freshness_of,
    json_option,
    last_known_option,
)
from cfslurm.errors import UserInputError

if TYPE_CHECKING:
    from cfslurm.core.hardware.age import Age
    from cfslurm.core.hardware.graph import HardwareGraph
    from cfslurm.core.report.topology_model import View
    from cfslurm.wiring import Context

_RECORDED = click.Path(path_type=Path, exists=True, dir_okay=False)
_EPILOG = """\b
Examples:  cfslurm topo
           cfslurm topo a100-1
           cfslurm topo --html -o cluster.html
           cfslurm topo leaf-1 --svg --plan plan.json > leaf-1.svg"""


@click.command(name="topo", epilog=_EPILOG)
@click.argument("name", default="", metavar="[NAME]")
@click.option("--svg", "picture", flag_value="svg", help="A picture, for light and dark pages.")
@click.option("--html", "picture", flag_value="html", help="One file with picture and tables.")
@click.option("--dot", "picture", flag_value="dot", help="For Graphviz.")
@click.option("--mermaid", "picture", flag_value="mermaid", help="For Markdown pages.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write into this file."
)
@click.option("--hardware", type=_RECORDED, help="A recorded cluster, in place of the one here.")
@click.option("--plan", "plan_file", type=_RECORDED, help="Show what a plan puts where.")
@click.option("--catalog", type=_RECORDED, help="Show which of recorded model variants fit where.")
@fresh_option
@last_known_option
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    *,
    name: str,
    picture: str | None,
    output: Path | None,
    hardware: Path | None,
    plan_file: Path | None,
    catalog: Path | None,
    asked: str | None,
    as_json: bool,
) -> None:
    """Show how nodes and GPUs are joined: switches, nodes, GPUs, their links, and what of it is free.

    NAME: only that node, switch or block; of a node, its GPUs and the links between them.
    """
    from cfslurm.cli.output import note
    from cfslurm.core.hardware.parts import Freshness
    from cfslurm.core.report.topology_view import view

    if as_json and (picture or output):
        raise UserInputError(
            "--json prints data, not a picture", remedy="Leave --json or the picture out."
        )
    context = context_of(ctx)
    graph = (
        context.harvest(freshness_of(asked, Freshness.LIMITS))
        if hardware is None
        else _graph(hardware)
    )
    read = age(graph, context, file=hardware)
    fits = _fits(graph, context, plan_file, catalog)
    seen = view(graph, only=name, fits=fits)
    if as_json:
        _print_json(graph, seen, read)
    elif picture is None and output is None:
        note(read.text)
        _print(seen, None)
    else:
        _print(_with_assumption(seen, catalog), picture or _by_suffix(output), output)


def _graph(path: Path) -> HardwareGraph:
    from cfslurm.core.hardware.graph import HardwareGraph
    from cfslurm.wiring.reading import HARVEST, recorded

    return recorded(HardwareGraph, path, HARVEST)


def _fits(
    graph: HardwareGraph, context: Context, plan_file: Path | None, catalog: Path | None
) -> Mapping[str, tuple[str, ...]] | None:
    from cfslurm.core.hardware.classes import node_classes
    from cfslurm.core.models.variants import ModelCatalog
    from cfslurm.core.planner.plan import Plan
    from cfslurm.core.report.fits import fits_of_catalog, fits_of_plan
    from cfslurm.wiring.reading import recorded

    if plan_file is not None and catalog is not None:
        raise UserInputError(
            "--plan and --catalog both say what fits", remedy="Leave one of them out."
        )
    if plan_file is not None:
        return fits_of_plan(recorded(Plan, plan_file, "cfslurm plan workflow.yaml -o plan.json"))
    if catalog is not None:
        found = recorded(ModelCatalog, catalog, "cfslurm plan --save-catalog catalog.json")
        return fits_of_catalog(found, node_classes(graph), context.engines())
    return None


def _with_assumption(seen: View, catalog: Path | None) -> View:
    from dataclasses import replace

    from cfslurm.core.report.fits import ASSUMED

    return replace(seen, warnings=(ASSUMED, *seen.warnings)) if catalog else seen


def _by_suffix(output: Path | None) -> str:
    known = {".svg": "svg", ".html": "html", ".dot": "dot", ".gv": "dot", ".mmd": "mermaid"}
    suffix = output.suffix.lower() if output else ""
    if suffix not in known:
        raise UserInputError(
            f"which kind of picture {output} is to be is not said",
            remedy="Add --svg, --html, --dot or --mermaid.",
        )
    return known[suffix]


def _print(seen: View, picture: str | None, output: Path | None = None) -> None:
    from cfslurm.cli.output import note, write_output
    from cfslurm.core.report.topology_graphs import topology_dot, topology_mermaid
    from cfslurm.core.report.topology_html import topology_html
    from cfslurm.core.report.topology_svg import topology_svg
    from cfslurm.core.report.topology_text import topology_text

    if picture is None:
        click.echo(topology_text(seen))
        return
    draw = {
        "svg": topology_svg,
        "html": topology_html,
        "dot": topology_dot,
        "mermaid": topology_mermaid,
    }
    text = draw[picture](seen)
    if output is None:
        click.echo(text, nl=False)
        return
    write_output(output, text)
    note(f"wrote {output}")


def _print_json(graph: HardwareGraph, seen: View, read: Age) -> None:
    from cfslurm.cli.output import print_json
    from cfslurm.core.hardware.classes import node_classes

    names = {node.name for node in seen.nodes}
    print_json(
        "cfslurm.topo/1",
        warnings=graph.warnings,
        age=read,
        switches=graph.switches,
        blocks=graph.blocks,
        nodes=[node for node in graph.nodes if node.name in names],
        classes=[one for one in node_classes(graph) if names & set(one.node_names)],
        links=[
            {
                "node_class": node.node_class,
                "asked": node.links.asked,
                "has_switch": node.links.has_switch,
                "pairs": node.links.pairs,
            }
            for node in seen.link_classes
            if node.links is not None
        ],
        fits={node.node_class: node.fits for node in seen.nodes if node.fits},
    )
