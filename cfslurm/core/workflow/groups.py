"""The groups that a plan places: a task with all its items, or one component of a gang."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter

from cfslurm.core.slurm.units import duration_s, size_mib
from cfslurm.core.workflow.model import (
    Component,
    Gang,
    Model,
    Resources,
    Task,
    Work,
    Workflow,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Something to place.

    ``key`` is ``task`` or ``gang/component``; ``entry`` is the name of the task or gang. ``count``
    is the number of items of a task, or of replicas of a gang. ``level`` is its stage in the order
    of needs, 0 for what needs nothing.

    Units: ``time_s`` is the most that one item (or the gang) may take.
    """

    key: str
    entry: str
    component: str
    count: int
    level: int
    model_name: str
    model: Model | None
    work: Work | None
    resources: Resources
    mem_mib: int
    time_s: int
    preemptible: bool
    can_resume: bool
    partitions: tuple[str, ...]

    @property
    def is_gang(self) -> bool:
        """True for a component of a gang."""
        return bool(self.component)


def groups_of(workflow: Workflow, *, item_counts: Mapping[str, int]) -> tuple[Group, ...]:
    """All groups of a checked workflow, sorted by key.

    ``item_counts`` gives the number of items of every task.
    """
    levels = _levels(workflow)
    groups = [
        _task_group(name, task, workflow, item_counts[name], levels[name])
        for name, task in workflow.tasks.items()
    ]
    for name, gang in workflow.gangs.items():
        groups += [
            _component_group(name, gang, part, component, workflow, levels[name])
            for part, component in gang.components.items()
        ]
    return tuple(sorted(groups, key=lambda group: group.key))


def _task_group(name: str, task: Task, workflow: Workflow, count: int, level: int) -> Group:
    return Group(
        key=name,
        entry=name,
        component="",
        count=count,
        level=level,
        model_name=task.model or "",
        model=workflow.models[task.model] if task.model else None,
        work=task.work,
        resources=task.resources,
        mem_mib=size_mib(task.resources.mem),
        time_s=duration_s(task.time),
        preemptible=task.preemptible,
        can_resume=task.session is not None,
        partitions=task.resources.partitions or workflow.partitions,
    )


def _component_group(
    name: str, gang: Gang, part: str, component: Component, workflow: Workflow, level: int
) -> Group:
    return Group(
        key=f"{name}/{part}",
        entry=name,
        component=part,
        count=gang.replicas,
        level=level,
        model_name=component.model or "",
        model=workflow.models[component.model] if component.model else None,
        work=gang.work or Work(time=gang.time),
        resources=component.resources,
        mem_mib=size_mib(component.resources.mem),
        time_s=duration_s(gang.time),
        preemptible=gang.preemptible,
        can_resume=all(part.session is not None for part in gang.components.values()),
        partitions=component.resources.partitions or workflow.partitions,
    )


def _levels(workflow: Workflow) -> dict[str, int]:
    """The stage of each task and gang: one more than the latest of what it needs."""
    needs = workflow.needs
    levels: dict[str, int] = {}
    for name in TopologicalSorter(needs).static_order():
        levels[name] = max((levels[other] + 1 for other in needs[name]), default=0)
    return levels
