"""Plan → submission and manifest: which jobs Slurm gets, and what their nodes must know."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from cfslurm.core.hardware.classes import NodeClass
from cfslurm.core.hardware.graph import HardwareGraph
from cfslurm.core.planner.formulate import cpu_capacity, gpu_capacity
from cfslurm.core.planner.plan import Choice, Plan
from cfslurm.core.render.asks import has_one_gpu_type, select
from cfslurm.core.render.packing import pack_size
from cfslurm.core.render.prefetch import prefetch_ask
from cfslurm.core.render.programs import (
    ProgramPlaces,
    component_program,
    task_program,
    variants_by_class,
)
from cfslurm.core.render.submission import (
    ArrayJob,
    Ask,
    Dependency,
    HetJob,
    Job,
    PrefetchJob,
    Submission,
)
from cfslurm.core.run.manifest import (
    ArrayEntry,
    ArrayPart,
    ComponentEntry,
    GangEntry,
    Manifest,
)
from cfslurm.core.run.names import ITEMS
from cfslurm.core.slurm.hostlist import fold
from cfslurm.core.workflow.groups import groups_of
from cfslurm.core.workflow.model import Gang, Need, Priority, Task
from cfslurm.errors import UserInputError

PREFETCH_KEY = "prefetch"
# A job that is preempted, times out or loses its node this often is given up.
MAX_REQUEUES = 100
_NICE = {Priority.HIGH: 0, Priority.NORMAL: 50, Priority.LOW: 1000}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """What a run needs to know besides plan and cluster.

    ``prefetch_partition`` is where the prefetch job goes: a partition, "" to choose one, None for
    no job because the models are brought in on the login node or are all there.
    """

    run_id: str
    run_dir: str
    workdir: str
    export: tuple[str, ...]
    places: ProgramPlaces
    prefetch_partition: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """Jobs without scripts yet, and the manifest for their nodes."""

    submission: Submission
    manifest: Manifest


def compile_plan(plan: Plan, graph: HardwareGraph, settings: RunSettings) -> Compiled:
    """Turn a plan into jobs, in an order in which every job comes after those it depends on.

    Raises:
        UserInputError: the plan names nodes or partitions that the cluster no longer has.
    """
    _refuse_stale(plan, graph)
    builder = _Builder(plan, graph, settings)
    jobs: list[Job] = [*builder.prefetch()]
    arrays: dict[str, ArrayEntry] = {}
    gangs: dict[str, GangEntry] = {}
    for name in _in_order(plan):
        if name in plan.workflow.tasks:
            task_jobs, arrays[name] = builder.task(name, plan.workflow.tasks[name], jobs)
            jobs += task_jobs
        else:
            gang_jobs, gangs[name] = builder.gang(name, plan.workflow.gangs[name], jobs)
            jobs += gang_jobs
    return Compiled(
        submission=Submission(
            run_id=settings.run_id,
            directory=settings.run_dir,
            export=settings.export,
            jobs=tuple(jobs),
        ),
        manifest=Manifest(
            run_id=settings.run_id,
            run_dir=settings.run_dir,
            workflow=plan.workflow.name,
            classes={c.name: fold(c.node_names) for c in plan.classes},
            addresses={n.name: n.address for n in graph.nodes if n.address != n.name},
            max_requeues=MAX_REQUEUES,
            arrays=arrays,
            gangs=gangs,
        ),
    )


def _refuse_stale(plan: Plan, graph: HardwareGraph) -> None:
    nodes = {node.name for node in graph.nodes}
    used = {choice.node_class for choice in plan.choices}
    gone = sorted(
        name for c in plan.classes if c.name in used for name in c.node_names if name not in nodes
    )
    partitions = {partition.name for partition in graph.partitions}
    gone += sorted({p for choice in plan.choices for p in choice.partitions} - partitions)
    if gone:
        raise UserInputError(
            f"the plan is out of date: the cluster has no {', '.join(gone[:5])} (any more)",
            remedy="Run `cfslurm plan` again.",
        )


def _in_order(plan: Plan) -> list[str]:
    """Tasks and gangs, needed ones first."""
    groups = groups_of(plan.workflow, item_counts=plan.item_counts)
    levels = {group.entry: group.level for group in groups}
    return sorted(levels, key=lambda name: (levels[name], name))


class _Builder:
    def __init__(self, plan: Plan, graph: HardwareGraph, settings: RunSettings) -> None:
        self._plan = plan
        self._graph = graph
        self._settings = settings
        self._classes = {node_class.name: node_class for node_class in plan.classes}

    def prefetch(self) -> list[PrefetchJob]:
        missing = tuple(sorted(set(self._plan.variants) - self._settings.places.cached))
        if not missing or self._settings.prefetch_partition is None:
            return []
        ask = prefetch_ask(
            self._graph,
            partition=self._settings.prefetch_partition,
            total_bytes=sum(self._plan.variants[name].total_bytes for name in missing),
        )
        return [
            PrefetchJob(
                key=PREFETCH_KEY,
                name=self._job_name(PREFETCH_KEY),
                ask=ask,
                variants=missing,
                script="",
            )
        ]

    def task(
        self, name: str, task: Task, earlier: Sequence[Job]
    ) -> tuple[list[ArrayJob], ArrayEntry]:
        choices = self._plan.choices_of(name)
        jobs: list[ArrayJob] = []
        parts: dict[str, ArrayPart] = {}
        first = 0
        for shape in _shapes(choices, self._classes, self._graph):
            count = sum(choice.items for choice in shape)
            for part in self._parts(shape, first, count):
                key = name if not parts else f"{name}.{len(parts) + 1}"
                jobs.append(self._array_job(key, name, shape, part))
                parts[key] = part
            first += count
        depends = self._depends(name, task.needs, choices, earlier, parts)
        nice = self._nice(task.priority)
        return (
            [replace(job, depends=depends, nice=nice) for job in jobs],
            ArrayEntry(
                program=task_program(task, self._plan),
                items=f"{ITEMS}/{name}.jsonl" if task.array is not None else "",
                parts=parts,
                retries=task.retries,
                time_limit_s=choices[0].time_limit_s,
            ),
        )

    def _parts(self, shape: Sequence[Choice], first: int, count: int) -> list[ArrayPart]:
        """The items of one shape, split where MaxArraySize or the time limit asks for it."""
        limit = min(self._max_time_s(choice) for choice in shape)
        per_item = max(choice.time_limit_s for choice in shape)
        pack = pack_size(
            count=count,
            item_s=max(choice.item_s for choice in shape),
            places=sum(self._places(choice) for choice in shape),
            max_tasks=self._graph.controller.max_array_size,
            max_items_by_time=max(1, int(limit // per_item)),
        )
        most = pack * self._graph.controller.max_array_size
        variants = variants_by_class(shape, self._plan, self._settings.places)
        return [
            ArrayPart(
                first=start,
                count=min(most, first + count - start),
                pack=pack,
                variants=variants,
            )
            for start in range(first, first + count, most)
        ]

    def _max_time_s(self, choice: Choice) -> float:
        limits = [self._graph.partition(name).max_time_s for name in choice.partitions]
        return min((limit for limit in limits if limit is not None), default=366 * 86400)

    def _places(self, choice: Choice) -> int:
        node_class = self._classes[choice.node_class]
        if choice.gpus:
            return max(1, int(gpu_capacity(node_class, choice.gpus) // choice.gpus))
        return max(1, int(cpu_capacity(node_class) // choice.cpus))

    def _array_job(self, key: str, name: str, shape: Sequence[Choice], part: ArrayPart) -> ArrayJob:
        longest = min(part.pack, part.count) * max(choice.time_limit_s for choice in shape)
        return ArrayJob(
            key=key,
            entry=name,
            name=self._job_name(key),
            classes=tuple(sorted({choice.node_class for choice in shape})),
            ask=self._ask(shape, time_limit_s=longest),
            tasks=part.tasks,
            depends=(),
            nice=0,
            script="",
        )

    def gang(self, name: str, gang: Gang, earlier: Sequence[Job]) -> tuple[list[HetJob], GangEntry]:
        chosen = {part: self._plan.choices_of(f"{name}/{part}")[0] for part in gang.components}
        asks = {
            part: self._ask([choice], time_limit_s=choice.time_limit_s)
            for part, choice in chosen.items()
        }
        # sbatch lets --exclude of one component hold for all behind it (slurm_opt.c: no
        # reset_each_pass), so those that exclude nodes come last, each with a list of its own.
        order = sorted(chosen, key=lambda part: bool(asks[part].exclude))
        depends = self._depends(name, gang.needs, tuple(chosen.values()), earlier, {})
        jobs = []
        for replica in range(gang.replicas):
            key = name if gang.replicas == 1 else f"{name}.{replica}"
            jobs.append(
                HetJob(
                    key=key,
                    entry=name,
                    name=self._job_name(key),
                    components=tuple(order),
                    classes=tuple(chosen[part].node_class for part in order),
                    asks=tuple(asks[part] for part in order),
                    depends=depends,
                    nice=self._nice(gang.priority),
                    script="",
                )
            )
        entry = GangEntry(
            components=tuple(
                ComponentEntry(
                    name=part,
                    het_offset=offset,
                    cpus=chosen[part].cpus,
                    is_service=gang.components[part].service,
                    program=component_program(
                        gang.components[part], chosen[part], self._plan, self._settings.places
                    ),
                )
                for offset, part in enumerate(order)
            ),
            jobs={job.key: replica for replica, job in enumerate(jobs)},
            retries=gang.retries,
            time_limit_s=min(choice.time_limit_s for choice in chosen.values()),
        )
        return jobs, entry

    def _ask(self, shape: Sequence[Choice], *, time_limit_s: int) -> Ask:
        partitions = tuple(dict.fromkeys(p for choice in shape for p in choice.partitions))
        selector = select(
            [self._classes[choice.node_class] for choice in shape],
            partitions=partitions,
            gpus=shape[0].gpus,
            graph=self._graph,
        )
        return Ask(
            partitions=partitions,
            gres=selector.gres,
            constraint=selector.constraint,
            exclude=selector.exclude,
            cpus=shape[0].cpus,
            mem_mib=shape[0].mem_mib,
            time_limit_s=time_limit_s,
        )

    def _depends(
        self,
        name: str,
        needs: Mapping[str, Need],
        choices: Sequence[Choice],
        earlier: Sequence[Job],
        parts: Mapping[str, ArrayPart],
    ) -> tuple[Dependency, ...]:
        found = []
        for other, need in sorted(needs.items()):
            theirs = [
                job for job in earlier if not isinstance(job, PrefetchJob) and job.entry == other
            ]
            if need is Need.AFTERCORR and not _pairs_up(list(parts.values()), theirs):
                need = Need.AFTEROK  # the tasks do not stand side by side; waiting for all is right
            found += [Dependency(need=need, key=job.key) for job in theirs]
        waits = {choice.variant for choice in choices} - {""} - self._settings.places.cached
        if waits and any(isinstance(job, PrefetchJob) for job in earlier):
            found.append(Dependency(need=Need.AFTEROK, key=PREFETCH_KEY))
        return tuple(found)

    def _nice(self, own: Priority | None) -> int:
        return _NICE[own or self._plan.workflow.priority]

    def _job_name(self, key: str) -> str:
        return f"{self._settings.run_id}.{key}"


def _pairs_up(mine: Sequence[ArrayPart], theirs: Sequence[Job]) -> bool:
    """True if task k of one array and task k of the other hold the same items."""
    if len(mine) != 1 or len(theirs) != 1 or not isinstance(theirs[0], ArrayJob):
        return False
    return theirs[0].tasks == mine[0].tasks == mine[0].count


def _shapes(
    choices: Sequence[Choice], classes: Mapping[str, NodeClass], graph: HardwareGraph
) -> list[list[Choice]]:
    """Choices that ask Slurm for the same thing share an array: Slurm binds its tasks late.

    Nodes with GPUs of several types need a typed GRES and stay apart, and so does a second variant
    on a class that has one already: a task knows its variant by its node.
    """
    groups: dict[tuple[object, ...], list[Choice]] = {}
    seen: Counter[str] = Counter()
    for choice in choices:
        alone = choice.gpus and not has_one_gpu_type(classes[choice.node_class], graph)
        shape = (
            choice.gpus,
            choice.cpus,
            choice.mem_mib,
            choice.time_limit_s,
            choice.node_class if alone or seen[choice.node_class] else "",
            seen[choice.node_class],
        )
        seen[choice.node_class] += 1
        groups.setdefault(shape, []).append(choice)
    return list(groups.values())
