"""The workflow, version 1: the same schema in YAML and in Python.

Every value stands as the user wrote it (``time="30m"``), so that YAML → Python → YAML is exact;
`cfslurm.core.workflow.check` says whether the values mean something.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from cfslurm.core.documents import STRICT

SCHEMA = "cfslurm.workflow/1"

Scalar = str | int | float | bool | None
ItemValue = Scalar | Mapping[str, Scalar]


class Need(StrEnum):
    """Slurm's dependency types. ``aftercorr`` joins item i to item i of an array of equal length."""

    AFTEROK = "afterok"
    AFTERANY = "afterany"
    AFTERCORR = "aftercorr"


class Priority(StrEnum):
    """Order among one's own jobs; Slurm lets users only lower their priority (``--nice``)."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"


class Goal(StrEnum):
    """What a plan is best at."""

    FAST = "fast"
    CHEAP = "cheap"
    BEST_QUALITY = "best_quality"


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """An objective of one's own: how much a plan's time, cost and quality count against each other.

    ``time`` and ``cost`` weigh the plan's makespan and GPU hours, each relative to the best
    possible; ``quality`` weighs each lost percent of mean quality.
    """

    __pydantic_config__ = STRICT
    time: float = 1.0
    cost: float = 0.0
    quality: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A language model from the Hub, and what may be done to make it fit.

    ``revision`` is a branch, tag or commit; the plan pins the 40-digit commit. ``allow`` lists
    quantization families (``none``, ``fp8``, ``awq``, ``gptq``, ``gguf``); empty allows all that
    the engine runs. ``variant`` forces one: a quantization (``gguf:Q4_K_M``) or a repo id.
    ``max_model_len`` and ``max_num_seqs`` are vLLM's: tokens of context, and sequences at once.
    ``min_quality`` is the lowest acceptable quality score, 100 being the published checkpoint.
    ``quality`` holds scores of one's own, by quantization, repository or ``repository@quantization``.
    """

    __pydantic_config__ = STRICT
    repo: str
    revision: str = "main"
    allow: tuple[str, ...] = ()
    variant: str | None = None
    engine: str = "vllm"
    max_model_len: int = 4096
    max_num_seqs: int = 1
    tensor_parallel_size: int | None = None
    min_quality: float = 0.0
    quality: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What one process needs on its node besides what its model needs.

    ``mem`` is host memory as in ``sbatch --mem`` (``4G``). ``gpus`` is for work without a model; a
    model's GPUs come from the plan. ``gpu_types`` and ``partitions`` restrict the choice.
    """

    __pydantic_config__ = STRICT
    cpus: int = 1
    mem: str = "1G"
    gpus: int = 0
    gpu_types: tuple[str, ...] = ()
    partitions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What one item costs, for the plan: tokens, or a time that was measured.

    ``time`` is taken as it is on every GPU type; tokens are turned into time for each of them. An item
    sends ``requests`` of so many tokens each; up to the model's ``max_num_seqs`` of them run at once.
    """

    __pydantic_config__ = STRICT
    tokens_in: int | None = None
    tokens_out: int | None = None
    requests: int = 1
    time: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Array:
    """The items of a task: exactly one of a range, a list of values, or a file.

    ``range`` is ``0-59`` or ``0-58:2`` as in ``sbatch --array``. A ``file`` gives one item a line:
    ``.jsonl`` holds JSON, ``.csv`` has a header line, anything else is text.
    """

    __pydantic_config__ = STRICT
    range: str | None = None
    values: tuple[ItemValue, ...] | None = None
    file: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSpec:
    """State that survives: how often it is saved, which generations are kept, how they are written.

    The ``coordinated`` sessions of a gang go back together, to the newest round that all have saved.
    ``key_file`` names the file with the key, never the key. None leaves a matter to the variables
    of the environment.
    """

    __pydantic_config__ = STRICT
    checkpoint: str = "5m"
    keep: int = 3
    keep_hourly: int | None = None
    keep_daily: int | None = None
    coordinated: bool = False
    compression: Literal["zip", "none"] | None = None
    group: str | None = None
    key_file: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A command, run once or once for each item of an array.

    ``command`` is an argument list; no shell reads it. ``{item}``, ``{item.KEY}``, ``{index}``,
    ``{model_path}`` … are filled in on the node. ``time`` is the most that one item may take.
    ``preemptible`` work may go to partitions where it can lose its nodes.
    """

    __pydantic_config__ = STRICT
    command: tuple[str, ...]
    model: str | None = None
    array: Array | None = None
    work: Work | None = None
    resources: Resources = field(default_factory=Resources)
    time: str = "1h"
    retries: int = 0
    needs: Mapping[str, Need] = field(default_factory=dict)
    session: SessionSpec | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    workdir: str | None = None
    preemptible: bool = False
    priority: Priority | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One member of a gang. Without model and GPUs it runs on a CPU node.

    A ``service`` (a model server) is ended when all components that are none have ended.
    """

    __pydantic_config__ = STRICT
    command: tuple[str, ...]
    model: str | None = None
    resources: Resources = field(default_factory=Resources)
    session: SessionSpec | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    workdir: str | None = None
    service: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Gang:
    """Components that start together, on nodes of their own, and find each other by name.

    ``replicas`` is how many such gangs run; ``retries`` is how often a gang may fail and start again.
    """

    __pydantic_config__ = STRICT
    components: Mapping[str, Component]
    replicas: int = 1
    work: Work | None = None
    time: str = "1h"
    retries: int = 0
    needs: Mapping[str, Need] = field(default_factory=dict)
    preemptible: bool = False
    priority: Priority | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What a run may cost at the most."""

    __pydantic_config__ = STRICT
    gpu_hours: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Workflow:
    """What should run.

    ``deadline`` is a time from the submission on (``6h``). ``account``, ``qos`` and ``partitions``
    hold for everything that names none itself.
    """

    __pydantic_config__ = STRICT
    schema: Literal["cfslurm.workflow/1"] = "cfslurm.workflow/1"
    name: str
    description: str = ""
    models: Mapping[str, Model] = field(default_factory=dict)
    tasks: Mapping[str, Task] = field(default_factory=dict)
    gangs: Mapping[str, Gang] = field(default_factory=dict)
    objective: Goal | Weights = Goal.FAST
    priority: Priority = Priority.NORMAL
    deadline: str | None = None
    budget: Budget | None = None
    account: str | None = None
    qos: str | None = None
    partitions: tuple[str, ...] = ()

    @property
    def needs(self) -> dict[str, Mapping[str, Need]]:
        """What each task and gang needs, by name."""
        tasks = {name: task.needs for name, task in self.tasks.items()}
        return {**tasks, **{name: gang.needs for name, gang in self.gangs.items()}}
