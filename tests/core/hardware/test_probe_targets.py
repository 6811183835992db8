"""Which nodes are asked, and how many GPUs that takes from others."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cfslurm.core.hardware.graph import HardwareGraph
from cfslurm.core.hardware.probe_targets import GpuAsk, every_node, one_of_each_class
from cfslurm.errors import UserInputError
from tests.builders import graph, node, partition


def _cluster() -> HardwareGraph:
    both = ("gpu", "preempt")
    return graph(
        [
            node("a1", "gpu:a100_80:4", used="gpu:a100_80:4", partitions=both),
            node("a2", "gpu:a100_80:4", used="gpu:a100_80:1", partitions=both),
            node("a3", "gpu:a100_80:4", state="DOWN", partitions=both),
            node("m1", "gpu:a100_80:2,gpu:l4:6", used="gpu:a100_80:2", partitions=both),
            node("u1", "gpu:2", used="gpu:2", partitions=("preempt",)),
            node("c1", partitions=("cpu",)),
            node("x1", partitions=()),
        ],
        [
            partition("gpu", default=True),
            partition("preempt", preempt=True),
            partition("cpu", max_time_s=60),
        ],
    )


def _asked(ask: GpuAsk, partition: str = "") -> dict[str, tuple[str, str]]:
    found, _ = every_node(_cluster(), ask=ask, partition=partition)
    return {one.node: (one.partition, one.gres) for one in found}


def test_one_of_each_class_is_the_one_that_answers_soonest() -> None:
    found, left_out = one_of_each_class(_cluster(), ask=GpuAsk.FREE, partition="")
    assert sorted((one.node, one.gres, one.gpus_asked, one.gpus_total) for one in found) == [
        ("a2", "gpu:a100_80:3", 3, 4),
        ("c1", "", 0, 0),
        ("m1", "gpu:l4:6", 6, 8),
        ("u1", "gpu:1", 1, 2),
    ]
    assert [one.why for one in left_out] == ["x1 is in no partition that a job can be sent to"]


def test_what_a_job_asks_for() -> None:
    assert _asked(GpuAsk.FREE)["a1"] == ("gpu", "gpu:a100_80:1")  # none is free: one, and it waits
    assert _asked(GpuAsk.ALL)["m1"] == ("gpu", "gpu:a100_80:2,gpu:l4:6")
    assert _asked(GpuAsk.ALL)["u1"] == ("preempt", "gpu:2")
    assert _asked(GpuAsk.ONE)["m1"] == ("gpu", "gpu:l4:1")
    assert set(_asked(GpuAsk.NONE).values()) == {("gpu", ""), ("preempt", ""), ("cpu", "")}
    assert _asked(GpuAsk.ONE, "preempt").keys() == {"a1", "a2", "m1", "u1"}


def test_a_short_partition_gets_a_short_job() -> None:
    found, _ = every_node(_cluster(), ask=GpuAsk.FREE, partition="")
    assert {one.node: one.time_limit_s for one in found}["c1"] == 60
    assert {one.node: one.time_limit_s for one in found}["a1"] == 300


def test_nodes_that_are_not_asked_are_told_with_the_reason() -> None:
    _, left_out = every_node(_cluster(), ask=GpuAsk.FREE, partition="")
    assert [(one.name, one.why) for one in left_out] == [
        ("a3", "a3 is DOWN"),
        ("x1", "x1 is in no partition that a job can be sent to"),
    ]
    drained = graph([node("d1", state="IDLE", flags=("DRAIN",))])
    nodes = tuple(replace(one, reason="fan 3 is broken") for one in drained.nodes)
    _, (closed,) = every_node(replace(drained, nodes=nodes), ask=GpuAsk.FREE, partition="")
    assert closed.why == "d1 is DRAIN: fan 3 is broken"


@pytest.mark.parametrize("name", ["nights", "down"])
def test_a_partition_that_takes_nothing_is_refused(name: str) -> None:
    cluster = graph([node("n1")], [partition("gpu"), partition("down", state="DOWN")])
    with pytest.raises(UserInputError):
        every_node(cluster, ask=GpuAsk.FREE, partition=name)
