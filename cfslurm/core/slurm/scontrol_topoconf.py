"""scontrol show topoconf: every topology of topology.yaml, from 25.05 on.

``show topology`` prints the default one only. Where a site has topology.conf instead, ``topoconf`` prints
one topology without content, and ``show topology`` is to be asked.
"""

from __future__ import annotations

from cfslurm.core.documents import Json
from cfslurm.core.slurm.command import Command
from cfslurm.core.slurm.hostlist import expand
from cfslurm.core.slurm.records import Block, Switch, Topology
from cfslurm.errors import SlurmOutputError

SINCE = (25, 5)
_KINDS = ("tree", "block", "ring", "torus3d", "flat")


def topoconf_command() -> Command:
    """All topologies as YAML."""
    return Command(argv=("scontrol", "show", "topoconf"))


def read_topoconf(data: Json) -> tuple[Topology, ...]:
    """Read the parsed answer to `topoconf_command`; topologies without content are left out.

    Raises:
        SlurmOutputError: it is no list of topologies, or a hostlist in it cannot be read.
    """
    if not isinstance(data, list):
        raise _unreadable(f"the answer is {str(data)[:60]!r}, no list")
    found = (_topology(one, index) for index, one in enumerate(data))
    return tuple(topology for topology in found if topology is not None)


def _topology(data: Json, index: int) -> Topology | None:
    entry = data if isinstance(data, dict) else {}
    name, is_default = entry.get("topology"), entry.get("cluster_default")
    if not isinstance(name, str) or not isinstance(is_default, bool):
        raise _unreadable(f"entry {index + 1} has no topology: and cluster_default:")
    kind = next((kind for kind in _KINDS if entry.get(kind)), None)
    if kind is None:
        return None
    content = entry[kind]
    return Topology(
        name=name,
        kind=kind,
        is_default=is_default,
        switches=_switches(content) if kind == "tree" else (),
        blocks=_blocks(content) if kind == "block" else (),
    )


def _switches(content: Json) -> tuple[Switch, ...]:
    """Level and nodes of a switch follow from what is below it."""
    nodes: dict[str, tuple[str, ...]] = {}
    below: dict[str, tuple[str, ...]] = {}
    for entry in _entries(content, "switches"):
        name = _text(entry, "switch")
        nodes[name], below[name] = expand(_text(entry, "nodes")), expand(_text(entry, "children"))
    levels: dict[str, int] = {}

    def level(name: str, above: tuple[str, ...]) -> int:
        if name in above:
            raise _unreadable(f"switch {name} is below itself")
        if name not in levels:
            lower = [level(child, (*above, name)) for child in below.get(name, ())]
            levels[name] = max(lower) + 1 if lower else 0
        return levels[name]

    reached: dict[str, tuple[str, ...]] = {}
    for name in sorted(nodes, key=lambda name: level(name, ())):
        inner = (node for child in below[name] for node in reached.get(child, ()))
        reached[name] = tuple(dict.fromkeys((*nodes[name], *inner)))
    return tuple(
        Switch(name=name, level=levels[name], node_names=reached[name], switches=below[name])
        for name in nodes
    )


def _blocks(content: Json) -> tuple[Block, ...]:
    """The base blocks; which of them are aggregated to larger ones follows from ``block_sizes``."""
    sizes = content.get("block_sizes") if isinstance(content, dict) else None
    size = sizes[0] if isinstance(sizes, list) and sizes and isinstance(sizes[0], int) else 0
    return tuple(
        Block(name=_text(entry, "block"), node_names=expand(_text(entry, "nodes")), size=size)
        for entry in _entries(content, "blocks")
    )


def _entries(content: Json, key: str) -> list[Json]:
    found = content.get(key) if isinstance(content, dict) else None
    if not isinstance(found, list):
        raise _unreadable(f"there is no list {key}:")
    return found


def _text(entry: Json, key: str) -> str:
    value = entry.get(key) if isinstance(entry, dict) else None
    if value is None or isinstance(value, str | int):
        return "" if value is None else str(value)
    raise _unreadable(f"{key} is {str(value)[:60]!r}, no text")


def _unreadable(what: str) -> SlurmOutputError:
    return SlurmOutputError(
        f"`scontrol show topoconf`: {what}",
        remedy="Compare with topology.yaml; report the answer and the output of `scontrol --version`.",
    )
