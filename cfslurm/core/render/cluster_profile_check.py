"""Is a cluster profile one that Slurm can run? All mistakes at once, each with its key path."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cfslurm.core.render.cluster_profile import (
    MAX_NODES,
    ClusterProfile,
    NodeGroup,
    ProfilePartition,
)
from cfslurm.core.render.profile_gpus_check import RESERVED, between, gpu_problems, problem, word
from cfslurm.core.slurm.hostlist import expand, fold
from cfslurm.core.slurm.units import duration_s
from cfslurm.core.workflow.names import nearest
from cfslurm.errors import Problem, SlurmOutputError, UserInputError

# More than any single machine has.
MAX_CPUS = 1024
MAX_MEMORY_MIB = 64 * 1024 * 1024
_NODE_NAME = re.compile(r"[A-Za-z]([A-Za-z0-9-]{0,30}[A-Za-z0-9])?")


def problems(profile: ClusterProfile) -> tuple[Problem, ...]:
    """Everything wrong with a profile that Slurm would answer with a riddle, or not at all."""
    broken_lists = tuple(_broken_hostlists(profile))
    if broken_lists:  # nothing that names nodes can be checked before these are right
        return broken_lists
    return (
        *_head(profile),
        *(p for index, group in enumerate(profile.nodes) for p in _group(index, group)),
        *_names_used_twice(profile),
        *_gpu_types(profile),
        *_partitions(profile),
        *_switches(profile),
        *_accounts(profile),
    )


def _broken_hostlists(profile: ClusterProfile) -> Iterator[Problem]:
    lists = [(f"nodes.{index}.names", group.names) for index, group in enumerate(profile.nodes)]
    for index, partition in enumerate(profile.partitions):
        lists += [(f"partitions.{index}.nodes.{i}", text) for i, text in enumerate(partition.nodes)]
    for path, text in lists:
        try:
            expand(text, limit=MAX_NODES)
        except SlurmOutputError as error:
            yield problem(path, error.message, f"Name at most {MAX_NODES} nodes: n1, n[1-4].")


def _head(profile: ClusterProfile) -> Iterator[Problem]:
    yield from word("name", profile.name)
    yield from between("scale", profile.scale, 1, 1_000_000)
    count = len(profile.node_names)
    if not 1 <= count <= MAX_NODES:
        yield problem(
            "nodes", f"{count} nodes, not between 1 and {MAX_NODES}", "Write several profiles."
        )
    if not profile.partitions:
        yield problem("partitions", "there is no partition", "Add one that names the nodes.")


def _group(index: int, group: NodeGroup) -> Iterator[Problem]:
    path = f"nodes.{index}"
    for name in group.node_names:
        if not _NODE_NAME.fullmatch(name) or name.upper() in RESERVED:
            yield problem(
                f"{path}.names",
                f"{name[:60]!r} cannot be the name of a node",
                "Use up to 32 letters, digits and dashes, a letter first: n1, a100-1.",
            )
    yield from between(f"{path}.cpus", group.cpus, 1, MAX_CPUS)
    yield from between(f"{path}.sockets", group.sockets, 1, 16)
    yield from between(f"{path}.real_memory_mib", group.real_memory_mib, 256, MAX_MEMORY_MIB)
    yield from between(f"{path}.weight", group.weight, 1, 1_000_000)
    yield from between(f"{path}.threads_per_core", group.threads_per_core, 1, 8)
    parts = group.sockets * group.threads_per_core
    if parts > 0 and group.cpus % parts:
        yield problem(
            f"{path}.sockets",
            f"{group.cpus} CPUs cannot be shared out evenly to {group.sockets} sockets",
            "Give a number of sockets and threads_per_core that divide cpus.",
        )
    for number, feature in enumerate(group.features):
        yield from word(f"{path}.features.{number}", feature)
    if group.switch:
        yield from word(f"{path}.switch", group.switch)
    yield from gpu_problems(path, group)


def _names_used_twice(profile: ClusterProfile) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, group in enumerate(profile.nodes):
        twice = sorted({n for n in group.node_names if n in seen or group.node_names.count(n) > 1})
        seen.update(group.node_names)
        if twice:
            yield problem(
                f"nodes.{index}.names",
                f"the name {fold(twice)} is given to two nodes",
                "Give every node a name of its own.",
            )


def _gpu_types(profile: ClusterProfile) -> Iterator[Problem]:
    cards: dict[str, str] = {}
    for index, group in enumerate(profile.nodes):
        for number, gpus in enumerate(group.gpus):
            known = cards.setdefault(gpus.type, gpus.card)
            if gpus.type and known != gpus.card:
                yield problem(
                    f"nodes.{index}.gpus.{number}.catalog",
                    f"GPUs of type {gpus.type} are {known} on another node",
                    "Give one card to one type, or another type to this node.",
                )


def _partitions(profile: ClusterProfile) -> Iterator[Problem]:
    known = set(profile.node_names)
    seen: set[str] = set()
    for index, partition in enumerate(profile.partitions):
        path = f"partitions.{index}"
        yield from word(f"{path}.name", partition.name)
        if partition.name in seen:
            yield problem(
                f"{path}.name",
                f"there are two partitions {partition.name}",
                "Give every partition a name of its own.",
            )
        seen.add(partition.name)
        yield from _partition(path, partition, known)
    if sum(partition.default for partition in profile.partitions) > 1:
        yield problem(
            "partitions", "more than one partition is the default", "Keep default: true at one."
        )


def _partition(path: str, partition: ProfilePartition, known: set[str]) -> Iterator[Problem]:
    for name in partition.node_names:
        if name not in known:
            near = nearest(name, known)
            yield problem(
                f"{path}.nodes",
                f"the partition {partition.name} names the node {name[:60]}, which is not there",
                f"Did you mean {near}?" if near else "Add it under nodes:, or leave it out here.",
            )
    if not partition.node_names:
        yield problem(f"{path}.nodes", "a partition without nodes", "Name at least one node.")
    yield from between(f"{path}.priority_tier", partition.priority_tier, 0, 65_533)
    yield from between(f"{path}.grace_time_s", partition.grace_time_s, 0, 3600)
    try:
        duration_s(partition.max_time)
    except UserInputError as error:
        yield problem(f"{path}.max_time", error.message, error.remedy)


def _switches(profile: ClusterProfile) -> Iterator[Problem]:
    leaves = profile.leaves
    bare = [group.names for group in profile.nodes if not group.switch]
    if not leaves and not profile.switches:
        return
    if bare:
        yield problem(
            "nodes",
            f"{bare[0]} has no switch, other nodes have",
            "Give every node a switch, or none.",
        )
    yield from _parents(profile, {*leaves, *profile.switches})
    for name in profile.switches:
        yield from word(f"switches.{name}", name)
        if name in leaves:
            yield problem(
                f"switches.{name}",
                f"the switch {name} has nodes and switches below it",
                "Put the nodes on a switch of their own.",
            )


def _parents(profile: ClusterProfile, known: set[str]) -> Iterator[Problem]:
    parents: dict[str, str] = {}
    for upper, below in profile.switches.items():
        for name in below:
            if name not in known:
                yield problem(
                    f"switches.{upper}",
                    f"the switch {name[:60]} below {upper} has no nodes and no switches",
                    "Name switches that nodes or other switches name.",
                )
            elif name in parents:
                yield problem(
                    f"switches.{upper}",
                    f"the switch {name} is below {parents[name]} and below {upper}",
                    "A tree has one way up: keep one of them.",
                )
            parents.setdefault(name, upper)
    tops = sorted(known - set(parents))
    if len(tops) != 1:
        yield problem(
            "switches",
            f"the tree has {len(tops)} tops: {', '.join(tops) or 'a circle'}",
            "Put all switches below one: spine: [leaf1, leaf2].",
        )
    elif circle := sorted(known - _below(tops[0], profile)):
        yield problem(
            "switches",
            f"{' and '.join(circle)} cannot be reached from {tops[0]}",
            "Two switches may not stand below each other.",
        )


def _below(top: str, profile: ClusterProfile) -> set[str]:
    reached: set[str] = set()
    waiting = [top]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += profile.switches.get(name, ())
    return reached


def _accounts(profile: ClusterProfile) -> Iterator[Problem]:
    names = [account.name for account in profile.accounts]
    for index, account in enumerate(profile.accounts):
        yield from word(f"accounts.{index}.name", account.name)
        if names.index(account.name) != index:
            yield problem(
                f"accounts.{index}.name", f"there are two accounts {account.name}", "Keep one."
            )
        if not re.fullmatch(r"[^\"'=,;#\\\n\r]{0,200}", account.description):
            yield problem(
                f"accounts.{index}.description",
                "the description holds a quote, a comma or another sign that sacctmgr reads",
                "Use letters, digits and blanks.",
            )
