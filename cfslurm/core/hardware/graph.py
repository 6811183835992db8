"""The hardware graph: what the cluster has, what of it is free, and how it is joined."""

from __future__ import annotations

from dataclasses import dataclass

from cfslurm.core.documents import STRICT
from cfslurm.core.hardware.gpus import GpuFacts
from cfslurm.core.hardware.probe import NodeProbe

SCHEMA = "cfslurm.hardware/1"

# A node in one of these states takes no new job, whatever is free on it. Source: sinfo(1).
_CLOSED_STATES = frozenset({"DOWN", "ERROR", "FAIL", "FAILING", "FUTURE", "UNKNOWN", "INVAL"})
_CLOSED_FLAGS = frozenset(
    {
        "DRAIN", "DRAINING", "FAIL", "INVALID_REG", "MAINTENANCE", "MAINT", "NOT_RESPONDING",
        "POWERING_DOWN", "POWER_DOWN", "REBOOT_ISSUED", "REBOOT_REQUESTED", "BLOCKED",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuSet:
    """The GPUs of one type on a node.

    ``gpu_type`` is Slurm's GRES type, empty where the site gives none. ``used`` is what Slurm has
    handed out (GresUsed, or AllocTRES where this Slurm prints no GresUsed); never less than it has.
    """

    __pydantic_config__ = STRICT

    gpu_type: str
    count: int
    used: int
    facts: GpuFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A Slurm node; ``probe`` is what it said of itself since its last boot, if it was ever asked."""

    __pydantic_config__ = STRICT

    name: str
    address: str
    state: str
    state_flags: tuple[str, ...]
    reason: str
    features: tuple[str, ...]
    gpus: tuple[GpuSet, ...]
    cpus: int
    cpus_used: int
    sockets: int
    real_memory_mib: int
    memory_used_mib: int
    partitions: tuple[str, ...]
    weight: int
    probe: NodeProbe | None = None

    @property
    def takes_jobs(self) -> bool:
        """False if the node is down, drained, reserved for maintenance or does not answer."""
        return self.state not in _CLOSED_STATES and not _CLOSED_FLAGS & set(self.state_flags)

    @property
    def gpu_count(self) -> int:
        """All GPUs of the node."""
        return sum(gpus.count for gpus in self.gpus)

    @property
    def gpus_free(self) -> int:
        """GPUs that a job could get now."""
        return sum(gpus.count - gpus.used for gpus in self.gpus) if self.takes_jobs else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """A partition and its limits; None means no limit."""

    __pydantic_config__ = STRICT

    name: str
    is_up: bool
    is_default: bool
    node_names: tuple[str, ...]
    max_time_s: int | None
    max_nodes: int | None
    priority_tier: int
    preempt_mode: str
    grace_time_s: int
    qos: str
    allow_accounts: tuple[str, ...]
    allow_groups: tuple[str, ...]

    @property
    def is_preemptible(self) -> bool:
        """True if a job in here can lose its nodes to a job of a higher tier."""
        return self.preempt_mode.split(",")[-1] not in ("OFF", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """A switch with all nodes below it; level 0 is a leaf."""

    __pydantic_config__ = STRICT

    name: str
    level: int
    node_names: tuple[str, ...]
    switches: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Qos:
    """A quality of service; None and "" mean no limit."""

    __pydantic_config__ = STRICT

    name: str
    max_wall_s: int | None
    max_tres_per_user: str
    max_jobs_per_user: int | None
    max_submit_per_user: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Association:
    """An account that this user may charge."""

    __pydantic_config__ = STRICT

    account: str
    partition: str
    qos: tuple[str, ...]
    max_wall_s: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Controller:
    """The settings of slurmctld that shape a submission.

    ``requeue_delay_s`` is how long a requeued job waits before it may start again: cred_expire + 1.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class HardwareGraph:
    """Everything that cfslurm knows of a cluster at one moment.

    ``harvested_at`` is UTC in ISO 8601. Tuples are sorted by name.
    """

    __pydantic_config__ = STRICT

    schema: str
    harvested_at: str
    backend: str
    controller: Controller
    nodes: tuple[Node, ...]
    partitions: tuple[Partition, ...]
    switches: tuple[Switch, ...]
    qos: tuple[Qos, ...]
    associations: tuple[Association, ...]
    warnings: tuple[str, ...]

    def node(self, name: str) -> Node:
        """The node of that name."""
        return next(node for node in self.nodes if node.name == name)

    def partition(self, name: str) -> Partition:
        """The partition of that name."""
        return next(partition for partition in self.partitions if partition.name == name)
