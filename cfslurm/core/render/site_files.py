"""The lines of a cluster → whole files for Slurm, in the syntax of its version."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from cfslurm.core.render.conf_text import render
from cfslurm.core.render.devices import FAMILIES
from cfslurm.core.render.node_lines import ClusterLines, GpuLines, GresDevice, NodeLines, Origin
from cfslurm.core.slurm.hostlist import fold
from cfslurm.errors import UserInputError

NODE_FILES = ("nodes.conf", "partitions.conf", "gres.conf")
CGROUP = "cgroup.conf"
TOPOLOGY_CONF = "topology.conf"
TOPOLOGY_YAML = "topology.yaml"
FAMILY_PARTS = tuple(f"gres/{family}.j2" for family in FAMILIES)
TEMPLATES = (*NODE_FILES, TOPOLOGY_CONF, TOPOLOGY_YAML, CGROUP)

# Source: Slurm's release notes of 21.08 (MultipleFiles), 22.05 (shard), 23.11 (block), 25.05 (YAML).
_MIG_SINCE = (21, 8)
_SHARD_SINCE = (22, 5)
_BLOCK_SINCE = (23, 11)
_YAML_SINCE = (25, 5)


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteSettings:
    """For which Slurm, (major, minor); ``by`` is the command that stands in the files' first line."""

    slurm_version: tuple[int, int]
    by: str


def render_site(
    lines: ClusterLines, settings: SiteSettings, templates: Mapping[str, str]
) -> dict[str, str]:
    """The texts by file name: nodes, partitions, gres, topology where there is one, cgroup.

    Raises:
        UserInputError: a value that Slurm's files cannot carry, or what this Slurm does not know.
    """
    _refuse_too_old(lines, settings.slurm_version)
    values = _values(lines, settings)
    names = [*NODE_FILES, *_topology_files(lines, settings.slurm_version), CGROUP]
    parts = {name: templates[name] for name in FAMILY_PARTS}
    return {name: render(templates[name], values, name=name, parts=parts) for name in names}


def topology_kind(lines: ClusterLines) -> str:
    """The plugin that reads the topology: ``block``, ``tree``, or nothing."""
    return "block" if lines.blocks else "tree" if lines.switches else ""


def accounting_tres(gpu_types: Iterable[str], gres_names: Iterable[str]) -> str:
    """AccountingStorageTRES, by which sacct and limits tell GPU types apart."""
    words = [f"gres/{name}" for name in sorted(gres_names)]
    return ",".join([*words, *(f"gres/gpu:{gpu_type}" for gpu_type in sorted(gpu_types))])


def _topology_files(lines: ClusterLines, version: tuple[int, int]) -> list[str]:
    if not topology_kind(lines):
        return []
    return [TOPOLOGY_YAML if version >= _YAML_SINCE else TOPOLOGY_CONF]


def _refuse_too_old(lines: ClusterLines, version: tuple[int, int]) -> None:
    names = {name for node in lines.nodes for name, _, _ in node.gres}
    mig = any(gpus.family == "mig" for node in lines.nodes for gpus in node.gpus)
    for found, since, what in (
        (mig, _MIG_SINCE, "MIG instances (MultipleFiles)"),
        ("shard" in names, _SHARD_SINCE, "shards"),
        (bool(lines.blocks), _BLOCK_SINCE, "blocks in the topology"),
    ):
        if found and version < since:
            raise UserInputError(
                f"Slurm {_version_text(version)} knows no {what}",
                remedy=f"Name a newer Slurm with --slurm-version, from {_version_text(since)} on.",
            )


def _version_text(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]:02}"


def _values(lines: ClusterLines, settings: SiteSettings) -> dict[str, object]:
    return {
        "title": lines.title,
        "by": settings.by,
        "version": settings.slurm_version,
        "version_text": _version_text(settings.slurm_version),
        "gres_names": ",".join(lines.gres_names),
        "tres": accounting_tres(lines.gpu_types, lines.gres_names),
        "has_autodetect": any(gpus.detect for node in lines.nodes for gpus in node.gpus),
        "nodes": [_node(node) for node in lines.nodes],
        "partitions": lines.partitions,
        "kind": topology_kind(lines),
        "switches": lines.switches,
        "blocks": lines.blocks,
        "block_sizes": ",".join(str(size) for size in lines.block_sizes),
    }


def _node(node: NodeLines) -> dict[str, object]:
    count = sum(gpus.count for gpus in node.gpus)
    return {
        "names": node.names,
        "cpus": node.cpus,
        "sockets": node.sockets,
        "cores_per_socket": node.cores_per_socket,
        "threads_per_core": node.threads_per_core,
        "real_memory_mib": node.real_memory_mib,
        "weight": node.weight,
        "features": node.features,
        "gres": node.gres,
        "remark": f"{fold(node.names)}: {origins_text(node.origins)}",
        "gpus": [_gpus(gpus) for gpus in node.gpus],
        "detect": next((gpus.detect for gpus in node.gpus if gpus.detect), ""),
        "others": node.others,
        "shared": [
            {"name": s.name, "count": s.count, "each": s.count // max(1, count)}
            for s in node.shared
        ],
    }


def _gpus(gpus: GpuLines) -> dict[str, object]:
    what = f"{gpus.count} x {gpus.gpu_type or 'untyped GPU'}"
    product = f" ({gpus.product})" if gpus.product else ""
    present = {"Count", "Type"}
    if not gpus.detect:
        present |= {"File"} | {"Cores"} & {"Cores" for d in gpus.devices if d.cores}
        present |= {"Links" for device in gpus.devices if device.links}
    origins = {key: origin for key, origin in gpus.origins.items() if key in present}
    return {
        "type": gpus.gpu_type,
        "family": gpus.family,
        "runs": _runs(gpus.devices),
        "remark": f"{what}{product}: {origins_text(origins)}{f'; {gpus.why}' if gpus.why else ''}",
    }


def origins_text(origins: Mapping[str, Origin]) -> str:
    """Which values come from where, one clause for each origin.

    >>> origins_text({"Count": Origin.SLURM, "Cores": Origin.PROBE, "Gres": Origin.SLURM})
    'Count, Gres read from Slurm; Cores probed on the node'
    """
    clauses = []
    for origin in Origin:
        keys = [key for key, found in origins.items() if found is origin]
        if keys:
            clauses.append(f"{', '.join(keys)} {origin}")
    return "; ".join(clauses)


def _runs(devices: Sequence[GresDevice]) -> list[dict[str, str]]:
    """Neighbours with the same cores share a line, unless they have links or several files."""
    runs = []
    keyed = enumerate(devices)
    for _, group in groupby(keyed, key=lambda pair: _likeness(*pair)):
        members = [device for _, device in group]
        first = members[0]
        files = first.files if len(members) == 1 else (_fold_files([d.files[0] for d in members]),)
        runs.append({"files": ",".join(files), "cores": first.cores, "links": first.links})
    return runs


def _likeness(number: int, device: GresDevice) -> tuple[object, ...]:
    stem = re.sub(r"\d+$", "", device.files[0])
    alone = number if device.links or len(device.files) > 1 else -1
    return device.cores, alone, stem


def _fold_files(paths: Sequence[str]) -> str:
    """``/dev/nvidia[0-3]``: in gres.conf a range of files is written as one of nodes is."""
    return fold(paths)
