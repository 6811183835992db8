"""All ways in which a group could run, and for every way that is none: why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from cfslurm.core.hardware.classes import NodeClass
from cfslurm.core.hardware.graph import HardwareGraph
from cfslurm.core.models.engines import Engine
from cfslurm.core.models.fit import Fit, Verdict, fit, serving_of
from cfslurm.core.models.rates import Deployment
from cfslurm.core.models.speed import Item, Knowledge, Speed, predict, predict_plain
from cfslurm.core.models.variants import CatalogEntry, Variant
from cfslurm.core.planner.partitions import PartitionChoice, choose_partitions
from cfslurm.core.planner.plan import Rejected
from cfslurm.core.workflow.groups import Group


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One way for one group."""

    group: Group
    variant: Variant | None
    node_class: NodeClass
    gpus: int
    partitions: tuple[str, ...]
    time_limit_s: int
    speed: Speed
    quality: float
    fit: Fit | None

    @property
    def name(self) -> str:
        """The name of its variable in the programme."""
        variant = self.variant.id if self.variant else "-"
        return f"x:{self.group.key}:{variant}:{self.node_class.name}:g{self.gpus}"

    @property
    def item_s(self) -> float:
        """Seconds that one item is likely to take, start of its engine included."""
        return self.speed.item_s.likely

    @property
    def gpu_hours_per_item(self) -> float:
        """What one item holds."""
        return self.gpus * self.item_s / 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What options are made from."""

    graph: HardwareGraph
    classes: tuple[NodeClass, ...]
    catalog: Mapping[str, CatalogEntry]
    engines: Mapping[str, Engine]
    account: str | None
    workflow: str
    knowledge: Knowledge


def options_of(group: Group, world: World) -> tuple[tuple[Option, ...], tuple[Rejected, ...]]:
    """Enumerate a group's ways; sorted by name. Every class and variant has an option or a reason."""
    options: list[Option] = []
    rejected: list[Rejected] = []
    for candidate in _candidates(group, world):
        if isinstance(candidate, Option):
            options.append(candidate)
        else:
            rejected.append(candidate)
    kept, dominated = _without_dominated(options)
    return (
        tuple(sorted(kept, key=lambda option: option.name)),
        tuple(sorted([*rejected, *dominated], key=_rejected_key)),
    )


def _rejected_key(rejected: Rejected) -> tuple[str, str, str, int]:
    return rejected.group, rejected.node_class, rejected.variant, rejected.gpus


def _candidates(group: Group, world: World) -> Iterator[Option | Rejected]:
    if group.model is None:
        for node_class in world.classes:
            yield from _plain_candidates(group, node_class, world)
        return
    entry = world.catalog[group.model_name]
    for found in entry.rejected:
        yield Rejected(
            group=group.key,
            variant=f"{found.repo_id}@{found.quantization or '?'}",
            node_class="",
            gpus=0,
            reason=found.reason,
        )
    for variant in entry.variants:
        if variant.quality < group.model.min_quality:
            yield Rejected(
                group=group.key,
                variant=variant.id,
                node_class="",
                gpus=0,
                reason=f"quality {variant.quality:g} is below min_quality {group.model.min_quality:g}",
            )
            continue
        for node_class in world.classes:
            if node_class.gpu_count:
                yield from _model_candidates(group, variant, node_class, world)


def _plain_candidates(
    group: Group, node_class: NodeClass, world: World
) -> Iterator[Option | Rejected]:
    gpus = group.resources.gpus
    reason = _class_refusal(group, node_class, gpus)
    partitions = choose_partitions(group, node_class, world.graph, account=world.account)
    if not gpus and node_class.gpu_count and _has_cpu_class(group, world):
        reason = reason or "work without GPUs stays off GPU nodes while CPU nodes will do"
    if reason or partitions.reason:
        yield _rejection(group, None, node_class, gpus, reason or partitions.reason)
        return
    gpu = node_class.facts.key if gpus and node_class.facts else ""
    yield Option(
        group=group,
        variant=None,
        node_class=node_class,
        gpus=gpus,
        partitions=partitions.names,
        time_limit_s=_time_limit(group, partitions),
        speed=predict_plain(_item(group, world), world.knowledge, gpu=gpu),
        quality=100.0,
        fit=None,
    )


def _item(group: Group, world: World) -> Item:
    return Item(
        name=f"{world.workflow}/{group.key}",
        work=group.work,
        sequences=group.model.max_num_seqs if group.model else 1,
    )


def _has_cpu_class(group: Group, world: World) -> bool:
    return any(
        not node_class.gpu_count
        and not _class_refusal(group, node_class, 0)
        and choose_partitions(group, node_class, world.graph, account=world.account).names
        for node_class in world.classes
    )


