"""A cluster profile: nodes, partitions and switches as somebody describes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from cfslurm.core.documents import STRICT
from cfslurm.core.slurm.hostlist import expand

SCHEMA = "cfslurm.cluster-profile/1"

MAX_NODES = 10_000  # a sandbox takes far fewer: each is a real slurmd there


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileGpus:
    """The GPUs of one type on a node.

    ``type`` is Slurm's GRES type, empty for untyped GPUs, and, unless ``catalog`` says another, the
    card. ``mig`` is a MIG profile (``1g.10gb``): ``count`` is then that of the instances, evenly on
    the physical GPUs ``cards``, counted over the node. ``cores`` are Slurm's logical cores, a range
    for each GPU or for each equal share of them; ``links`` a row of gres.conf's Links for each GPU;
    ``files`` the device files where the vendor's usual ones are not right.
    """

    __pydantic_config__ = STRICT
    count: int
    type: str = ""
    nvlink: bool = False
    catalog: str = ""
    mig: str = ""
    cards: tuple[int, ...] = ()
    cores: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    files: tuple[str, ...] = ()

    @property
    def card(self) -> str:
        """The key of the GPU catalogue."""
        return self.catalog or self.type


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeGroup:
    """Equal nodes. ``names`` is a hostlist; ``weight`` is Slurm's: the least one is filled first.

    ``cpus`` counts threads. ``shards`` and ``mps`` are those of the whole node, evenly on its GPUs.
    """

    __pydantic_config__ = STRICT
    names: str
    cpus: int
    real_memory_mib: int
    sockets: int = 1
    threads_per_core: int = 1
    gpus: tuple[ProfileGpus, ...] = ()
    shards: int = 0
    mps: int = 0
    features: tuple[str, ...] = ()
    switch: str = ""
    weight: int = 1

    @property
    def node_names(self) -> tuple[str, ...]:
        """The single names."""
        return expand(self.names, limit=MAX_NODES)

    @property
    def cores_per_socket(self) -> int:
        """Cores of one socket."""
        return self.cpus // (self.sockets * self.threads_per_core)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfilePartition:
    """A partition. Jobs of a ``preemptible`` one make room for those of a higher ``priority_tier``.

    Units: ``grace_time_s`` is from the first signal to the end of a preempted job.
    """

    __pydantic_config__ = STRICT
    name: str
    nodes: tuple[str, ...]
    default: bool = False
    max_time: str = "1d"
    priority_tier: int = 1
    preemptible: bool = False
    grace_time_s: int = 0

    @property
    def node_names(self) -> tuple[str, ...]:
        """The single names, in the profile's order."""
        return tuple(name for item in self.nodes for name in expand(item, limit=MAX_NODES))


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileAccount:
    """An account that jobs are charged to, where the sandbox has accounting."""

    __pydantic_config__ = STRICT
    name: str
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterProfile:
    """A pretend cluster.

    ``scale`` is how many times smaller than the card's its pretend GPU memory and speed are: with
    1024, 1 MiB stands for 1 GiB. ``switches`` names the switches below each upper switch; the leaves
    are those that nodes name.
    """

    __pydantic_config__ = STRICT
    name: str
    nodes: tuple[NodeGroup, ...]
    partitions: tuple[ProfilePartition, ...]
    schema: Literal["cfslurm.cluster-profile/1"] = "cfslurm.cluster-profile/1"
    description: str = ""
    scale: int = 1
    switches: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    accounts: tuple[ProfileAccount, ...] = ()

    @property
    def node_names(self) -> tuple[str, ...]:
        """All nodes, in the profile's order."""
        return tuple(name for group in self.nodes for name in group.node_names)

    @property
    def gpu_types(self) -> tuple[ProfileGpus, ...]:
        """One entry for each GRES type that is given, sorted by type."""
        found = {gpus.type: gpus for group in self.nodes for gpus in group.gpus if gpus.type}
        return tuple(found[name] for name in sorted(found))

    @property
    def gpu_count(self) -> int:
        """All GPUs, as Slurm counts them: a MIG instance is one."""
        return sum(len(g.node_names) * gpus.count for g in self.nodes for gpus in g.gpus)

    @property
    def leaves(self) -> Mapping[str, tuple[str, ...]]:
        """Leaf switches and the nodes below them, sorted by name."""
        found: dict[str, list[str]] = {}
        for group in self.nodes:
            if group.switch:
                found.setdefault(group.switch, []).extend(group.node_names)
        return {name: tuple(found[name]) for name in sorted(found)}
