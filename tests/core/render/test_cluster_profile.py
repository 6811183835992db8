"""What a profile means, and every mistake in it that Slurm would answer with a riddle."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cfslurm.core.render.cluster_profile import (
    ClusterProfile,
    NodeGroup,
    ProfileAccount,
    ProfileGpus,
    ProfilePartition,
)
from cfslurm.core.render.cluster_profile_check import problems

_GPUS = ProfileGpus(type="rtx4090", count=2)
_NODES = (
    NodeGroup(names="g[1-2]", cpus=8, real_memory_mib=8000, gpus=(_GPUS,), switch="leaf1"),
    NodeGroup(names="c1", cpus=4, sockets=2, real_memory_mib=4000, switch="leaf2"),
)
_PARTITIONS = (
    ProfilePartition(name="gpu", nodes=("g[1-2]",), default=True),
    ProfilePartition(name="cpu", nodes=("c1",)),
)
_GOOD = ClusterProfile(
    name="good",
    nodes=_NODES,
    partitions=_PARTITIONS,
    switches={"spine": ("leaf1", "leaf2")},
    accounts=(ProfileAccount(name="lab-a", description="Laboratory A"),),
)


def _with_node(**changes: object) -> ClusterProfile:
    return replace(_GOOD, nodes=(replace(_NODES[0], **changes), _NODES[1]))  # type: ignore[arg-type]


def _with_gpus(**changes: object) -> ClusterProfile:
    return _with_node(gpus=(replace(_GPUS, **changes),))  # type: ignore[arg-type]


def _with_partition(**changes: object) -> ClusterProfile:
    changed = replace(_PARTITIONS[0], **changes)  # type: ignore[arg-type]
    return replace(_GOOD, partitions=(changed, _PARTITIONS[1]))


def test_good_profile_has_no_problem() -> None:
    assert problems(_GOOD) == ()


def test_profile_without_switches_has_no_problem() -> None:
    bare = tuple(replace(group, switch="") for group in _NODES)
    assert problems(replace(_GOOD, nodes=bare, switches={})) == ()


def test_profile_with_one_switch_needs_no_upper_one() -> None:
    same = tuple(replace(group, switch="leaf1") for group in _NODES)
    assert problems(replace(_GOOD, nodes=same, switches={})) == ()


def test_groups_are_counted_by_their_hostlists() -> None:
    assert _GOOD.node_names == ("g1", "g2", "c1")
    assert _GOOD.gpu_count == 4
    assert _GOOD.leaves == {"leaf1": ("g1", "g2"), "leaf2": ("c1",)}
    assert _NODES[1].cores_per_socket == 2


def test_card_is_the_type_unless_the_catalogue_key_is_given() -> None:
    assert _GPUS.card == "rtx4090"
    assert replace(_GPUS, catalog="a100_80").card == "a100_80"


@pytest.mark.parametrize(
    ("profile", "path", "message"),
    [
        (_with_node(names="g[1-"), "nodes.0.names", "not a hostlist"),
        (_with_node(names="g[1-100000]"), "nodes.0.names", "more than"),
        (_with_partition(nodes=("g[2-1]",)), "partitions.0.nodes.0", "not a hostlist"),
        (_with_node(names="a b"), "nodes.0.names", "'a b' cannot be the name of a node"),
        (_with_node(names="DEFAULT"), "nodes.0.names", "'DEFAULT' cannot be the name of a node"),
        (_with_node(names="g_1"), "nodes.0.names", "'g_1' cannot be the name of a node"),
        (_with_node(names="g1,g1"), "nodes.0.names", "the name g1 is given to two nodes"),
        (_with_node(names="g1,c1"), "nodes.1.names", "the name c1 is given to two nodes"),
        (_with_node(cpus=0), "nodes.0.cpus", "cpus is 0, not between 1 and 1024"),
        (_with_node(cpus=100_000), "nodes.0.cpus", "cpus is 100000, not between 1 and 1024"),
        (_with_node(real_memory_mib=1), "nodes.0.real_memory_mib", "real_memory_mib is 1, not"),
        (_with_node(real_memory_mib=10**9), "nodes.0.real_memory_mib", "not between 256 and"),
        (_with_node(sockets=3), "nodes.0.sockets", "8 CPUs cannot be shared out evenly to 3"),
        (_with_node(sockets=0), "nodes.0.sockets", "sockets is 0, not between 1 and 16"),
        (_with_node(weight=0), "nodes.0.weight", "weight is 0, not between"),
        (_with_node(features=("a|b",)), "nodes.0.features.0", "'a|b' cannot be a name"),
        (_with_node(features=("x", "24gb")), "nodes.0.features.1", "'24gb' cannot be a name"),
        (_with_gpus(mig="8g.10gb"), "nodes.0.gpus.0.mig", "is no MIG profile"),
        (_with_gpus(mig="1g.10gb", count=8), "nodes.0.gpus.0.cards", "7 are the most on each"),
        (_with_gpus(cards=(0,)), "nodes.0.gpus.0.cards", "1 cards for 2 GPUs"),
        (_with_gpus(cards=(0, 999)), "nodes.0.gpus.0.cards.1", "cards is 999"),
        (_with_gpus(cores=("0-3 x",)), "nodes.0.gpus.0.cores.0", "is not what gres.conf takes"),
        (_with_gpus(cores=("0-3",)), "nodes.0.gpus.0.cores.0", "0-3 are no whole sockets of 8"),
        (_with_gpus(cores=("0-15",)), "nodes.0.gpus.0.cores.0", "0-15 are no whole sockets"),
        (_with_gpus(cores=("7-0",)), "nodes.0.gpus.0.cores.0", "7-0 are no whole sockets"),
        (_with_gpus(cores=("0", "1", "2")), "nodes.0.gpus.0.cores", "cannot be shared out evenly"),
        (_with_gpus(links=("-1,4",)), "nodes.0.gpus.0.links", "1 links for 2 GPUs"),
        (_with_gpus(files=("/etc/x", "/dev/a")), "nodes.0.gpus.0.files.0", "is not what gres.conf"),
        (_with_node(gpus=(_GPUS, _GPUS)), "nodes.0.gpus.1.type", "stands twice on one node"),
        (_with_node(shards=3), "nodes.0.shards", "3 shards cannot be shared out evenly to 2 GPUs"),
        (_with_node(shards=2, mps=2), "nodes.0.mps", "a GPU has shards or MPS, not both"),
        (_with_node(threads_per_core=3), "nodes.0.sockets", "cannot be shared out evenly"),
        (_with_node(switch="a b"), "nodes.0.switch", "'a b' cannot be a name"),
        (_with_node(switch=""), "nodes", "g[1-2] has no switch, other nodes have"),
        (
            _with_node(gpus=(ProfileGpus(type="gpu#1", count=1),)),
            "nodes.0.gpus.0.type",
            "'gpu#1' cannot be a GPU type",
        ),
        (
            _with_node(gpus=(ProfileGpus(type="rtx4090", count=129),)),
            "nodes.0.gpus.0.count",
            "count is 129, not between 1 and 128",
        ),
        (
            replace(
                _GOOD,
                nodes=(_NODES[0], replace(_NODES[1], gpus=(replace(_GPUS, catalog="a100_80"),))),
            ),
            "nodes.1.gpus.0.catalog",
            "GPUs of type rtx4090 are rtx4090 on another node",
        ),
        (
            _with_partition(nodes=("g1", "g3")),
            "partitions.0.nodes",
            "the partition gpu names the node g3, which is not there",
        ),
        (_with_partition(nodes=()), "partitions.0.nodes", "a partition without nodes"),
        (_with_partition(name="all"), "partitions.0.name", "'all' cannot be a name"),
        (_with_partition(name="cpu"), "partitions.1.name", "there are two partitions cpu"),
        (_with_partition(max_time="30"), "partitions.0.max_time", "'30' has no unit"),
        (_with_partition(priority_tier=-1), "partitions.0.priority_tier", "priority_tier is -1"),
        (_with_partition(grace_time_s=4000), "partitions.0.grace_time_s", "grace_time_s is 4000"),
        (
            replace(_GOOD, partitions=tuple(replace(p, default=True) for p in _PARTITIONS)),
            "partitions",
            "more than one partition is the default",
        ),
        (replace(_GOOD, partitions=()), "partitions", "there is no partition"),
        (replace(_GOOD, nodes=(), partitions=()), "nodes", "0 nodes, not between 1 and 10000"),
        (replace(_GOOD, scale=0), "scale", "scale is 0, not between 1 and"),
        (replace(_GOOD, name=""), "name", "'' cannot be a name"),
        (replace(_GOOD, switches={}), "switches", "the tree has 2 tops: leaf1, leaf2"),
        (
            replace(_GOOD, switches={"spine": ("leaf1", "leaf2", "leaf3")}),
            "switches.spine",
            "the switch leaf3 below spine has no nodes and no switches",
        ),
        (
            replace(_GOOD, switches={"a": ("leaf1", "leaf2"), "b": ("a", "leaf1")}),
            "switches.b",
            "the switch leaf1 is below a and below b",
        ),
        (
            replace(_GOOD, switches={"s": ("leaf1", "leaf2"), "x": ("y",), "y": ("x",)}),
            "switches",
            "x and y cannot be reached from s",
        ),
        (
            replace(_GOOD, switches={"leaf1": ("leaf2",)}),
            "switches.leaf1",
            "the switch leaf1 has nodes and switches below it",
        ),
        (
            replace(_GOOD, accounts=(*_GOOD.accounts, *_GOOD.accounts)),
            "accounts.1.name",
            "there are two accounts lab-a",
        ),
        (
            replace(_GOOD, accounts=(ProfileAccount(name="x", description='"'),)),
            "accounts.0.description",
            "the description holds a quote",
        ),
    ],
)
def test_mistake_is_named_with_its_place_and_a_remedy(
    profile: ClusterProfile, path: str, message: str
) -> None:
    found = [(problem.path, problem.message) for problem in problems(profile)]
    assert [one for one in found if one[0] == path and message in one[1]], found
    assert all(problem.remedy for problem in problems(profile))


def test_node_that_is_almost_right_is_named() -> None:
    (problem,) = problems(_with_partition(nodes=("g1", "g22")))
    assert problem.remedy in ("Did you mean g2?", "Did you mean g1?")


def test_all_mistakes_are_found_at_once() -> None:
    bad = replace(_with_node(cpus=0, weight=0, features=("a b",)), scale=0)
    assert len(problems(bad)) == 4
