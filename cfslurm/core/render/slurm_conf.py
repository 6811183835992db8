"""The configuration files of a private Slurm: profile and settings in, texts out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import jinja2

from cfslurm.core.render.cluster_profile import ClusterProfile, NodeGroup, ProfilePartition
from cfslurm.core.slurm.hostlist import fold
from cfslurm.core.slurm.units import duration_s, time_limit
from cfslurm.errors import UserInputError

# By the name of the file that each becomes; the template's name has .j2 behind it.
CONF_FILES = ("slurm.conf", "gres.conf", "topology.conf", "cgroup.conf")
SLURMDBD_FILE = "slurmdbd.conf"

# slurm.conf knows no escapes: a blank ends a value, # begins a remark, = , [ ] mean something in lists.
_VALUE = re.compile(r"[A-Za-z0-9_.,:/@+\[\]-]+")
_PLAIN_PATH = re.compile(r"[A-Za-z0-9_./+-]+")
# NVLink 3 has twelve links for each GPU, shared out evenly to the other GPUs of a node.
_NVLINKS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSettings:
    """What a profile does not know: this machine, this user, these ports, this folder.

    ``folder`` is the prefix of every path and holds no sign that slurm.conf reads in another way.
    ``slurmdbd_port`` is None where there is no accounting. ``plugstack`` names the SPANK plugins;
    without it they stand in the folder's own plugstack.conf.

    Shape: ``slurm_version`` is (major, minor), for example (22, 5); ``node_ports`` has every node.
    """

    cluster_name: str
    host: str
    user: str
    folder: str
    slurm_version: tuple[int, int]
    slurmctld_port: int
    node_ports: Mapping[str, int]
    slurmdbd_port: int | None = None
    plugstack: str = ""


def is_plain_path(path: str) -> bool:
    """True for a path that every one of Slurm's files can carry as it is."""
    return _PLAIN_PATH.fullmatch(path) is not None


def render_slurm(
    profile: ClusterProfile, settings: ClusterSettings, templates: Mapping[str, str]
) -> dict[str, str]:
    """The texts of `CONF_FILES`, and of `SLURMDBD_FILE` where there is accounting, by file name.

    Raises:
        UserInputError: a value that slurm.conf cannot carry, or a template that asks for one more.
    """
    names = (*CONF_FILES, SLURMDBD_FILE) if settings.slurmdbd_port else CONF_FILES
    values = _values(profile, settings)
    return {name: render(templates[name], values, name=name) for name in names}


def render(template: str, values: Mapping[str, object], *, name: str) -> str:
    """Fill in a template of one of Slurm's files; every ``{{ value }}`` must pass ``| conf``.

    Raises:
        UserInputError: a value is missing, unfiltered, or cannot be written into such a file.
    """
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        finalize=_refuse_unfiltered,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.filters = {"conf": _conf}
    try:
        return environment.from_string(template).render(values)
    except jinja2.TemplateError as error:
        raise UserInputError(
            f"the template of {name} cannot be filled in: {error.message}",
            remedy=f"Compare it with the one that cfslurm ships as gres_templates/{name}.j2.",
        ) from error


class _Word(str):
    """A value that has passed the filter."""

    __slots__ = ()


def _conf(value: object) -> _Word:
    text = str(value)
    if not _VALUE.fullmatch(text):
        raise UserInputError(
            f"{text[:80]!r} cannot be written into slurm.conf",
            remedy="Use letters, digits and _.,:/@+-[] there: slurm.conf knows no escapes.",
        )
    return _Word(text)


def _refuse_unfiltered(value: object) -> object:
    if isinstance(value, _Word):
        return value
    raise UserInputError(
        f"a template of Slurm's files writes {str(value)[:80]!r} without a filter",
        remedy="Write `{{ name | conf }}`.",
    )


def _values(profile: ClusterProfile, settings: ClusterSettings) -> dict[str, object]:
    return {
        "cluster_name": settings.cluster_name,
        "host": settings.host,
        "user": settings.user,
        "folder": settings.folder,
        "plugstack": settings.plugstack or f"{settings.folder}/plugstack.conf",
        "version": settings.slurm_version,
        "slurmctld_port": settings.slurmctld_port,
        "slurmdbd_port": settings.slurmdbd_port,
        "gpu_types": [gpus.type for gpus in profile.gpu_types],
        "has_switches": bool(profile.leaves),
        "nodes": [
            _node(name, group, settings.node_ports[name])
            for group in profile.nodes
            for name in group.node_names
        ],
        "partitions": [_partition(partition) for partition in profile.partitions],
        "switches": _switches(profile),
    }


def _node(name: str, group: NodeGroup, port: int) -> dict[str, object]:
    gpus = group.gpus
    return {
        "name": name,
        "port": port,
        "cpus": group.cpus,
        "sockets": group.sockets,
        "cores_per_socket": group.cores_per_socket,
        "real_memory_mib": group.real_memory_mib,
        "features": ",".join(group.features),
        "weight": group.weight,
        "gpu_type": gpus.type if gpus else "",
        "gpu_count": gpus.count if gpus else 0,
        "links": _links(gpus.count) if gpus and gpus.nvlink and gpus.count > 1 else (),
        "device_range": _device_range(gpus.count) if gpus else "",
    }


def _device_range(count: int) -> str:
    return "0" if count == 1 else f"[0-{count - 1}]"


def _links(count: int) -> tuple[str, ...]:
    """One row of gres.conf's Links= per GPU.

    >>> _links(3)
    ('-1,6,6', '6,-1,6', '6,6,-1')
    """
    each = max(1, _NVLINKS // (count - 1))
    return tuple(
        ",".join("-1" if other == gpu else str(each) for other in range(count))
        for gpu in range(count)
    )


def _partition(partition: ProfilePartition) -> dict[str, object]:
    return {
        "name": partition.name,
        "nodes": fold(partition.node_names),
        "default": partition.default,
        "max_time": time_limit(duration_s(partition.max_time)),
        "priority_tier": partition.priority_tier,
        "preemptible": partition.preemptible,
        "grace_time_s": partition.grace_time_s,
    }


def _switches(profile: ClusterProfile) -> list[dict[str, str]]:
    leaves = [
        {"name": name, "kind": "Nodes", "below": fold(nodes)}
        for name, nodes in profile.leaves.items()
    ]
    upper = [
        {"name": name, "kind": "Switches", "below": ",".join(below)}
        for name, below in profile.switches.items()
    ]
    return leaves + upper
