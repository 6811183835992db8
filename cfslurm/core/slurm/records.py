"""What a cluster reader brings back: the same records from Slurm's text, its JSON and from pyslurm.

Times are seconds since the epoch, None where Slurm knows none; sizes are MiB; None as a limit means
no limit. A TRES mapping has Slurm's own names as keys (``cpu``, ``node``, ``gres/gpu:a100`` …) and
whole numbers as values, ``mem`` in MiB.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cfslurm.core.documents import STRICT
from cfslurm.core.slurm.gres import Gres

Tres = Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRecord:
    """A node.

    ``state`` is the base state in upper case (``IDLE``, ``MIXED``, ``ALLOCATED``, ``DOWN`` …);
    ``state_flags`` are sorted and stand beside it (``DRAIN``, ``MAINTENANCE``, ``NOT_RESPONDING`` …).
    ``gres`` is None where it could not be read; ``gres_used`` also where Slurm does not print it.
    ``alloc_tres`` holds what slurmdbd's TRES list tracks, and nothing else.
    ``unread`` says what could not be read, and why.
    """

    name: str
    address: str
    state: str
    state_flags: tuple[str, ...]
    reason: str
    reason_user: str
    reason_time: int | None
    features: tuple[str, ...]
    available_features: tuple[str, ...]
    gres: tuple[Gres, ...] | None
    gres_used: tuple[Gres, ...] | None
    alloc_tres: Tres
    cpus: int
    cpus_usable: int
    cpus_allocated: int
    sockets: int
    cores_per_socket: int
    threads_per_core: int
    real_memory_mib: int
    memory_allocated_mib: int
    tmp_disk_mib: int
    partitions: tuple[str, ...]
    weight: int
    boot_time: int | None
    slurm_version: str
    unread: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """A partition; an empty tuple of names that may use it means everybody.

    ``oversubscribe`` is as scontrol writes it (``NO``, ``YES:4``, ``FORCE:2``); ``exclusive`` is what a
    job gets for itself: ``NO``, ``NODE``, ``USER`` or ``TOPO``.
    """

    __pydantic_config__ = STRICT

    name: str
    state: str
    is_default: bool
    node_names: tuple[str, ...]
    max_time_s: int | None
    default_time_s: int | None
    min_nodes: int
    max_nodes: int | None
    max_cpus_per_node: int | None
    default_memory_per_cpu_mib: int | None
    default_memory_per_node_mib: int | None
    max_memory_per_cpu_mib: int | None
    max_memory_per_node_mib: int | None
    oversubscribe: str
    exclusive: str
    priority_tier: int
    priority_job_factor: int
    preempt_mode: str
    grace_time_s: int
    qos: str
    allow_accounts: tuple[str, ...]
    deny_accounts: tuple[str, ...]
    allow_groups: tuple[str, ...]
    allow_qos: tuple[str, ...]
    deny_qos: tuple[str, ...]
    root_only: bool
    needs_reservation: bool
    topology: str = ""

    @property
    def is_up(self) -> bool:
        """True if ordinary users' jobs are started in it."""
        return self.state == "UP" and not self.root_only

    @property
    def is_preemptible(self) -> bool:
        """True if a job in here can lose its nodes to a job of a higher tier."""
        return self.preempt_mode.split(",")[-1] not in ("OFF", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """A switch of a tree topology, with all nodes below it; level 0 is a leaf."""

    __pydantic_config__ = STRICT

    name: str
    level: int
    node_names: tuple[str, ...]
    switches: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A block of a block topology; ``blocks`` are the base blocks of an aggregated one."""

    __pydantic_config__ = STRICT

    name: str
    node_names: tuple[str, ...]
    size: int
    blocks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """A topology: ``kind`` is ``tree``, ``block`` or another word of Slurm's (``flat``, ``ring`` …).

    Before 25.05 a cluster has one, here called ``default``.
    """

    __pydantic_config__ = STRICT

    name: str
    kind: str
    is_default: bool
    switches: tuple[Switch, ...] = ()
    blocks: tuple[Block, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """Nodes or licences that are kept for somebody, or for maintenance, for a time."""

    __pydantic_config__ = STRICT

    name: str
    node_names: tuple[str, ...]
    users: tuple[str, ...]
    accounts: tuple[str, ...]
    groups: tuple[str, ...]
    flags: tuple[str, ...]
    partition: str
    licenses: str
    tres: Tres
    start_time: int | None
    end_time: int | None

    @property
    def is_maintenance(self) -> bool:
        """True if nobody is meant to run jobs in it."""
        return "MAINT" in self.flags

    def is_active(self, at: float) -> bool:
        """True if it holds its nodes at that moment; a time that Slurm does not tell does not end it."""
        begun = self.start_time is None or self.start_time <= at
        return begun and (self.end_time is None or at < self.end_time)


@dataclass(frozen=True, slots=True, kw_only=True)
class License:
    """A licence that Slurm counts."""

    __pydantic_config__ = STRICT

    name: str
    total: int
    used: int
    free: int
    reserved: int
    is_remote: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningJob:
    """A job that holds nodes, and until when at the latest.

    ``job_id`` is as squeue prints it (``12``, ``12_3``, ``12+1``). ``gpus`` maps GPU types ("" if the
    type is unknown) to how many it holds on all its nodes together; None where Slurm does not say.
    """

    __pydantic_config__ = STRICT

    job_id: str
    user: str
    account: str
    partition: str
    qos: str
    reservation: str
    state: str
    node_names: tuple[str, ...]
    cpus: int
    gpus: Mapping[str, int] | None
    end_time: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Qos:
    """A quality of service and its limits; an empty mapping is no limit."""

    __pydantic_config__ = STRICT

    name: str
    priority: int
    flags: tuple[str, ...]
    preempts: tuple[str, ...]
    preempt_mode: str
    grace_time_s: int
    max_wall_s: int | None
    max_tres_per_job: Tres
    max_tres_per_user: Tres
    max_tres_per_account: Tres
    max_tres_minutes_per_job: Tres
    max_jobs_per_user: int | None
    max_jobs_per_account: int | None
    max_submit_per_user: int | None
    max_submit_per_account: int | None
    group_tres: Tres
    group_tres_minutes: Tres
    group_jobs: int | None
    group_submit: int | None
    group_wall_s: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Association:
    """A user's account (and partition), or, with an empty ``user``, an account as a whole."""

    __pydantic_config__ = STRICT

    account: str
    parent: str
    user: str
    partition: str
    qos: tuple[str, ...]
    default_qos: str
    max_wall_s: int | None
    max_tres_per_job: Tres
    max_jobs: int | None
    max_submit: int | None
    group_tres: Tres
    group_tres_minutes: Tres
    group_jobs: int | None
    group_submit: int | None
    group_wall_s: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What multifactor priority thinks of the user in one account.

    ``raw_shares`` is None where the user takes the account's own (``parent``); ``factor`` is between
    0 (has used too much) and 1.
    """

    __pydantic_config__ = STRICT

    account: str
    partition: str
    raw_shares: int | None
    effective_usage: float
    factor: float | None
