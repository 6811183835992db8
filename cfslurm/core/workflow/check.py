"""Does a workflow mean something? All mistakes at once, each with its key path and the way out."""

from __future__ import annotations

from collections.abc import Iterator

from cfslurm.core.slurm.units import duration_s
from cfslurm.core.workflow import items, placeholders
from cfslurm.core.workflow.check_models import check_model
from cfslurm.core.workflow.check_needs import check_cycles, check_needs
from cfslurm.core.workflow.check_parts import check_part
from cfslurm.core.workflow.mistakes import check_name, check_slurm_name, tried
from cfslurm.core.workflow.model import Array, Gang, Weights, Work, Workflow
from cfslurm.errors import Problem

MAX_COMPONENTS = 128
MAX_GROUPS = 10_000


def check(workflow: Workflow) -> tuple[Problem, ...]:
    """Everything wrong with a workflow that can be seen without the cluster, the Hub or a file."""
    return tuple(
        [
            *_check_head(workflow),
            *(p for name, model in workflow.models.items() for p in check_model(name, model)),
            *(p for name in workflow.tasks for p in _check_task(name, workflow)),
            *(p for name in workflow.gangs for p in _check_gang(name, workflow)),
            *check_cycles(workflow),
        ]
    )


def _check_head(workflow: Workflow) -> Iterator[Problem]:
    yield from check_name("name", workflow.name, "workflow")
    if not workflow.tasks and not workflow.gangs:
        yield Problem(
            path="tasks",
            message="the workflow has no task and no gang",
            remedy="Add something to run under tasks: or gangs:.",
        )
    if len(workflow.tasks) + len(workflow.gangs) > MAX_GROUPS:
        yield Problem(
            path="tasks",
            message=f"more than {MAX_GROUPS} tasks and gangs",
            remedy="Make equal tasks one task with an array.",
        )
    for name in sorted(set(workflow.tasks) & set(workflow.gangs)):
        yield Problem(
            path=f"gangs.{name}",
            message=f"{name!r} is the name of a task and of a gang",
            remedy="Give one of them another name: needs and logs name both alike.",
        )
    yield from _check_aims(workflow)
    for key in ("account", "qos"):
        value = getattr(workflow, key)
        if value is not None:
            yield from check_slurm_name(key, value)
    for index, partition in enumerate(workflow.partitions):
        yield from check_slurm_name(f"partitions.{index}", partition)


def _check_aims(workflow: Workflow) -> Iterator[Problem]:
    if workflow.deadline is not None:
        yield from tried("deadline", duration_s, workflow.deadline)
    if workflow.budget and workflow.budget.gpu_hours is not None and workflow.budget.gpu_hours <= 0:
        yield Problem(
            path="budget.gpu_hours",
            message="the budget is not positive",
            remedy="Give the GPU hours that the run may cost, or leave budget out.",
        )
    if isinstance(workflow.objective, Weights):
        weights = (workflow.objective.time, workflow.objective.cost, workflow.objective.quality)
        if min(weights) < 0 or max(weights) <= 0:
            yield Problem(
                path="objective",
                message="the weights of the objective must be zero or more, and not all zero",
                remedy="Write for example objective: {time: 1, cost: 0.5}.",
            )


def _check_task(name: str, workflow: Workflow) -> Iterator[Problem]:
    task, path = workflow.tasks[name], f"tasks.{name}"
    yield from check_name(path, name, "task")
    yield from tried(f"{path}.time", duration_s, task.time)
    yield from _check_retries(path, task.retries)
    if task.array is not None:
        yield from _check_array(f"{path}.array", task.array)
    yield from _check_work(f"{path}.work", task.work)
    allowed: tuple[str, ...] = (*placeholders.COMMON, *placeholders.IN_TASK)
    if task.array is not None:
        allowed = (*allowed, "item", *_item_placeholders(task.array))
    yield from check_part(path, task, workflow, allowed=allowed)
    if task.session is not None and task.session.coordinated:
        yield Problem(
            path=f"{path}.session.coordinated",
            message="a task has nobody to go back together with",
            remedy="Leave it out; it is for the components of a gang.",
        )
    yield from check_needs(path, name, task.needs, workflow)


