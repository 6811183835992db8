"""A class keeps its name: plans, runs and people refer to it."""

from __future__ import annotations

import re
from dataclasses import replace
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from cfslurm.core.hardware.classes import class_of_nodes, node_classes
from cfslurm.core.hardware.graph import HardwareGraph
from cfslurm.core.slurm.records import NodeRecord
from tests.builders import graph, node

_KINDS = st.fixed_dictionaries(
    {
        "gres": st.sampled_from(
            ["", "gpu:t4:1", "gpu:t4:2", "gpu:a100_80:4", "gpu:t4:1,gpu:l40s:1"]
        ),
        "cpus": st.sampled_from([32, 64]),
        "memory_mib": st.sampled_from([256_000, 256_400, 512_000]),
        "features": st.sampled_from([(), ("ib",), ("ib", "new")]),
        "partitions": st.sampled_from([("gpu",), ("cpu", "gpu")]),
    }
)


@st.composite
def _clusters(draw: st.DrawFn) -> list[NodeRecord]:
    kinds = draw(st.lists(_KINDS, min_size=1, max_size=6))
    return [
        node(f"n{kind}-{i}", **dict(kinds[kind]))  # type: ignore[arg-type]
        for kind in range(len(kinds))
        for i in range(draw(st.integers(1, 3)))
    ]


def _names(cluster: HardwareGraph) -> dict[str, str]:
    return class_of_nodes(node_classes(cluster))


@given(_clusters(), st.randoms(use_true_random=False))
def test_names_do_not_depend_on_order_state_or_use(
    records: list[NodeRecord], random: Random
) -> None:
    names = _names(graph(records))
    shuffled = list(records)
    random.shuffle(shuffled)
    assert _names(graph(shuffled)) == names
    built = graph(records)
    assert _names(replace(built, nodes=tuple(reversed(built.nodes)))) == names
    down = [replace(one, state="DOWN", state_flags=("NOT_RESPONDING",)) for one in records]
    assert _names(graph(down)) == names
    reordered = [replace(one, features=one.features[::-1]) for one in records]
    assert _names(graph(reordered)) == names


@given(_clusters(), st.randoms(use_true_random=False))
def test_names_do_not_depend_on_which_nodes_of_a_class_there_are(
    records: list[NodeRecord], random: Random
) -> None:
    names = _names(graph(records))
    by_class: dict[str, list[NodeRecord]] = {}
    for one in records:
        by_class.setdefault(names[one.name], []).append(one)
    left = [random.choice(members) for members in by_class.values()]
    assert _names(graph(left)) == {one.name: names[one.name] for one in left}


@given(_clusters())
def test_names_do_not_depend_on_other_kinds_of_nodes(records: list[NodeRecord]) -> None:
    more = [*records, node("new-1", "gpu:h100_sxm:8"), node("new-2", cpus=7)]
    names = _names(graph(more))
    assert {one.name: names[one.name] for one in records} == _names(graph(records))


@given(_clusters())
def test_every_class_has_a_name_of_its_own_that_files_can_carry(records: list[NodeRecord]) -> None:
    classes = node_classes(graph(records))
    assert len({one.name for one in classes}) == len(classes)
    assert all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", one.name) for one in classes)
    assert sorted(name for one in classes for name in one.node_names) == sorted(
        one.name for one in records
    )


def test_names_are_as_long_as_need_be() -> None:
    records = [
        node("n1", "gpu:t4:1"),
        node("n2", "gpu:t4:1", memory_mib=512_000),
        node("n3", "gpu:t4:1", memory_mib=512_000, features=("ib",)),
        node("n4", "gpu:t4:2"),
    ]
    assert _names(graph(records)) == {
        "n1": "t4-x1.64c-250G",
        "n2": "t4-x1.64c-500G.f273",
        "n3": "t4-x1.64c-500G.a205",
        "n4": "t4-x2",
    }
