from __future__ import annotations

from dataclasses import replace

import pytest

from cfslurm.core.hardware.classes import node_classes
from cfslurm.core.hardware.graph import HardwareGraph
from cfslurm.core.planner.options import Option, World, options_of
from cfslurm.core.planner.plan import Rejected
from cfslurm.core.workflow.groups import Group, groups_of
from cfslurm.core.workflow.model import Model, Resources, SessionSpec, Task, Workflow
from tests.builders import (
    ENGINES,
    KNOWLEDGE,
    catalog,
    graph,
    lab,
    node,
    partition,
    three_sizes,
    variant,
)

MODEL = Model(repo="acme/model", max_model_len=4096)


def _group(task: Task, *, model: Model = MODEL) -> Group:
    workflow = Workflow(name="w", models={"m": model}, tasks={"t": task})
    return groups_of(workflow, item_counts={"t": 10})[0]


def _options(
    task: Task, cluster: HardwareGraph, *, model: Model = MODEL, account: str | None = None
) -> tuple[tuple[Option, ...], tuple[Rejected, ...]]:
    world = World(
        graph=cluster,
        classes=node_classes(cluster),
        catalog=catalog(m=three_sizes()).models,
        engines=ENGINES,
        account=account,
        workflow="w",
        knowledge=KNOWLEDGE,
    )
    return options_of(_group(task, model=model), world)


TASK = Task(command=("a",), model="m")


def _names(options: tuple[Option, ...]) -> set[tuple[str, str, int]]:
    return {
        (o.variant.quantization if o.variant else "-", o.node_class.name, o.gpus) for o in options
    }


def test_each_class_gets_the_variants_that_fit_it() -> None:
    options, _ = _options(TASK, lab())
    smallest = {(q, c) for q, c, gpus in _names(options) if gpus == 1}
    assert smallest == {
        ("none", "a100_80-x4"),
        ("fp8", "a100_80-x4"),
        ("awq", "a100_80-x4"),
        ("fp8", "rtx6000ada-x2"),
        ("awq", "rtx6000ada-x2"),
        ("awq", "rtx4090-x8"),
    }


def test_too_large_for_one_gpu_is_split() -> None:
    options, rejected = _options(TASK, lab())
    assert ("none", "rtx6000ada-x2", 2) in _names(options)
    reasons = [r.reason for r in rejected if (r.node_class, r.gpus) == ("rtx6000ada-x2", 1)]
    assert any("too much" in reason for reason in reasons)


def test_every_class_and_variant_has_an_option_or_a_reason() -> None:
    options, rejected = _options(TASK, lab())
    told = {(o.variant.id, o.node_class.name) for o in options if o.variant}
    told |= {(r.variant, r.node_class) for r in rejected}
    gpu_classes = [c.name for c in node_classes(lab()) if c.gpu_count]
    assert told >= {(v.id, name) for v in three_sizes() for name in gpu_classes}


@pytest.mark.parametrize(
    ("task", "model", "reason"),
    [
        (TASK, replace(MODEL, min_quality=99.9), "quality 99.5 is below min_quality 99.9"),
        (TASK, replace(MODEL, max_model_len=200_000), "is more than the model's 131072"),
        (TASK, replace(MODEL, engine="llamacpp"), "llamacpp does not run none models"),
        (TASK, replace(MODEL, engine="vlm"), "there is no engine 'vlm'"),
        (
            TASK,
            replace(MODEL, tensor_parallel_size=3),
            "32 attention heads cannot be split over 3 GPUs",
        ),
        (
            replace(TASK, resources=Resources(cpus=65)),
            MODEL,
            "65 CPUs on one node, its nodes have 64",
        ),
        (replace(TASK, resources=Resources(mem="1T")), MODEL, "1048576 MiB of host memory"),
        (replace(TASK, resources=Resources(gpu_types=("h100",))), MODEL, "asks for GPU type h100"),
        (
            replace(TASK, resources=Resources(partitions=("cpu",))),
            MODEL,
            "its nodes are not in cpu",
        ),
        (replace(TASK, time="2d"), MODEL, "time 2d is over the limit of partition gpu"),
    ],
)
def test_reason_is_kept(task: Task, model: Model, reason: str) -> None:
    _, rejected = _options(task, lab(), model=model)
    assert any(reason in r.reason for r in rejected)


