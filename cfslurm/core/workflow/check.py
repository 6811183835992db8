"""Does a workflow mean something? All mistakes at once, each with its key path and the way out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from cfslurm.core.slurm.units import duration_s, size_mib
from cfslurm.core.workflow import items, placeholders
from cfslurm.core.workflow.model import (
    Array,
    Component,
    Gang,
    Model,
    Need,
    Resources,
    SessionSpec,
    Task,
    Weights,
    Work,
    Workflow,
)
from cfslurm.core.workflow.names import is_name, nearest
from cfslurm.errors import Problem, UserInputError

FAMILIES = (
    "none", "fp8", "int8", "awq", "gptq", "w4a16", "nvfp4", "mxfp4", "bitsandbytes", "gguf",
)  # fmt: skip
_REPO = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)
_REVISION = re.compile(r"[\w][\w./-]{0,199}", re.ASCII)
_SLURM_NAME = re.compile(r"[A-Za-z0-9_][\w.+-]{0,127}", re.ASCII)
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Characters that only a shell would read; in an argument list they stay letters.
_SHELL = re.compile(r"[|;&<>`]|\$\(")
MAX_COMPONENTS = 128
MAX_GROUPS = 10_000


def check(workflow: Workflow) -> tuple[Problem, ...]:
    """Everything wrong with a workflow that can be seen without the cluster, the Hub or a file."""
    return tuple(
        [
            *_check_head(workflow),
            *(p for name, model in workflow.models.items() for p in _check_model(name, model)),
            *(p for name in workflow.tasks for p in _check_task(name, workflow)),
            *(p for name in workflow.gangs for p in _check_gang(name, workflow)),
            *_check_cycles(workflow),
        ]
    )


def _check_head(workflow: Workflow) -> Iterator[Problem]:
    yield from _check_name("name", workflow.name, "workflow")
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
            yield from _check_slurm_name(key, value)
    for index, partition in enumerate(workflow.partitions):
        yield from _check_slurm_name(f"partitions.{index}", partition)


def _check_aims(workflow: Workflow) -> Iterator[Problem]:
    if workflow.deadline is not None:
        yield from _tried("deadline", duration_s, workflow.deadline)
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


def _check_model(name: str, model: Model) -> Iterator[Problem]:
    path = f"models.{name}"
    yield from _check_name(path, name, "model")
    if not _REPO.fullmatch(model.repo):
        yield Problem(
            path=f"{path}.repo",
            message=f"{model.repo[:60]!r} is not a repository on the Hub",
            remedy="Write org/name, as on the model's page.",
        )
    if not _REVISION.fullmatch(model.revision) or ".." in model.revision:
        yield Problem(
            path=f"{path}.revision",
            message=f"{model.revision[:60]!r} is not a branch, tag or commit",
            remedy="Write main, a tag, or the 40-digit commit.",
        )
    for index, family in enumerate(model.allow):
        if family not in FAMILIES:
            yield _unknown(f"{path}.allow.{index}", "quantization", family, FAMILIES)
    if model.variant is not None and not _is_variant(model.variant):
        yield _unknown(f"{path}.variant", "variant", model.variant, FAMILIES)
    for key, lowest, highest in (
        ("max_model_len", 1, 10_000_000),
        ("max_num_seqs", 1, 65_536),
        ("min_quality", 0, 100),
    ):
        value = getattr(model, key)
        if not lowest <= value <= highest:
            yield Problem(
                path=f"{path}.{key}",
                message=f"{key} is {value}, not between {lowest} and {highest}",
                remedy=f"Give a number from {lowest} to {highest}.",
            )
    size = model.tensor_parallel_size
    if size is not None and not 1 <= size <= 1024:
        yield Problem(
            path=f"{path}.tensor_parallel_size",
            message=f"tensor_parallel_size is {size}",
            remedy="Give the number of GPUs, or leave it out and let the plan choose.",
        )
    if not is_name(model.engine):
        yield Problem(
            path=f"{path}.engine",
            message=f"{model.engine[:40]!r} is not the name of an engine",
            remedy="Write vllm, sglang, llamacpp, transformers, or one that the site config adds.",
        )


def _is_variant(variant: str) -> bool:
    return variant.split(":")[0] in FAMILIES or _REPO.fullmatch(variant) is not None


def _check_task(name: str, workflow: Workflow) -> Iterator[Problem]:
    task, path = workflow.tasks[name], f"tasks.{name}"
    yield from _check_name(path, name, "task")
    yield from _tried(f"{path}.time", duration_s, task.time)
    yield from _check_retries(path, task.retries)
    if task.array is not None:
        yield from _check_array(f"{path}.array", task.array)
    yield from _check_work(f"{path}.work", task.work)
    allowed: tuple[str, ...] = (*placeholders.COMMON, *placeholders.IN_TASK)
    if task.array is not None:
        allowed = (*allowed, "item", *_item_placeholders(task.array))
    yield from _check_part(path, task, workflow, allowed=allowed)
    yield from _check_needs(path, name, task.needs, workflow)


def _check_work(path: str, work: Work | None) -> Iterator[Problem]:
    if work is None:
        return
    if work.time is not None:
        yield from _tried(f"{path}.time", duration_s, work.time)
    for key in ("tokens_in", "tokens_out"):
        tokens = getattr(work, key)
        if tokens is not None and not 0 <= tokens <= 10**9:
            yield Problem(
                path=f"{path}.{key}",
                message=f"{key} is {tokens}",
                remedy="Give a number of tokens, 0 or more.",
            )


def _item_placeholders(array: Array) -> tuple[str, ...]:
    """``item.KEY`` for the keys of the first item; a file's keys are known when it is read."""
    if array.values and isinstance(array.values[0], dict):
        return tuple(f"item.{key}" for key in array.values[0])
    return ("item.*",) if array.file is not None else ()


