"""The files of a private Slurm: those of a site, moved to one machine and to pretend GPUs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cfslurm.core.render.cluster_profile import MAX_NODES as MAX_PROFILE_NODES
from cfslurm.core.render.cluster_profile import ClusterProfile, NodeGroup, ProfileGpus
from cfslurm.core.render.conf_text import render
from cfslurm.core.render.site_files import TOPOLOGY_CONF, TOPOLOGY_YAML, accounting_tres
from cfslurm.core.slurm.gres import read_gres
from cfslurm.core.slurm.hostlist import expand
from cfslurm.errors import SlurmOutputError, UserInputError

SLURM_CONF = "slurm.conf"
SLURMDBD_FILE = "slurmdbd.conf"
CGROUP_CONF = "cgroup.conf"
SANDBOX_TEMPLATES = (SLURM_CONF, SLURMDBD_FILE, CGROUP_CONF)

MAX_NODES = 64  # each is a real slurmd
MAX_DEVICES = 4096  # each is a link in a folder
_RENDER = "Render the files for a sandbox: `cfslurm site render --explicit -o DIR`."
_NODE_LINE = re.compile(r"NodeName=(?P<names>\S+)(?P<rest>( .*)?)")
_GRES = re.compile(r" Gres=(\S+)")
_FILES = re.compile(r" (?:Multiple)?File(?:s)?=(\S+)")
_DEVICE = re.compile(r"/dev/[A-Za-z0-9_./-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSettings:
    """What a site's files do not know: this machine, this user, these ports, this folder.

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


def render_slurm(
    files: Mapping[str, str], settings: ClusterSettings, templates: Mapping[str, str]
) -> dict[str, str]:
    """All texts by file name: ``files`` are a site's (`render_site`), moved to this machine.

    Node lines get this machine's address and ports, device files lie below the folder, cgroups are
    left alone.

    Raises:
        UserInputError: a value that slurm.conf cannot carry, or a file that cannot be moved.
    """
    values = _values(files, settings)
    names = SANDBOX_TEMPLATES if settings.slurmdbd_port else (SLURM_CONF, CGROUP_CONF)
    own = {name: render(templates[name], values, name=name) for name in names}
    topology = {name: files[name] for name in (TOPOLOGY_CONF, TOPOLOGY_YAML) if name in files}
    return {
        **own,
        **topology,
        "nodes.conf": _moved_nodes(files["nodes.conf"], settings.node_ports),
        "partitions.conf": files["partitions.conf"],
        "gres.conf": _moved_devices(files["gres.conf"], settings.folder),
    }


def node_names(nodes_conf: str) -> tuple[str, ...]:
    """The nodes of a nodes.conf, in its order.

    Raises:
        UserInputError: it names none, too many for one machine, or one twice.
    """
    names: list[str] = []
    for line in nodes_conf.splitlines():
        if match := _NODE_LINE.fullmatch(line):
            names += _expanded(match["names"])
    if not 1 <= len(names) <= MAX_NODES:
        raise _refused(
            f"{len(names)} nodes, not between 1 and {MAX_NODES}: each is a real slurmd",
            remedy="Take a part of the nodes: a smaller profile, or fewer lines in nodes.conf.",
        )
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise _refused(f"the node {twice[0]} stands there twice")
    return tuple(names)


def _expanded(hostlist: str) -> tuple[str, ...]:
    try:
        return expand(hostlist, limit=MAX_PROFILE_NODES)
    except SlurmOutputError as error:
        raise _refused(error.message) from error


def profile_of_files(files: Mapping[str, str], name: str) -> ClusterProfile:
    """What a sandbox must know of rendered files: their nodes and GPUs; the cards are Slurm's word.

    Raises:
        UserInputError: as `node_names`; or a node line without CPUs or memory.
    """
    node_names(files["nodes.conf"])
    groups = []
    for line in files["nodes.conf"].splitlines():
        if match := _NODE_LINE.fullmatch(line):
            words = dict(word.split("=", 1) for word in match["rest"].split() if "=" in word)
            groups.append(_group(match["names"], words))
    return ClusterProfile(name=name, nodes=tuple(groups), partitions=())


