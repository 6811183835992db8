"""cfslurm site render."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cfslurm.cli.common import age, context_of, json_option
from cfslurm.errors import UserInputError

if TYPE_CHECKING:
    from cfslurm.core.hardware.age import Age
    from cfslurm.core.hardware.gpus import GpuCatalogue
    from cfslurm.core.render.node_lines import ClusterLines

_BY = "cfslurm site render"
_EPILOG = """\b
Examples:  cfslurm site render -o slurm-files
           cfslurm site render --hardware hardware.json --autodetect --dry-run
           cfslurm site render --describe nodes.yaml --slurm-version 24.11
See also:  gres.conf(5), slurm.conf(5), topology.conf(5)"""


@click.command(name="render", epilog=_EPILOG)
@click.option(
    "--hardware",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="A recorded harvest, in place of the cluster itself.",
)
@click.option(
    "--describe", metavar="NAME|FILE",
    help="Nodes as you describe them, in place of a harvest: a cluster profile.",
)  # fmt: skip
@click.option(
    "--slurm-version",
    metavar="X.Y",
    help="For which Slurm to write; default: the one that was harvested.",
)
@click.option(
    "--autodetect", "detection", flag_value="autodetect",
    help="Let slurmd find GPUs by itself wherever it can.",
)  # fmt: skip
@click.option(
    "--explicit", "detection", flag_value="explicit", default="explicit",
    help="Name device files, cores and links (the default).",
)  # fmt: skip
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
    help="Write into this folder; without it the files are printed.",
)  # fmt: skip
@click.option("--force", is_flag=True, help="Replace files that are there and differ.")
@click.option("--dry-run", is_flag=True, help="With -o: say what would be written, write nothing.")
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    *,
    hardware: Path | None,
    describe: str | None,
    slurm_version: str | None,
    detection: str,
    output: Path | None,
    force: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Write Slurm's own files for the nodes: gres.conf, NodeName lines, topology, cgroup.conf.

    Each line says where its values come from: read from Slurm, probed, described, or assumed and to
    be checked by you. Nothing is installed.
    """
    from cfslurm.adapters.site_templates import site_templates
    from cfslurm.cli.output import note
    from cfslurm.core.render.detection import with_autodetect
    from cfslurm.core.render.late_features import with_late_features
    from cfslurm.core.render.site_files import SiteSettings, render_site

    if hardware is not None and describe is not None:
        raise UserInputError(
            "--hardware and --describe both say what the nodes are", remedy="Leave one of them out."
        )
    catalogue, lines, harvested, read = _lines(ctx, hardware, describe)
    lines = with_late_features(lines, catalogue)
    if detection == "autodetect":
        lines = with_autodetect(lines, catalogue)
    version = _version(slurm_version or harvested)
    settings = SiteSettings(slurm_version=version, by=_BY)
    files = render_site(lines, settings, site_templates())
    if as_json:
        _print_json(files, version, read)
    elif read is not None:
        note(read.text)
    if output is None and not as_json:
        click.echo("\n".join(files.values()), nl=False)
    if output is not None:
        _write(files, output, force=force, dry_run=dry_run)


def _lines(
    ctx: click.Context, hardware: Path | None, describe: str | None
) -> tuple[GpuCatalogue, ClusterLines, str, Age | None]:
    """The catalogue, the lines, and if there was a harvest: of which Slurm, and how old it is."""
    from cfslurm.adapters.profile_file import gpu_catalogue, load_profile
    from cfslurm.core.hardware.graph import HardwareGraph
    from cfslurm.core.hardware.parts import Freshness
    from cfslurm.core.render.graph_lines import graph_lines
    from cfslurm.core.render.profile_lines import profile_lines
    from cfslurm.wiring.reading import HARVEST, recorded

    catalogue = gpu_catalogue()
    if describe is not None:
        return catalogue, profile_lines(load_profile(describe), catalogue), "", None
    if hardware is not None:
        graph = recorded(HardwareGraph, hardware, HARVEST)
    else:
        graph = context_of(ctx).harvest(Freshness.NOW)
    read = age(graph, context_of(ctx), file=hardware)
    return catalogue, graph_lines(graph), graph.controller.slurm_version, read


def _version(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{2})\.(\d{1,2})(\.\S+)?", text)
    if match is None:
        raise UserInputError(
            f"{text[:40]!r} is no version of Slurm" if text else "for which Slurm is not said",
            remedy="Say it: --slurm-version 24.11.",
        )
    return int(match[1]), int(match[2])


def _print_json(files: dict[str, str], version: tuple[int, int], read: Age | None) -> None:
    from cfslurm.cli.output import print_json

    print_json(
        "cfslurm.site_render/1",
        age=read,
        slurm_version=f"{version[0]}.{version[1]:02}",
        files=[
            {"name": name, "text": text, "to_check": _to_check(text)}
            for name, text in files.items()
        ],
    )


def _to_check(text: str) -> list[str]:
    from cfslurm.core.render.node_lines import Origin

    return [line for line in text.splitlines() if line.startswith("#") and Origin.ASSUMED in line]


def _write(files: dict[str, str], folder: Path, *, force: bool, dry_run: bool) -> None:
    from cfslurm.adapters.site_folder import compare, write_all
    from cfslurm.cli.output import note
    from cfslurm.core.render.node_lines import Origin

    states = compare(folder, files)
    if dry_run:
        for name, state in states.items():
            note(f"{folder / name}: {state}")
        return
    differing = [name for name, state in states.items() if state == "differs"]
    if differing and not force:
        raise UserInputError(
            f"{', '.join(differing)} in {folder} would be replaced; nothing was written",
            remedy="Name another folder with -o, or add --force.",
        )
    changed = {name: text for name, text in files.items() if states[name] != "same"}
    write_all(folder, changed)
    if changed:
        note(f"wrote {', '.join(changed)} into {folder}")
    if len(changed) < len(files):
        note(f"{', '.join(name for name in files if name not in changed)}: as before")
    count = sum(len(_to_check(text)) for text in changed.values())
    if count:
        note(f"{count} remark(s) say `{Origin.ASSUMED}`: read those lines before you use the files")