def test_session_lets_work_be_longer_than_the_partition() -> None:
    options, _ = _options(replace(TASK, time="2d", session=SessionSpec()), lab())
    assert {option.time_limit_s for option in options} == {86_400}


def test_preemptible_work_goes_to_the_preemptible_partition_only() -> None:
    options, _ = _options(replace(TASK, preemptible=True), lab())
    assert {option.partitions for option in options} == {("preempt",)}


def test_other_work_never_goes_there() -> None:
    options, _ = _options(TASK, lab())
    assert {option.partitions for option in options} == {("gpu",)}


def test_work_without_gpus_stays_off_gpu_nodes() -> None:
    options, rejected = _options(Task(command=("a",)), lab())
    assert {option.node_class.name for option in options} == {"cpu-32"}
    assert any("stays off GPU nodes" in r.reason for r in rejected)


def test_work_without_gpus_takes_gpu_nodes_where_there_is_nothing_else() -> None:
    options, _ = _options(Task(command=("a",)), graph([node("g", "gpu:rtx4090:8")]))
    assert {option.node_class.name for option in options} == {"rtx4090-x8"}


@pytest.mark.parametrize(
    ("state", "flags"), [("DOWN", ()), ("IDLE", ("DRAIN",)), ("IDLE", ("NOT_RESPONDING",))]
)
def test_nodes_that_take_no_jobs_bring_nothing(state: str, flags: tuple[str, ...]) -> None:
    options, rejected = _options(
        TASK, graph([node("g", "gpu:a100_80:4", state=state, flags=flags)])
    )
    assert options == ()
    assert any("down, drained, reserved or do not answer" in r.reason for r in rejected)


def test_partition_that_is_down_or_closed_to_the_account() -> None:
    nodes = [node("g", "gpu:a100_80:4")]
    _, down = _options(TASK, graph(nodes, [partition("gpu", state="DOWN")]))
    _, closed = _options(
        TASK, graph(nodes, [partition("gpu", accounts=("lab-b",))]), account="lab-a"
    )
    opened, _ = _options(
        TASK, graph(nodes, [partition("gpu", accounts=("lab-b",))]), account="lab-b"
    )
    assert any("partition gpu is not up" in r.reason for r in down)
    assert any("not open to account lab-a" in r.reason for r in closed)
    assert opened


def test_unknown_gpu_is_named_as_the_reason() -> None:
    options, rejected = _options(TASK, graph([node("g", "gpu:zx81:4")]))
    assert options == ()
    assert any("memory of GPU type 'zx81' is unknown" in r.reason for r in rejected)


def test_dominated_way_is_dropped_with_the_better_one_named() -> None:
    world = World(
        graph=lab(),
        classes=node_classes(lab()),
        catalog=catalog(
            m=(variant("awq", 11.0, quality=97.5), variant("fp8", 20.0, quality=97.5))
        ).models,
        engines=ENGINES,
        account=None,
        workflow="w",
        knowledge=KNOWLEDGE,
    )
    options, rejected = options_of(_group(TASK), world)
    assert all(option.variant and option.variant.quantization == "awq" for option in options)
    assert any("acme/model-awq@awq on 1 GPU(s) is no worse" in r.reason for r in rejected)


def test_partition_that_wants_a_reservation_or_shuts_the_account_out() -> None:
    nodes = [node("g", "gpu:a100_80:4")]
    by_reservation = replace(partition("gpu"), needs_reservation=True)
    _, reserved = _options(TASK, graph(nodes, [by_reservation]))
    shut = replace(partition("gpu"), deny_accounts=("lab-a",))
    _, denied = _options(TASK, graph(nodes, [shut]), account="lab-a")
    opened, _ = _options(TASK, graph(nodes, [shut]), account="lab-b")
    assert any("takes only jobs with a reservation" in r.reason for r in reserved)
    assert any("not open to account lab-a" in r.reason for r in denied)
    assert opened
