"""The hardware graph: what the cluster has, what of it is free, and how it is joined."""

from __future__ import annotations

import re
from dataclasses import dataclass

from cfslurm.core.documents import STRICT
from cfslurm.core.hardware.gpus import GpuFacts
from cfslurm.core.hardware.parts import PartRead
from cfslurm.core.hardware.probe import NodeProbe
from cfslurm.core.slurm.records import (
    Association,
    Block,
    License,
    Partition,
    Qos,
    Reservation,
    RunningJob,
    Share,
    Switch,
    Topology,
)

__all__ = [
    "SCHEMA", "Association", "Block", "Controller", "GpuSet", "GresSet", "HardwareGraph", "License",
    "Node", "Partition", "Qos", "Reservation", "RunningJob", "Share", "Switch", "Topology",
]  # fmt: skip

SCHEMA = "cfslurm.hardware/2"

# A node in one of these states takes no new job, whatever is free on it. Source: sinfo(1).
_CLOSED_STATES = frozenset({"DOWN", "ERROR", "FAIL", "FAILING", "FUTURE", "UNKNOWN", "INVAL"})
_CLOSED_FLAGS = frozenset(
    {
        "DRAIN", "DRAINING", "FAIL", "INVALID_REG", "MAINTENANCE", "MAINT", "NOT_RESPONDING",
        "POWERING_DOWN", "POWER_DOWN", "REBOOT_ISSUED", "REBOOT_REQUESTED", "RESERVED", "BLOCKED",
    }
)  # fmt: skip
# ``1g.10gb``, ``a100_3g.20gb``, ``nvidia_h100_1g.10gb+me``. Source: NVIDIA's MIG user guide, profile names.
_MIG = re.compile(r"(?:^|[_-])(\d+(?:c\.\d+)?g\.\d+gb(?:\+[a-z.]+)*)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuSet:
    """The GPUs of one type on a node.

    ``gpu_type`` is Slurm's GRES type, empty where the site gives none. ``used`` is what no job can
    get whole now: handed out (GresUsed, or AllocTRES where this Slurm prints no GresUsed) or in use
    as shards; ``shared`` of them are in use as shards. ``used_indices`` are those that Slurm
    names; ``sockets`` those whose cores are bound to these GPUs, empty where none are.
    """

    __pydantic_config__ = STRICT

    gpu_type: str
    count: int
    used: int
    facts: GpuFacts
    shared: int = 0
    used_indices: tuple[int, ...] = ()
    sockets: tuple[int, ...] = ()

    @property
    def mig_profile(self) -> str:
        """The MIG profile that the type names (``1g.10gb``); empty for whole GPUs."""
        found = _MIG.search(self.gpu_type)
        return found[1].lower() if found else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GresSet:
    """Other generic resources of a node: ``shard``, ``mps``, ``nic`` and so on."""

    __pydantic_config__ = STRICT

    name: str
    type: str
    count: int
    used: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A Slurm node.

    ``features`` are active now, ``available_features`` could be. ``cpus_usable`` are those that
    jobs may have. ``reservations`` names those that hold the node at the time of the harvest.
    Times are seconds since the epoch. ``unread`` says what Slurm printed and nobody could read.
    ``probe`` is what the node said of itself since its last boot, if it was ever asked.
    """

    __pydantic_config__ = STRICT

    name: str
    address: str
    state: str
    state_flags: tuple[str, ...]
    reason: str
    reason_user: str
    reason_time: int | None
    features: tuple[str, ...]
    available_features: tuple[str, ...]
    gpus: tuple[GpuSet, ...]
    gres: tuple[GresSet, ...]
    cpus: int
    cpus_usable: int
    cpus_used: int
    sockets: int
    cores_per_socket: int
    threads_per_core: int
    real_memory_mib: int
    memory_used_mib: int
    tmp_disk_mib: int
    partitions: tuple[str, ...]
    weight: int
    boot_time: int | None
    slurm_version: str
    reservations: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    probe: NodeProbe | None = None

    @property
    def takes_jobs(self) -> bool:
        """False if the node is down, drained, does not answer, or is reserved just now.

        What is reserved is not counted even for those who may use it: cfslurm submits without
        ``--reservation``, and such a job waits until the reservation ends.
        """
        return not self.closed_by

    @property
    def closed_by(self) -> tuple[str, ...]:
        """What keeps jobs away, in Slurm's words, sorted: ``DOWN``, ``DRAIN``, ``RESERVED``."""
        words = _CLOSED_FLAGS.intersection(self.state_flags)
        words |= _CLOSED_STATES.intersection((self.state,))
        return tuple(sorted(words | {"RESERVED"} if self.reservations else words))

    @property
    def gpu_count(self) -> int:
        """All GPUs of the node."""
        return sum(gpus.count for gpus in self.gpus)

    @property
    def gpus_free(self) -> int:
        """GPUs that a job could get now."""
        return sum(gpus.count - gpus.used for gpus in self.gpus) if self.takes_jobs else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Controller:
    """The settings of slurmctld that shape a submission.

    ``requeue_delay_s`` is how long a requeued job waits before it may start again: cred_expire + 1,
    or ``requeue_delay`` from 25.11 on. ``tracked_tres`` is what accounting counts beside CPUs,
    memory, nodes and billing. ``private_data`` names what users cannot see of each other: where
    it holds ``jobs``, the jobs of others are not in the graph.
    """

    __pydantic_config__ = STRICT

    cluster: str
    slurm_version: str
    max_array_size: int
    max_job_count: int
    requeue_exits: tuple[int, ...]
    requeues_jobs: bool
    requeue_delay_s: int
    sends_user_signal_on_preemption: bool
    backfills: bool
    kill_wait_s: int
    has_accounting: bool
    enforces: tuple[str, ...]
    tracked_tres: tuple[str, ...]
    private_data: tuple[str, ...]
    preempt_type: str
    preempt_mode: str
    priority_type: str
    scheduler_parameters: tuple[str, ...]
    select_parameters: tuple[str, ...]
    over_time_limit_s: int | None
    default_memory_per_cpu_mib: int | None
    default_memory_per_node_mib: int | None
    topology_plugin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HardwareGraph:
    """Everything that cfslurm knows of a cluster at one moment.

    ``harvested_at`` is UTC in ISO 8601. Tuples are sorted by name; ``running`` by end, jobs without
    one last. ``associations`` are the user's own and, with an empty user, the accounts above them.
    ``parts`` says when each was read where they are not all of ``harvested_at``.
    """

    __pydantic_config__ = STRICT

    schema: str
    harvested_at: str
    backend: str
    controller: Controller
    nodes: tuple[Node, ...]
    partitions: tuple[Partition, ...]
    topologies: tuple[Topology, ...]
    reservations: tuple[Reservation, ...]
    licenses: tuple[License, ...]
    running: tuple[RunningJob, ...]
    qos: tuple[Qos, ...]
    associations: tuple[Association, ...]
    shares: tuple[Share, ...]
    warnings: tuple[str, ...]
    parts: tuple[PartRead, ...] = ()

    @property
    def switches(self) -> tuple[Switch, ...]:
        """The switches of the topology that jobs get by default; empty where it is no tree."""
        return tuple(switch for one in self.topologies if one.is_default for switch in one.switches)

    @property
    def blocks(self) -> tuple[Block, ...]:
        """The blocks of the topology that jobs get by default; empty where it has none."""
        return tuple(block for one in self.topologies if one.is_default for block in one.blocks)

    def node(self, name: str) -> Node:
        """The node of that name."""
        return next(node for node in self.nodes if node.name == name)

    def partition(self, name: str) -> Partition:
        """The partition of that name."""
        return next(partition for partition in self.partitions if partition.name == name)