def _group(names: str, words: Mapping[str, str]) -> NodeGroup:
    cpus, memory = words.get("CPUs", ""), words.get("RealMemory", "")
    if not cpus.isdecimal() or not memory.isdecimal():
        raise _refused(f"the line of {names[:60]} has no CPUs= or no RealMemory=")
    return NodeGroup(
        names=names,
        cpus=int(cpus),
        real_memory_mib=int(memory),
        gpus=tuple(
            ProfileGpus(type=gres.type, count=gres.count)
            for gres in read_gres(words.get("Gres", ""))
            if gres.name == "gpu"
        ),
    )


def devices(gres_conf: str) -> tuple[str, ...]:
    """The device files that a gres.conf names, sorted.

    Raises:
        UserInputError: GPUs that slurmd must find itself, or files outside /dev.
    """
    found: set[str] = set()
    for line in gres_conf.splitlines():
        if line.startswith("#"):
            continue
        if re.search(r"AutoDetect=(?!off\b)", line):
            raise _refused(
                f"a pretend GPU cannot be detected, and gres.conf asks for it: {line[:80]!r}"
            )
        for text in _FILES.findall(line):
            found.update(expand(text, limit=MAX_DEVICES))
    outside = [path for path in sorted(found) if not _DEVICE.fullmatch(path) or ".." in path]
    if outside:
        raise _refused(f"{outside[0][:80]!r} in gres.conf is no file below /dev")
    return tuple(sorted(found))


def _refused(message: str, *, remedy: str = _RENDER) -> UserInputError:
    return UserInputError(f"a sandbox cannot be made of this: {message}", remedy=remedy)


def _values(files: Mapping[str, str], settings: ClusterSettings) -> dict[str, object]:
    types, names = _gres(files["nodes.conf"])
    kind = ""
    if TOPOLOGY_CONF in files:
        kind = "block" if "\nBlockName=" in files[TOPOLOGY_CONF] else "tree"
    elif TOPOLOGY_YAML in files:
        kind = "block" if "\n  block:" in files[TOPOLOGY_YAML] else "tree"
    return {
        "cluster_name": settings.cluster_name,
        "host": settings.host,
        "user": settings.user,
        "folder": settings.folder,
        "plugstack": settings.plugstack or f"{settings.folder}/plugstack.conf",
        "version": settings.slurm_version,
        "slurmctld_port": settings.slurmctld_port,
        "slurmdbd_port": settings.slurmdbd_port,
        "tres": accounting_tres(types, names),
        "topology": kind,
    }


def _gres(nodes_conf: str) -> tuple[set[str], set[str]]:
    """GPU types and GRES names of a nodes.conf."""
    gres = [item for text in _GRES.findall(nodes_conf) for item in read_gres(text)]
    types: Iterable[str] = (item.type for item in gres if item.name == "gpu")
    return {gpu_type for gpu_type in types if gpu_type}, {item.name for item in gres}


def _moved_nodes(nodes_conf: str, ports: Mapping[str, int]) -> str:
    lines = []
    for line in nodes_conf.splitlines():
        match = _NODE_LINE.fullmatch(line)
        if match is None:
            lines.append(line)
            continue
        for name in expand(match["names"], limit=MAX_NODES):
            place = f"NodeName={name} NodeAddr=127.0.0.1 Port={ports[name]}"
            lines.append(f"{place}{match['rest']}")
    return "\n".join(lines) + "\n"


def _moved_devices(gres_conf: str, folder: str) -> str:
    lines = [
        line if line.startswith("#") else re.sub(r"(?<=[=,])/dev/", f"{folder}/dev/", line)
        for line in gres_conf.splitlines()
    ]
    return "\n".join(lines) + "\n"
