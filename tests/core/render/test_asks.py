from __future__ import annotations

import pytest

from cfslurm.core.hardware.classes import node_classes
from cfslurm.core.hardware.graph import HardwareGraph
from cfslurm.core.render.asks import Selector, select
from cfslurm.core.render.packing import pack_size
from tests.builders import graph, lab, node


def _select(
    cluster: HardwareGraph, *names: str, gpus: int = 1, partitions: tuple[str, ...] = ("gpu",)
) -> Selector:
    classes = [c for c in node_classes(cluster) if c.name in names]
    assert len(classes) == len(names)
    return select(classes, partitions=partitions, gpus=gpus, graph=cluster)


def test_one_type_is_asked_for_by_gres() -> None:
    assert _select(lab(), "rtx4090-x8") == Selector(gres="gpu:rtx4090:1", constraint="", exclude="")


def test_several_types_share_an_array_through_features() -> None:
    found = _select(lab(), "rtx4090-x8", "rtx6000ada-x2")
    assert found == Selector(gres="gpu:1", constraint="rtx4090|rtx6000ada", exclude="")


def test_all_types_need_no_constraint() -> None:
    found = _select(lab(), "a100_80-x4", "rtx4090-x8", "rtx6000ada-x2")
    assert found == Selector(gres="gpu:1", constraint="", exclude="")


def test_nodes_too_small_for_the_job_need_no_exclusion() -> None:
    found = _select(lab(), "a100_80-x4", "rtx4090-x8", gpus=4)
    assert found == Selector(gres="gpu:4", constraint="", exclude="")


def test_without_telling_features_the_others_are_excluded_by_name() -> None:
    nodes = [
        node("a", "gpu:a100_80:1"),
        node("b1", "gpu:t4:1"),
        node("b2", "gpu:t4:1"),
        node("c", "gpu:l4:1"),
    ]
    found = _select(graph(nodes), "a100_80-x1", "l4-x1")
    assert found == Selector(gres="gpu:1", constraint="", exclude="b[1-2]")


def test_feature_that_other_nodes_have_too_is_not_used() -> None:
    nodes = [
        node("a", "gpu:a100_80:1", features=("fast", "a100")),
        node("b", "gpu:h200:1", features=("fast",)),
        node("c", "gpu:l4:1", features=("slow",)),
    ]
    found = _select(graph(nodes), "a100_80-x1", "l4-x1")
    assert found.constraint == "a100|slow"


def test_work_without_gpus_asks_for_none() -> None:
    found = _select(lab(), "cpu-32", gpus=0, partitions=("cpu",))
    assert found == Selector(gres="", constraint="", exclude="")


def test_work_without_gpus_in_a_mixed_partition_stays_on_its_class() -> None:
    found = _select(lab(), "cpu-32", gpus=0, partitions=("preempt",))
    assert found == Selector(gres="", constraint="cpu", exclude="")


@pytest.mark.parametrize("count", [1, 59, 60, 1001, 1002, 123_456])
@pytest.mark.parametrize("item_s", [0.001, 2.0, 4000.0])
def test_pack_size_respects_max_array_size(count: int, item_s: float) -> None:
    pack = pack_size(count=count, item_s=item_s, places=16, max_tasks=1001, max_items_by_time=None)
    assert pack >= 1
    assert -(-count // pack) <= 1001


def test_time_limit_wins_over_everything() -> None:
    assert pack_size(count=10_000, item_s=1, places=1, max_tasks=10, max_items_by_time=5) == 5