def _model_candidates(
    group: Group, variant: Variant, node_class: NodeClass, world: World
) -> Iterator[Option | Rejected]:
    """The smallest number of GPUs that holds the variant, and larger ones: they may be faster."""
    assert group.model is not None
    assert node_class.facts is not None
    engine = world.engines.get(group.model.engine)
    if engine is None:
        known = ", ".join(sorted(world.engines))
        yield _rejection(
            group,
            variant,
            node_class,
            0,
            f"there is no engine {group.model.engine!r} (known: {known})",
        )
        return
    partitions = choose_partitions(group, node_class, world.graph, account=world.account)
    for size in _sizes(group, node_class):
        reason = _class_refusal(group, node_class, size) or partitions.reason
        found = fit(
            variant,
            serving_of(group.model, tensor_parallel_size=size),
            node_class.facts,
            engine,
            engine_name=group.model.engine,
        )
        if not reason and found.verdict is Verdict.NO:
            reason = found.reason
        if reason:
            yield _rejection(group, variant, node_class, size, reason)
            continue
        yield Option(
            group=group,
            variant=variant,
            node_class=node_class,
            gpus=size,
            partitions=partitions.names,
            time_limit_s=_time_limit(group, partitions),
            speed=predict(
                Deployment(
                    variant=variant,
                    gpu=node_class.facts,
                    engine=group.model.engine,
                    engine_version=engine.version,
                    tensor_parallel_size=size,
                    split=engine.tensor_parallel,
                ),
                engine,
                _item(group, world),
                world.knowledge,
            ),
            quality=variant.quality,
            fit=found,
        )


def _sizes(group: Group, node_class: NodeClass) -> tuple[int, ...]:
    assert group.model is not None
    if group.model.tensor_parallel_size is not None:
        return (group.model.tensor_parallel_size,)
    sizes = [1]
    while sizes[-1] * 2 <= node_class.gpu_count:
        sizes.append(sizes[-1] * 2)
    return tuple(sizes)


def _class_refusal(group: Group, node_class: NodeClass, gpus: int) -> str:
    """Why no node of a class can ever hold one process of the group."""
    wanted = group.resources.gpu_types
    if wanted and not {node_class.gpu_type, node_class.facts.key if node_class.facts else ""} & set(
        wanted
    ):
        return f"the workflow asks for GPU type {' or '.join(wanted)}"
    if gpus > node_class.gpu_count:
        return f"{gpus} GPU(s) on one node, its nodes have {node_class.gpu_count}"
    if group.resources.cpus > node_class.cpus:
        return f"{group.resources.cpus} CPUs on one node, its nodes have {node_class.cpus}"
    if group.mem_mib > node_class.real_memory_mib:
        return (
            f"{group.mem_mib} MiB of host memory on one node, "
            f"its nodes have {node_class.real_memory_mib}"
        )
    if not node_class.free_cpus:
        return "all of its nodes are down, drained, reserved or do not answer"
    return ""


def _time_limit(group: Group, partitions: PartitionChoice) -> int:
    """The time to ask for; what can resume is content with less than it needs."""
    if partitions.max_time_s is None:
        return group.time_s
    return min(group.time_s, partitions.max_time_s)


def _rejection(
    group: Group, variant: Variant | None, node_class: NodeClass, gpus: int, reason: str
) -> Rejected:
    return Rejected(
        group=group.key,
        variant=variant.id if variant else "",
        node_class=node_class.name,
        gpus=gpus,
        reason=reason,
    )


def _without_dominated(options: list[Option]) -> tuple[list[Option], list[Rejected]]:
    """Drop an option where another on the same class is at least as good in every way.

    Compared: GPUs, time of an item, quality. Ties keep the first by name.
    """
    kept: list[Option] = []
    dropped: list[Rejected] = []
    for option in sorted(options, key=lambda o: (o.gpus, o.item_s, -o.quality, o.name)):
        better = next(
            (
                other
                for other in kept
                if other.node_class.name == option.node_class.name
                and other.gpus <= option.gpus
                and other.item_s <= option.item_s
                and other.quality >= option.quality
            ),
            None,
        )
        if better is None or option.variant is None:
            kept.append(option)
        else:
            assert better.variant is not None
            dropped.append(
                _rejection(
                    option.group,
                    option.variant,
                    option.node_class,
                    option.gpus,
                    f"{better.variant.id} on {better.gpus} GPU(s) is no worse in time, GPUs and quality",
                )
            )
    return kept, dropped
