"""What Slurm's files say of nodes: the values of their lines, and where each value comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from cfslurm.core.hardware.gpus import GpuFacts


class Origin(StrEnum):
    """Where a value comes from; the words stand as remarks in the files."""

    SLURM = "read from Slurm"
    PROBE = "probed on the node"
    DESCRIBED = "described"
    TABLE = "from the table of GPUs"
    ASSUMED = "assumed: please check"


@dataclass(frozen=True, slots=True, kw_only=True)
class GresDevice:
    """One GPU or MIG instance.

    ``files`` has one path for a whole GPU (``File=``), several for a MIG instance
    (``MultipleFiles=``). ``cores`` are Slurm's logical cores (``0-31``), ``links`` a number for each
    GPU of the node, -1 for itself. Source: gres.conf(5).
    """

    files: tuple[str, ...]
    cores: str = ""
    links: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuLines:
    """The GPUs of one type on a node; the type is empty where the site gives none.

    ``detect`` is a word of gres.conf's AutoDetect, or empty for explicit ``devices``; ``family`` the
    template that writes them; ``card`` what is known of one; ``product`` and ``why`` go into remarks.
    ``origins`` has the keys of gres.conf: Count, File, Cores, Links.
    """

    gpu_type: str
    family: str
    devices: tuple[GresDevice, ...]
    detect: str = ""
    card: GpuFacts | None = None
    product: str = ""
    why: str = ""
    origins: Mapping[str, Origin] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """GPUs or MIG instances of this type."""
        return len(self.devices)


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedGres:
    """GPUs that several jobs share: ``shard`` or ``mps``, with the count of the whole node."""

    name: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherGres:
    """What a node has besides GPUs (``nic``): written as a count, since its files are not known."""

    name: str
    type: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeLines:
    """Equal nodes: one NodeName line, and their lines in gres.conf.

    ``origins`` has the keys of slurm.conf: CPUs, RealMemory, Gres, Weight, and one entry for each
    feature.
    """

    names: tuple[str, ...]
    cpus: int
    sockets: int
    cores_per_socket: int
    threads_per_core: int
    real_memory_mib: int
    weight: int = 1
    features: tuple[str, ...] = ()
    gpus: tuple[GpuLines, ...] = ()
    shared: tuple[SharedGres, ...] = ()
    others: tuple[OtherGres, ...] = ()
    origins: Mapping[str, Origin] = field(default_factory=dict)

    @property
    def gres(self) -> tuple[tuple[str, str, int], ...]:
        """Name, type and count of every GRES, as slurm.conf's Gres has them."""
        gpus = tuple(("gpu", lines.gpu_type, lines.count) for lines in self.gpus)
        shared = tuple((one.name, "", one.count) for one in self.shared)
        return (*gpus, *shared, *((one.name, one.type, one.count) for one in self.others))


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchLines:
    """A switch of a tree: a leaf has nodes, any other one switches."""

    name: str
    node_names: tuple[str, ...] = ()
    switches: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockLines:
    """A block of the block topology, for example the nodes of one NVLink domain."""

    name: str
    node_names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionLines:
    """A partition as slurm.conf has it; ``max_time`` and ``preempt_mode`` in Slurm's words."""

    name: str
    node_names: tuple[str, ...]
    is_default: bool
    max_time: str
    priority_tier: int
    preempt_mode: str
    grace_time_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterLines:
    """All of it: what `site render` writes and a sandbox is made of. ``title`` says whence."""

    title: str
    nodes: tuple[NodeLines, ...]
    partitions: tuple[PartitionLines, ...]
    switches: tuple[SwitchLines, ...] = ()
    blocks: tuple[BlockLines, ...] = ()
    block_sizes: tuple[int, ...] = ()

    @property
    def gres_names(self) -> tuple[str, ...]:
        """The names that GresTypes must have, sorted."""
        return tuple(sorted({name for node in self.nodes for name, _, _ in node.gres}))

    @property
    def gpu_types(self) -> tuple[str, ...]:
        """The GPU types that accounting can tell apart, sorted."""
        return tuple(sorted({lines.gpu_type for node in self.nodes for lines in node.gpus} - {""}))
