"""What a node says of itself: the answer of the probe job (``cfslurm harvest --probe``).

Every fact is either known or `NotKnown` with the reason: never a zero or an empty text in place of
what could not be read. In JSON a known fact is its value, and one that is not known is an object:
``"ecc_mode": {"not_known": "Not Supported", "remedy": ""}``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeVar

from cfslurm.core.documents import STRICT

SCHEMA: Final = "cfslurm.probe/1"

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class NotKnown:
    """A fact that could not be read: why, and what somebody could do about it (may be empty)."""

    __pydantic_config__ = STRICT

    not_known: str
    remedy: str = ""


Text = str | NotKnown
Count = int | NotKnown
Number = float | NotKnown


def known(fact: T | NotKnown) -> T | None:
    """The value of a fact; None if it is not known.

    >>> known(NotKnown(not_known="Not Supported")) is None, known(3)
    (True, 3)
    """
    return None if isinstance(fact, NotKnown) else fact


@dataclass(frozen=True, slots=True, kw_only=True)
class MigInstance:
    """A MIG instance as the driver reports it.

    ``profile`` is NVIDIA's name (``3g.20gb``); ``slices`` are its compute slices (GPU instance).
    ``gpu_instance`` and ``compute_instance`` are the ids that its files in /dev are numbered by.
    """

    __pydantic_config__ = STRICT

    index: int
    profile: Text
    slices: Count
    memory_mib: Count
    multiprocessors: Count
    gpu_instance: Count
    compute_instance: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class Ecc:
    """Error correction of a GPU's memory: mode, and errors since the driver was loaded."""

    __pydantic_config__ = STRICT

    mode: Text  # "on", "off"
    corrected: Count
    uncorrected: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class Clocks:
    """Clocks in MHz: now, and the highest that the card can run."""

    __pydantic_config__ = STRICT

    sm_mhz: Count
    sm_max_mhz: Count
    memory_mhz: Count
    memory_max_mhz: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class Power:
    """Power in W: drawn now, the limit in force, and the card's own default limit."""

    __pydantic_config__ = STRICT

    draw_w: Number
    limit_w: Number
    default_limit_w: Number


@dataclass(frozen=True, slots=True, kw_only=True)
class Pcie:
    """The PCIe slot: what the link runs at now (it sleeps when idle), and what slot and card can do."""

    __pydantic_config__ = STRICT

    bus_id: Text
    generation: Count
    generation_max: Count
    width: Count
    width_max: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What the GPU does at this moment; ``processes`` compute on it (only their number is kept)."""

    __pydantic_config__ = STRICT

    memory_used_mib: Count
    utilization_percent: Count
    processes: Count
    temperature_c: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbedGpu:
    """One GPU as its driver reports it.

    ``identity`` tells cards apart without naming them: a hash of UUID and node. The UUID itself is
    left out, because whoever knows it can ask for that very card, and answers are shared.

    Units: ``memory_mib`` is what programs and driver share, ``memory_reserved_mib`` the driver's part.
    ``minor`` is the number of its device file: of /dev/nvidiaN, for AMD of /dev/dri/renderDN.

    Shape: ``compute_capability`` is ``9.0``, for AMD ``gfx942``; ``cpus`` a list as in ``0-31,64-95``.
    """

    __pydantic_config__ = STRICT

    index: int
    minor: Count
    identity: Text
    name: Text
    compute_capability: Text
    memory_mib: Count
    memory_reserved_mib: Count
    mig_mode: Text  # "on", "off"
    mig: tuple[MigInstance, ...] | NotKnown
    pcie: Pcie
    numa_node: Count
    cpus: Text
    ecc: Ecc
    clocks: Clocks
    power: Power
    use: Use


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuLink:
    """How two GPUs of a node reach each other; ``a`` < ``b`` are their `ProbedGpu.index`.

    ``path`` is what lies between them on PCIe, in the words of ``nvidia-smi topo -m``: ``PIX`` one
    bridge, ``PXB`` several, ``PHB`` a host bridge, ``NODE`` two of one NUMA node, ``SYS`` the
    link between sockets. ``nvlinks`` is the number of active NVLinks between the two, 0 for none
    (xGMI hops for AMD count as 1); ``through`` says whether they are direct or pass a switch.
    ``peer_access`` is ``ok`` or why one cannot read the other's memory.
    """

    __pydantic_config__ = STRICT

    a: int
    b: int
    path: Text
    nvlinks: Count
    nvlink_version: Count
    through: Text  # "direct", "nvswitch", "none"
    peer_access: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuReport:
    """All GPUs that the probe saw, and the software that told of them.

    ``library`` is ``nvml``, or ``sysfs`` for AMD. Under cgroup fencing a job sees only the GPUs it
    asked for, so there may be fewer than the node has.
    """

    __pydantic_config__ = STRICT

    library: Literal["nvml", "sysfs"]
    driver: Text
    library_version: Text
    cuda: Text
    gpus: tuple[ProbedGpu, ...]
    links: tuple[GpuLink, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hugepages:
    """The huge pages of one size."""

    __pydantic_config__ = STRICT

    size_kib: int
    total: Count
    free: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineReport:
    """CPUs, memory, kernel and boot of a node.

    ``boot_time_s`` is when the node was booted, in seconds since the epoch: an answer holds until
    then changes.
    """

    __pydantic_config__ = STRICT

    cpu_model: Text
    sockets: Count
    cores: Count
    threads: Count
    numa_nodes: Count
    memory_mib: Count
    hugepages: tuple[Hugepages, ...]
    kernel: Text
    os: Text
    boot_id: Text
    boot_time_s: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class Scratch:
    """A local folder for temporary files.

    Units: ``write_mb_s`` is 10^6 bytes/s of one short sequential write; ``how`` is ``direct`` where it
    went past the page cache, ``fsync`` where it could not and the time to disk is counted.
    """

    __pydantic_config__ = STRICT

    path: str
    filesystem: Text
    total_mib: Count
    free_mib: Count
    write_mb_s: Number
    how: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    """A network interface that is not the loopback.

    ``kind`` is ``ethernet`` or ``infiniband`` (also RoCE and Omni-Path devices under
    ``/sys/class/infiniband``). Units: ``rate_mbit_s`` is 10^6 bit/s of the link.
    """

    __pydantic_config__ = STRICT

    name: str
    kind: Literal["ethernet", "infiniband"]
    state: Text
    rate_mbit_s: Count
    numa_node: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeProbe:
    """The whole answer of one node.

    ``gpus_asked`` is how many GPUs the probe's job held. A section whose reading hung, was killed or
    printed rubbish is not known as a whole.
    """

    __pydantic_config__ = STRICT

    schema: Literal["cfslurm.probe/1"] = SCHEMA
    node: str
    probed_at: str
    gpus_asked: Count
    gpu: GpuReport | NotKnown
    machine: MachineReport | NotKnown
    scratch: tuple[Scratch, ...] | NotKnown
    network: tuple[Interface, ...] | NotKnown

    @property
    def gpus(self) -> tuple[ProbedGpu, ...]:
        """The GPUs that were seen; none where that is not known."""
        return () if isinstance(self.gpu, NotKnown) else self.gpu.gpus

    @property
    def links(self) -> tuple[GpuLink, ...]:
        """How they reach each other; none where that is not known."""
        return () if isinstance(self.gpu, NotKnown) else self.gpu.links