def _check_gang(name: str, workflow: Workflow) -> Iterator[Problem]:
    gang, path = workflow.gangs[name], f"gangs.{name}"
    yield from _check_name(path, name, "gang")
    yield from _tried(f"{path}.time", duration_s, gang.time)
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
        yield from _check_name(part, component_name, "component")
        yield from _check_part(part, component, workflow, allowed=(*allowed, *_peers(gang)))
    yield from _check_needs(path, name, gang.needs, workflow)


def _peers(gang: Gang) -> tuple[str, ...]:
    return tuple(f"{kind}.{name}" for name in gang.components for kind in ("host", "port"))


def _check_part(
    path: str, part: Task | Component, workflow: Workflow, *, allowed: tuple[str, ...]
) -> Iterator[Problem]:
    yield from _check_command(path, part.command)
    if part.model is not None:
        allowed = (*allowed, *placeholders.WITH_MODEL)
        if part.model not in workflow.models:
            yield _unknown(f"{path}.model", "model", part.model, workflow.models)
        if part.resources.gpus:
            yield Problem(
                path=f"{path}.resources.gpus",
                message="the plan chooses the GPUs of work with a model",
                remedy=f"Leave gpus out, or set models.{part.model}.tensor_parallel_size.",
            )
    if part.session is not None:
        allowed = (*allowed, *placeholders.WITH_SESSION)
        yield from _check_session(f"{path}.session", part.session)
    yield from _check_placeholders(path, part.command, allowed)
    yield from _check_resources(f"{path}.resources", part.resources)
    for key, value in part.env.items():
        if not _ENV_NAME.fullmatch(key) or "\0" in value:
            yield Problem(
                path=f"{path}.env.{key}",
                message=f"{key[:40]!r} cannot be an environment variable",
                remedy="Use letters, digits and _, and no NUL in the value.",
            )
        elif key.startswith(("CFSLURM_", "SLURM_")):
            yield Problem(
                path=f"{path}.env.{key}",
                message=f"{key} belongs to {key.split('_')[0].lower()}",
                remedy="Take another name.",
            )


def _check_command(path: str, command: tuple[str, ...]) -> Iterator[Problem]:
    if not command or not command[0].strip():
        yield Problem(
            path=f"{path}.command",
            message="the command is empty",
            remedy="Write a list: [python, work.py, --item, '{item}'].",
        )
    if any("\0" in word for word in command):
        yield Problem(
            path=f"{path}.command",
            message="a word of the command holds a NUL character",
            remedy="Take it out; no program can be given one.",
        )
    if len(command) == 1 and _SHELL.search(command[0]):
        yield Problem(
            path=f"{path}.command",
            message="no shell reads the command, so | ; & < > ` and $( ) would be plain letters",
            remedy="Write [bash, -c, '…'] if a shell should read it.",
        )


def _check_placeholders(
    path: str, command: tuple[str, ...], allowed: tuple[str, ...]
) -> Iterator[Problem]:
    for word in placeholders.used(command):
        if word in allowed or (word.startswith("item.") and "item.*" in allowed):
            continue
        near = nearest(word, allowed)
        hint = f"Did you mean {{{near}}}? " if near else ""
        yield Problem(
            path=f"{path}.command",
            message=f"the placeholder {{{word}}} is not known here",
            remedy=f"{hint}Write {{{{{word}}}}} for the letters {{{word}}} themselves.",
        )


def _check_session(path: str, session: SessionSpec) -> Iterator[Problem]:
    yield from _tried(f"{path}.checkpoint", duration_s, session.checkpoint)
    if not 1 <= session.keep <= 1000:
        yield Problem(
            path=f"{path}.keep",
            message=f"keep is {session.keep}",
            remedy="Give the number of generations to keep, from 1 to 1000.",
        )


