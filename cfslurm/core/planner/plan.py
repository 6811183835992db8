"""The plan: what runs where, as a document that can be read, edited and submitted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from cfslurm.core.documents import STRICT
from cfslurm.core.hardware.classes import NodeClass
from cfslurm.core.models.rates import Range
from cfslurm.core.models.serving import Term
from cfslurm.core.models.speed import Uncorrected
from cfslurm.core.models.variants import Variant
from cfslurm.core.workflow.model import Workflow

SCHEMA = "cfslurm.plan/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One way in which a group runs: a variant on a node class, with a share of the items.

    ``group`` is ``task`` or ``gang/component``. ``variant`` is a key of `Plan.variants`, empty for
    work without a model.

    ``gpu_key`` is the card's key in the catalogue. ``samples`` counts the finished work that corrected
    ``item_s``; ``uncorrected`` is what was predicted before. ``source`` says what it rests on.

    Units: ``item_s`` is the predicted time of one item, start of its engine included; 8 of 10 items
        are expected between ``item_low_s`` and ``item_high_s``; ``tokens_per_s`` while decoding;
        ``time_limit_s`` the most that one item may take; ``need_bytes`` and ``limit_bytes`` are per
        GPU; ``gpu_hours`` is for all of ``items`` together.
    """

    __pydantic_config__ = STRICT
    group: str
    model: str
    variant: str
    node_class: str
    gpu_type: str
    gpu_key: str
    partitions: tuple[str, ...]
    gpus: int
    cpus: int
    mem_mib: int
    items: int
    item_s: float
    item_low_s: float
    item_high_s: float
    tokens_per_s: Range | None
    samples: int
    uncorrected: Uncorrected
    time_limit_s: int
    quality: float
    fit: str
    need_bytes: int
    limit_bytes: int
    memory: tuple[Term, ...]
    gpu_hours: float
    why: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """A way that was looked at and not taken, and why."""

    __pydantic_config__ = STRICT
    group: str
    variant: str
    node_class: str
    gpus: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A plan for a workflow on a cluster.

    ``workdir`` is the folder of the workflow's file: relative names in it start there.
    ``item_counts`` holds the number of items of every task at the time of planning.

    Units: ``makespan_s`` from the first start to the last end, queueing excluded.
    """

    __pydantic_config__ = STRICT
    schema: Literal["cfslurm.plan/1"] = "cfslurm.plan/1"
    workflow: Workflow
    workdir: str
    item_counts: Mapping[str, int]
    cluster: str
    harvested_at: str
    solver: str
    outcome: str
    makespan_s: float
    gpu_hours: float
    choices: tuple[Choice, ...]
    rejected: tuple[Rejected, ...]
    variants: Mapping[str, Variant]
    classes: tuple[NodeClass, ...]
    assumptions: tuple[str, ...]

    def choices_of(self, group: str) -> tuple[Choice, ...]:
        """The ways in which a group runs, most items first."""
        return tuple(choice for choice in self.choices if choice.group == group)

    def node_class(self, name: str) -> NodeClass:
        """A class of the plan by name."""
        return next(node_class for node_class in self.classes if node_class.name == name)