def _check_gang(name: str, workflow: Workflow) -> Iterator[Problem]:
    gang, path = workflow.gangs[name], f"gangs.{name}"
    yield from check_name(path, name, "gang")
    yield from tried(f"{path}.time", duration_s, gang.time)
    yield from _check_work(f"{path}.work", gang.work)
    yield from _check_retries(path, gang.retries)
    if not gang.components:
        yield Problem(
            path=f"{path}.components",
            message="the gang has no component",
            remedy="Add at least one under components:.",
        )
    elif all(component.service for component in gang.components.values()):
        yield Problem(
            path=f"{path}.components",
            message="every component is a service, so the gang would never end",
            remedy="Leave service out for the component whose end is the end of the work.",
        )
    if len(gang.components) > MAX_COMPONENTS:
        yield Problem(
            path=f"{path}.components",
            message=f"the gang has more than {MAX_COMPONENTS} components",
            remedy="Slurm takes at most 128 components in a het job; start equal ones as replicas.",
        )
    if not 1 <= gang.replicas <= 1000:
        yield Problem(
            path=f"{path}.replicas",
            message=f"replicas is {gang.replicas}",
            remedy="Give a number from 1 to 1000.",
        )
    allowed = (*placeholders.COMMON, *placeholders.IN_GANG)
    for component_name, component in gang.components.items():
        part = f"{path}.components.{component_name}"
        yield from check_name(part, component_name, "component")
        yield from check_part(part, component, workflow, allowed=(*allowed, *_peers(gang)))
    yield from check_needs(path, name, gang.needs, workflow)


def _peers(gang: Gang) -> tuple[str, ...]:
    return tuple(f"{kind}.{name}" for name in gang.components for kind in ("host", "port"))


def _check_array(path: str, array: Array) -> Iterator[Problem]:
    given = [key for key in ("range", "values", "file") if getattr(array, key) is not None]
    if len(given) != 1:
        yield Problem(
            path=path,
            message=f"an array takes exactly one of range, values and file, not {len(given)}",
            remedy="Write for example array: {range: 0-59}.",
        )
        return
    if array.range is not None:
        yield from tried(f"{path}.range", items.range_items, array.range)
    if array.values is not None and not array.values:
        yield Problem(
            path=f"{path}.values",
            message="the array is empty",
            remedy="Give at least one value, or leave array out to run the task once.",
        )
    if array.file is not None and (not array.file.strip() or "\0" in array.file):
        yield Problem(
            path=f"{path}.file",
            message="the name of the array's file is empty",
            remedy="Give the name of a file with one item a line.",
        )


def _item_placeholders(array: Array) -> tuple[str, ...]:
    """``item.KEY`` for the keys of the first item; a file's keys are known when it is read."""
    if array.values and isinstance(array.values[0], dict):
        return tuple(f"item.{key}" for key in array.values[0])
    return ("item.*",) if array.file is not None else ()


def _check_work(path: str, work: Work | None) -> Iterator[Problem]:
    if work is None:
        return
    if work.time is not None:
        yield from tried(f"{path}.time", duration_s, work.time)
    for key in ("tokens_in", "tokens_out"):
        tokens = getattr(work, key)
        if tokens is not None and not 0 <= tokens <= 10**9:
            yield Problem(
                path=f"{path}.{key}",
                message=f"{key} is {tokens}",
                remedy="Give a number of tokens, 0 or more.",
            )
    if not 1 <= work.requests <= 10**9:
        yield Problem(
            path=f"{path}.requests",
            message=f"requests is {work.requests}",
            remedy="Give how many requests an item sends to its model, 1 or more.",
        )


def _check_retries(path: str, retries: int) -> Iterator[Problem]:
    if not 0 <= retries <= 100:
        yield Problem(
            path=f"{path}.retries",
            message=f"retries is {retries}",
            remedy="Give a number from 0 to 100.",
        )