def _check_resources(path: str, resources: Resources) -> Iterator[Problem]:
    yield from _tried(f"{path}.mem", size_mib, resources.mem)
    for key, lowest in (("cpus", 1), ("gpus", 0)):
        value = getattr(resources, key)
        if not lowest <= value <= 4096:
            yield Problem(
                path=f"{path}.{key}",
                message=f"{key} is {value}",
                remedy=f"Give a number from {lowest} to 4096.",
            )
    for key in ("gpu_types", "partitions"):
        for index, word in enumerate(getattr(resources, key)):
            yield from _check_slurm_name(f"{path}.{key}.{index}", word)


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
        yield from _tried(f"{path}.range", items.range_items, array.range)
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


def _check_retries(path: str, retries: int) -> Iterator[Problem]:
    if not 0 <= retries <= 100:
        yield Problem(
            path=f"{path}.retries",
            message=f"retries is {retries}",
            remedy="Give a number from 0 to 100.",
        )


def _check_needs(
    path: str, name: str, needs: Mapping[str, Need], workflow: Workflow
) -> Iterator[Problem]:
    known = {**workflow.tasks, **workflow.gangs}
    for other, need in needs.items():
        if other == name:
            yield Problem(
                path=f"{path}.needs.{other}",
                message=f"{name!r} needs itself",
                remedy="Take it out of needs.",
            )
        elif other not in known:
            yield _unknown(f"{path}.needs.{other}", "task or gang", other, known)
        elif need is Need.AFTERCORR:
            yield from _check_aftercorr(path, name, other, workflow)


def _check_aftercorr(path: str, name: str, other: str, workflow: Workflow) -> Iterator[Problem]:
    mine, theirs = workflow.tasks.get(name), workflow.tasks.get(other)
    if mine is None or theirs is None or mine.array is None or theirs.array is None:
        yield Problem(
            path=f"{path}.needs.{other}",
            message="aftercorr joins the items of two arrays, and one of these has none",
            remedy="Write afterok, or give both tasks an array.",
        )
        return
    try:
        counts = [items.inline_items(array) for array in (mine.array, theirs.array)]
    except UserInputError:
        return  # said at the array itself
    if counts[0] is not None and counts[1] is not None and len(counts[0]) != len(counts[1]):
        yield Problem(
            path=f"{path}.needs.{other}",
            message=f"aftercorr joins {len(counts[0])} items to {len(counts[1])}",
            remedy="Give both arrays the same number of items, or write afterok.",
        )


def _check_cycles(workflow: Workflow) -> Iterator[Problem]:
    """One problem for each circle of needs, told once, from its first member on."""
    needs = workflow.needs
    done: set[str] = set()
    for start in needs:
        circle = _circle(start, needs, done)
        if circle:
            kind = "tasks" if circle[0] in workflow.tasks else "gangs"
            yield Problem(
                path=f"{kind}.{circle[0]}.needs",
                message=f"the needs go in a circle: {' → '.join([*circle, circle[0]])}",
                remedy="Take one of these needs out.",
            )


def _circle(
    start: str, needs: Mapping[str, Mapping[str, Need]], done: set[str]
) -> tuple[str, ...] | None:
    """Depth first without recursion, so that a chain of 10,000 tasks is no problem."""
    path: dict[str, None] = {}  # the names on the way here, in order
    stack: list[tuple[str, bool]] = [(start, False)]
    while stack:
        name, leaving = stack.pop()
        if leaving:
            del path[name]
            done.add(name)
            continue
        if name in done or name not in needs:
            continue
        if name in path:
            way = list(path)
            done.update(way)
            circle = way[way.index(name) :]
            return tuple(circle) if len(circle) > 1 else None
        path[name] = None
        stack.append((name, True))
        stack.extend((other, False) for other in needs[name])
    return None


def _check_name(path: str, name: str, what: str) -> Iterator[Problem]:
    if not is_name(name):
        yield Problem(
            path=path,
            message=f"{name[:60]!r} cannot be the name of a {what}",
            remedy="Use 1 to 63 letters, digits and . _ -, beginning with a letter or digit.",
        )


def _check_slurm_name(path: str, name: str) -> Iterator[Problem]:
    if not _SLURM_NAME.fullmatch(name):
        yield Problem(
            path=path,
            message=f"{name[:60]!r} cannot be a name in Slurm",
            remedy="Use letters, digits and . _ + -; `cfslurm info` shows the names here.",
        )


def _tried(path: str, parse: Callable[[str], object], text: str) -> Iterator[Problem]:
    try:
        parse(text)
    except UserInputError as error:
        yield Problem(path=path, message=error.message, remedy=error.remedy)


def _unknown(path: str, what: str, word: str, legal: Iterable[str]) -> Problem:
    near = nearest(word, legal)
    known = ", ".join(sorted(legal)[:8]) or "none"
    return Problem(
        path=path,
        message=f"there is no {what} {word[:60]!r}",
        remedy=f"Did you mean {near!r}?" if near else f"Known here: {known}.",
    )
