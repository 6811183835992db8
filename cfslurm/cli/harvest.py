"""cfslurm harvest."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cfslurm.cli.common import age, context_of, freshness_of, json_option, last_known_option
from cfslurm.cli.probing import ProbeOptions, probe, probe_options
from cfslurm.errors import UserInputError

if TYPE_CHECKING:
    from cfslurm.core.hardware.age import Age
    from cfslurm.core.hardware.diff import Change
    from cfslurm.core.hardware.graph import HardwareGraph
    from cfslurm.wiring import Context

_RECORDED = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command(
    name="harvest",
    epilog="Examples:  cfslurm harvest -o hardware.json   (then, anywhere: cfslurm plan workflow.yaml "
    "--hardware hardware.json)   ·   cfslurm harvest --diff hardware.json   ·   "
    "cfslurm harvest --diff june.json --against july.json   ·   cfslurm harvest --probe -o hardware.json",
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
    help="Write into this file.",
)  # fmt: skip
@click.option(
    "--diff", "old", type=_RECORDED, metavar="OLD",
    help="Say what has changed since this harvest. Exits with 1 if something else than use has.",
)  # fmt: skip
@click.option(
    "--against", "new", type=_RECORDED, metavar="NEW",
    help="With --diff: compare with this harvest, not with the cluster as it is now.",
)  # fmt: skip
@probe_options
@click.option("--with-use", is_flag=True, help="With --diff: say too what is busy or free.")
@last_known_option
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    *,
    output: Path | None,
    old: Path | None,
    new: Path | None,
    with_use: bool,
    asked: str | None,
    as_json: bool,
    asking: ProbeOptions,
) -> int | None:
    """Read the whole cluster into one JSON document: nodes, GPUs, partitions, limits, topology.

    With --diff, say what has changed since an older one. With --probe, let nodes tell first what Slurm
    does not know: GPUs as their driver sees them, links, disks, network. Their answers are kept until
    the node is booted again.
    """
    from cfslurm.core.hardware.parts import Freshness

    if old is None and (new is not None or with_use):
        raise UserInputError(
            "--against and --with-use belong to --diff",
            remedy="Name the older harvest: cfslurm harvest --diff OLD.",
        )
    if new is not None and output is not None:
        raise UserInputError(
            "--against reads no cluster that -o could write", remedy="Leave one of them out."
        )
    context = context_of(ctx)
    if asking.is_wanted:
        probe(context.harvest(Freshness.NOW), asking, context)
        if asking.dry_run:
            return None
    before = _recorded(old) if old else None
    graph = _recorded(new) if new else context.harvest(freshness_of(asked, Freshness.NOW))
    if output is not None:
        _write(graph, output)
    if before is None:
        if output is None:
            _print(graph, context)
        return None
    ages = (age(before, context, file=old), age(graph, context, file=new))
    return _report(before, graph, ages, with_use=with_use, as_json=as_json)


def _recorded(path: Path) -> HardwareGraph:
    from cfslurm.core.hardware.graph import HardwareGraph
    from cfslurm.wiring.reading import HARVEST, recorded

    return recorded(HardwareGraph, path, HARVEST)


def _write(graph: HardwareGraph, path: Path) -> None:
    from cfslurm.adapters.files import lines_text
    from cfslurm.cli.output import note, write_output

    write_output(path, lines_text(graph))
    note(f"wrote {path}: {len(graph.nodes)} nodes of {graph.controller.cluster}")


def _print(graph: HardwareGraph, context: Context) -> None:
    """The document has its dates in itself; people get its age too."""
    from cfslurm.adapters.files import lines_text
    from cfslurm.cli.output import note

    click.echo(lines_text(graph), nl=False)
    note(age(graph, context).text)


def _report(
    old: HardwareGraph, new: HardwareGraph, ages: tuple[Age, Age], *, with_use: bool, as_json: bool
) -> int | None:
    from cfslurm.cli.output import print_json
    from cfslurm.core.hardware.diff import Kind, diff, matters
    from cfslurm.core.report.diff_text import diff_text

    found = diff(old, new)
    shown: tuple[Change, ...] = tuple(
        change for change in found if with_use or change.kind is not Kind.USE
    )
    if as_json:
        print_json("cfslurm.harvest_diff/1", old=ages[0], new=ages[1], changes=shown)
    else:
        click.echo(f"old: {ages[0].text}\nnew: {ages[1].text}\n{diff_text(shown)}")
        if len(found) > len(shown):
            click.echo(f"Not shown: {len(found) - len(shown)} of use (--with-use).")
    return 1 if matters(found) else None
