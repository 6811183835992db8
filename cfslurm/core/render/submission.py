"""Plan → jobs for Slurm, as values: arrays for independent work, het jobs for gangs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from cfslurm.core.documents import STRICT
from cfslurm.core.workflow.model import Need

SCHEMA = "cfslurm.submission/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What one process asks of Slurm.

    ``gres`` and ``constraint`` are Slurm's own texts, empty for none; ``exclude`` is a hostlist.
    """

    __pydantic_config__ = STRICT

    partitions: tuple[str, ...]
    gres: str
    constraint: str
    exclude: str
    cpus: int
    mem_mib: int
    time_limit_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency:
    """A job waits for another: ``key`` names it in the submission."""

    __pydantic_config__ = STRICT

    need: Need
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayJob:
    """Independent work: ``tasks`` array tasks of one shape, wherever one of the classes is free."""

    __pydantic_config__ = STRICT
    kind: Literal["array"] = "array"

    key: str
    entry: str
    name: str
    classes: tuple[str, ...]
    ask: Ask
    tasks: int
    depends: tuple[Dependency, ...]
    nice: int
    script: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HetJob:
    """A gang: all components start together or not at all; Slurm gives each a node of its own."""

    __pydantic_config__ = STRICT
    kind: Literal["hetjob"] = "hetjob"

    key: str
    entry: str
    name: str
    components: tuple[str, ...]
    classes: tuple[str, ...]
    asks: tuple[Ask, ...]
    depends: tuple[Dependency, ...]
    nice: int
    script: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefetchJob:
    """Brings model variants into the cache, without any GPU."""

    __pydantic_config__ = STRICT
    kind: Literal["prefetch"] = "prefetch"

    key: str
    name: str
    ask: Ask
    variants: tuple[str, ...]
    script: str
    depends: tuple[Dependency, ...] = ()


Job = ArrayJob | HetJob | PrefetchJob


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """All jobs of a run in the order in which sbatch gets them.

    ``export`` names the environment variables that jobs take over.
    """

    __pydantic_config__ = STRICT

    schema: str = SCHEMA
    run_id: str
    directory: str
    export: tuple[str, ...]
    jobs: tuple[Job, ...]

    def job(self, key: str) -> Job:
        """The job of that key."""
        return next(job for job in self.jobs if job.key == key)


class SlurmJob(Protocol):
    """What sbatch gets of a job, whatever it is for."""

    @property
    def key(self) -> str:
        """Its name among the jobs that are submitted together."""
        ...

    @property
    def name(self) -> str:
        """Its name in Slurm, which no other job has."""
        ...

    @property
    def script(self) -> str:
        """The batch script."""
        ...

    @property
    def depends(self) -> tuple[Dependency, ...]:
        """The jobs that it waits for."""
        ...


class SlurmJobs(Protocol):
    """Jobs that are submitted together: a run's, or a probe's."""

    @property
    def directory(self) -> str:
        """Where they run and write."""
        ...

    @property
    def export(self) -> tuple[str, ...]:
        """The environment variables that they take over."""
        ...

    @property
    def jobs(self) -> Sequence[SlurmJob]:
        """All of them, in the order in which sbatch gets them."""
        ...


def dependency_option(depends: tuple[Dependency, ...], job_ids: Mapping[str, str]) -> str:
    """The value of ``--dependency``, empty for none; a comma means that all must hold.

    >>> needs = (Dependency(need=Need.AFTEROK, key="a"), Dependency(need=Need.AFTEROK, key="b"))
    >>> dependency_option(needs, {"a": "12", "b": "13"})
    'afterok:12:13'
    """
    by_need: dict[str, list[str]] = {}
    for dependency in depends:
        by_need.setdefault(dependency.need.value, []).append(job_ids[dependency.key])
    return ",".join(f"{need}:{':'.join(ids)}" for need, ids in sorted(by_need.items()))
