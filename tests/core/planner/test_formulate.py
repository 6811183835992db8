from __future__ import annotations

from cfslurm.core.hardware.classes import NodeClass, node_classes
from cfslurm.core.planner.formulate import Limits, cpu_capacity, formulate, gpu_capacity
from cfslurm.core.planner.options import World, options_of
from cfslurm.core.workflow.groups import groups_of
from cfslurm.core.workflow.model import Component, Gang, Model, Task, Workflow
from tests.builders import ENGINES, KNOWLEDGE, catalog, graph, lab, node, three_sizes


def _class(*used: str) -> NodeClass:
    nodes = [node(f"n{i}", "gpu:rtx4090:8", used=text) for i, text in enumerate(used)]
    return node_classes(graph(nodes))[0]


def test_busy_gpus_count_half() -> None:
    assert gpu_capacity(_class("gpu:rtx4090:4", ""), 1) == (4 + 8 + 16) / 2


def test_blocks_must_lie_on_one_node() -> None:
    # 3 and 3 free: no block of 4 is free now, four are there at all.
    assert gpu_capacity(_class("gpu:rtx4090:5", "gpu:rtx4090:5"), 4) == (0 + 16) / 2


def test_cpus_by_the_same_rule() -> None:
    assert cpu_capacity(_class("", "")) == 128


def _world() -> World:
    cluster = lab()
    return World(
        graph=cluster,
        classes=node_classes(cluster),
        catalog=catalog(m=three_sizes()).models,
        engines=ENGINES,
        account=None,
        workflow="w",
        knowledge=KNOWLEDGE,
    )


_WORKFLOW = Workflow(
    name="w",
    models={"m": Model(repo="acme/model")},
    tasks={"b": Task(command=("a",), model="m"), "a": Task(command=("a",), needs={"b": "afterok"})},  # type: ignore[dict-item]
    gangs={
        "g": Gang(
            components={"x": Component(command=("a",), model="m"), "y": Component(command=("a",))}
        )
    },
)


def _programme(*, reverse: bool) -> object:
    world = _world()
    groups = groups_of(_WORKFLOW, item_counts={"a": 1, "b": 40})
    options = [option for group in groups for option in options_of(group, world)[0]]
    ordered = options[::-1] if reverse else options
    classes = world.classes[::-1] if reverse else world.classes
    return formulate(ordered, classes, Limits(gpu_hours=3, deadline_s=60))


def test_order_of_the_input_does_not_matter() -> None:
    assert _programme(reverse=False) == _programme(reverse=True)


def test_rows_have_names_that_people_understand() -> None:
    rows = {row.name for row in _programme(reverse=False).rows}  # type: ignore[attr-defined]
    assert {"one:a", "one:b", "one:g/x", "longest:b", "budget", "deadline"} <= rows
    assert {"gpus:a100_80-x4:1@0", "apart:g:a100_80-x4", "apart:g:cpu-32", "cpus:cpu-32@1"} <= rows


def test_shares_are_whole_only_where_they_must() -> None:
    columns = {c.name: c for c in _programme(reverse=False).columns}  # type: ignore[attr-defined]
    whole = {name.split(":")[1] for name, column in columns.items() if column.is_integer}
    assert whole == {"a", "g/x", "g/y"}
