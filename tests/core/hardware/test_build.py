from __future__ import annotations

from dataclasses import replace

import pytest

from cfslurm.core.hardware.build import build_graph
from cfslurm.core.hardware.classes import class_of_nodes, node_classes
from cfslurm.core.hardware.facts import ClusterFacts
from cfslurm.core.hardware.gpus import Source, identify
from cfslurm.core.site.model import GpuOverride
from cfslurm.core.slurm.records import NodeRecord
from cfslurm.core.slurm.tres import read_tres
from tests.builders import CATALOGUE, SETTINGS, graph, lab, node, partition


def _used(record: NodeRecord) -> dict[str, int]:
    built = graph([record])
    return {gpus.gpu_type: gpus.used for gpus in built.nodes[0].gpus}


def test_gres_used_comes_first() -> None:
    assert _used(
        replace(node("n", "gpu:a100:4", used="gpu:a100:3(IDX:0-2)"), alloc_tres={"gres/gpu": 1})
    ) == {"a100": 3}


@pytest.mark.parametrize(
    ("gres", "alloc_tres", "used"),
    [
        ("gpu:a100:4", "cpu=1,gres/gpu=2,gres/gpu:a100=2", {"a100": 2}),
        ("gpu:rtx4090:4", "cpu=1,gres/gpu=2", {"rtx4090": 2}),  # the type is not tracked
        ("gpu:v100:2,gpu:t4:2", "gres/gpu=1", {"t4": 1, "v100": 1}),  # whose it is, nobody knows
        ("gpu:v100:2,gpu:t4:2", "gres/gpu=3,gres/gpu:v100=1", {"t4": 2, "v100": 2}),
        ("gpu:4", "gres/gpu=3", {"": 3}),
        ("gpu:4", "", {"": 0}),
    ],
)
def test_alloc_tres_is_the_second_choice_and_never_too_low(
    gres: str, alloc_tres: str, used: dict[str, int]
) -> None:
    assert _used(replace(node("n", gres), gres_used=None, alloc_tres=read_tres(alloc_tres))) == used


def test_never_more_free_than_there_is() -> None:
    assert _used(node("n", "gpu:a100:4", used="gpu:a100:9")) == {"a100": 4}


@pytest.mark.parametrize(
    ("gpu_type", "features", "key", "source"),
    [
        ("a100_80", (), "a100_80", Source.TABLE),
        ("a100", ("80gb",), "a100_80", Source.AMBIGUOUS),  # SXM or PCIe, but not 40 GB
        ("a100", ("a100-sxm4-80gb",), "a100_80", Source.TABLE),
        ("a100", (), "a100_40", Source.AMBIGUOUS),
        ("h100", (), "h100", Source.AMBIGUOUS),
        ("NVIDIA_H100_80GB_HBM3", (), "h100", Source.TABLE),
        ("", ("avx512", "rtx4090"), "rtx4090", Source.TABLE),
        ("zx81", (), "zx81", Source.UNKNOWN),
        ("", (), "gpu", Source.UNKNOWN),
    ],
)
def test_card_behind_a_name(
    gpu_type: str, features: tuple[str, ...], key: str, source: Source
) -> None:
    found = identify(gpu_type, features, CATALOGUE)
    assert (found.key, found.source) == (key, source)


def test_unknown_card_has_no_memory_and_a_warning() -> None:
    built = graph([node("n", "gpu:zx81:2")])
    assert built.nodes[0].gpus[0].facts.memory_mib == 0
    assert built.warnings == (
        "GPU type 'zx81' on n is in no table: name it in the site config under gpu_types",
    )


def test_site_has_the_last_word_on_a_card() -> None:
    facts = ClusterFacts(
        backend="t",
        settings=SETTINGS,
        nodes=(node("n", "gpu:a100:2"),),
        partitions=(partition("gpu"),),
    )
    override = GpuOverride(catalog="a100_80", memory_mib=77_000)
    built = build_graph(facts, CATALOGUE, {"a100": override}, harvested_at="")
    card = built.nodes[0].gpus[0].facts
    assert (card.key, card.memory_mib, card.source) == ("a100_80", 77_000, Source.SITE)


def test_equal_nodes_are_one_class_and_its_name_is_stable() -> None:
    assert [(c.name, c.node_names) for c in node_classes(lab())] == [
        ("a100_80-x4", ("a1",)),
        ("cpu-32", ("c1", "c2")),
        ("rtx4090-x8", ("g1",)),
        ("rtx6000ada-x2", ("r1", "r2")),
    ]
    assert class_of_nodes(node_classes(lab()))["r2"] == "rtx6000ada-x2"


def test_classes_that_differ_in_memory_only_are_named_after_it() -> None:
    built = graph(
        [node("n1", "gpu:t4:1"), node("n2", "gpu:t4:1", memory_mib=512_000), node("n3", "gpu:t4:1")]
    )
    assert [(c.name, c.node_names) for c in node_classes(built)] == [
        ("t4-x1.64c-250G", ("n1", "n3")),
        ("t4-x1.64c-500G", ("n2",)),
    ]


def test_controller_settings() -> None:
    built = graph(
        [],
        settings={
            **SETTINGS,
            "AuthInfo": "socket=/x,cred_expire=5",
            "RequeueExit": "1-3,75",
            "KillWait": "30 sec",
        },
    )
    controller = built.controller
    assert (controller.requeue_delay_s, controller.requeue_exits, controller.kill_wait_s) == (
        6,
        (1, 2, 3, 75),
        30,
    )
    assert graph([]).controller.requeue_delay_s == 121
