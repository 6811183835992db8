"""What a diff tells, and what it keeps to itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from typing import Any

import pytest

from cfslurm.adapters.validated import adapter
from cfslurm.core.documents import to_json
from cfslurm.core.hardware.diff import Change, Kind, diff, matters
from cfslurm.core.hardware.graph import HardwareGraph, Node
from cfslurm.core.report.diff_text import diff_text
from cfslurm.core.slurm.records import License, Reservation, RunningJob, Topology
from tests.builders import graph, lab, node, partition
from tests.probes import hgx


def _told(changes: tuple[Change, ...]) -> list[tuple[str, str, str, str]]:
    return [(one.kind.value, one.what, one.names, one.field) for one in changes]


def _with_node(cluster: HardwareGraph, name: str, change: Callable[[Node], Node]) -> HardwareGraph:
    nodes = tuple(change(one) if one.name == name else one for one in cluster.nodes)
    return replace(cluster, nodes=nodes)


def test_nothing_changes_by_being_read_again() -> None:
    later = replace(lab(), harvested_at="2027-01-01T00:00:00Z", backend="json", warnings=("slow",))
    assert diff(lab(), later) == ()
    assert not matters(())
    assert diff_text(()) == "Nothing has changed."


@pytest.mark.parametrize(
    ("flags", "reason", "told"),
    [
        (("DRAIN",), "bad fan", "DRAIN (bad fan)"),
        (("DRAIN", "NOT_RESPONDING"), "", "DRAIN+NOT_RESPONDING"),
        (("MAINT",), "", "MAINT"),
    ],
)
def test_a_node_that_closes_is_told_with_the_reason(
    flags: tuple[str, ...], reason: str, told: str
) -> None:
    closed = _with_node(lab(), "r1", lambda n: replace(n, state_flags=flags, reason=reason))
    change = Change(
        kind=Kind.STATE, what="node", names="r1", field="state", old="takes jobs", new=told
    )
    assert diff(lab(), closed) == (change,)
    assert matters((change,))
    opened = diff(closed, lab())
    assert [(one.old, one.new) for one in opened] == [(told, "takes jobs")]


def test_another_reason_is_a_change_and_another_time_of_it_is_none() -> None:
    drained = _with_node(lab(), "r1", lambda n: replace(n, state_flags=("DRAIN",), reason="fan"))
    other = _with_node(drained, "r1", lambda n: replace(n, reason="power"))
    again = _with_node(drained, "r1", lambda n: replace(n, reason_time=7, reason_user="root"))
    assert [(one.old, one.new) for one in diff(drained, other)] == [
        ("DRAIN (fan)", "DRAIN (power)")
    ]
    assert diff(drained, again) == ()


def test_busy_is_use_and_does_not_matter() -> None:
    old = lab()
    new = _with_node(
        lab(a1="gpu:a100_80:3"), "a1", lambda n: replace(n, state="MIXED", cpus_used=4)
    )
    changes = diff(old, new)
    assert _told(changes) == [
        ("use", "node", "a1", "state"),
        ("use", "node", "a1", "cpus_used"),
        ("use", "node", "a1", "gpus.a100_80.used"),
    ]
    assert not matters(changes)


def test_a_draining_node_that_gets_idle_is_use() -> None:
    busy = _with_node(lab(), "r1", lambda n: replace(n, state="MIXED", state_flags=("DRAIN",)))
    idle = _with_node(busy, "r1", lambda n: replace(n, state="IDLE"))
    assert [(one.kind, one.old, one.new) for one in diff(busy, idle)] == [
        (Kind.USE, "MIXED+DRAIN", "IDLE+DRAIN")
    ]


def test_equal_changes_of_many_nodes_are_one_line() -> None:
    old = graph([node(f"n{i}", "gpu:t4:1") for i in range(1, 501)])
    new = graph([node(f"n{i}", "gpu:t4:2", features=("new",)) for i in range(1, 501)])
    told = [one for one in diff(old, new) if one.what == "node"]
    assert {one.names for one in told} == {"n[1-500]"}
    assert [(one.field, one.old, one.new) for one in told if one.field == "gpus.t4.count"] == [
        ("gpus.t4.count", 1, 2)
    ]
    assert [one.gained for one in told if one.field == "features"] == [("new",)]


def test_nodes_and_classes_that_come_and_go() -> None:
    old = graph([node("n1", "gpu:t4:1"), node("n2", "gpu:t4:1"), node("c1")])
    new = graph([node("n1", "gpu:t4:1"), node("n3", "gpu:a100_80:4")])
    text = diff_text(diff(old, new)).splitlines()
    assert [" ".join(line.split()) for line in text] == [
        "Configuration",
        "WHAT NAME FIELD CHANGE",
        "- node c1 64 CPUs, 256000 MiB, in gpu",
        "- node n2 1 x t4, 64 CPUs, 256000 MiB, in gpu",
        "+ node n3 4 x a100_80, 64 CPUs, 256000 MiB, in gpu",
        "~ partition gpu node_names -c1,n2 +n3",
        "+ class a100_80-x4 1 node",
        "- class cpu-64 1 node",
        "~ class t4-x1 nodes 2 → 1",
        "Changes: 7 of configuration.",
    ]


def test_limits_of_partitions_and_settings_have_units() -> None:
    one = [node("n1")]
    old = graph(one, [partition("gpu", max_time_s=86_400)])
    new = graph(one, [partition("gpu", max_time_s=None, accounts=("lab-a",))])
    new = replace(new, controller=replace(new.controller, max_array_size=10_001))
    text = [" ".join(line.split()) for line in diff_text(diff(old, new)).splitlines()]
    assert "~ partition gpu max_time_s 1d → none" in text
    assert "~ partition gpu allow_accounts +lab-a" in text
    assert "~ controller max_array_size 1001 → 10001" in text


def test_a_partition_that_goes_down_is_state() -> None:
    new = graph([node("n1")], [partition("gpu", state="DOWN")])
    assert _told(diff(graph([node("n1")], [partition("gpu")]), new)) == [
        ("state", "partition", "gpu", "state")
    ]


def test_jobs_and_licences_in_use_do_not_matter_and_reservations_do() -> None:
    def licence(used: int) -> License:
        return License(name="a", total=4, used=used, free=4 - used, reserved=0, is_remote=False)

    job = RunningJob(
        job_id="7", user="u", account="", partition="gpu", qos="", reservation="", state="RUNNING",
        node_names=("a1",), cpus=1, gpus=None, end_time=None,
    )  # fmt: skip
    held = Reservation(
        name="maint", node_names=("a1",), users=(), accounts=(), groups=(), flags=("MAINT",),
        partition="", licenses="", tres={}, start_time=None, end_time=None,
    )  # fmt: skip
    old = replace(lab(), licenses=(licence(0),))
    assert not matters(diff(old, replace(lab(), licenses=(licence(2),), running=(job,))))
    assert _told(diff(old, replace(old, reservations=(held,)))) == [
        ("state", "reservation", "maint", "")
    ]
    assert matters(diff(old, replace(lab(), licenses=())))


def test_topology_is_told_by_switch() -> None:
    from cfslurm.core.slurm.records import Switch

    def tree(*nodes: str) -> tuple[Topology, ...]:
        leaf = Switch(name="leaf1", level=0, node_names=nodes, switches=())
        return (Topology(name="default", kind="tree", is_default=True, switches=(leaf,)),)

    (change,) = diff(
        replace(lab(), topologies=tree("a1", "g1")), replace(lab(), topologies=tree("a1"))
    )
    assert (change.what, change.names, change.field, change.lost) == (
        "topology", "default", "switches.leaf1.node_names", ("g1",),
    )  # fmt: skip


def _every_field(value: Any) -> list[tuple[str, ...]]:
    """The paths of all fields of a document; of a list, its first item stands for all."""
    if is_dataclass(value):
        return [
            (field.name, *rest)
            for field in fields(value)
            for rest in _every_field(getattr(value, field.name))
        ]
    if isinstance(value, tuple) and value and is_dataclass(value[0]):
        return [("0", *rest) for rest in _every_field(value[0])]
    return [()]


def _changed(value: Any) -> Any:
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case tuple():
            return (*value, "zz")
        case None:
            return 77
        case dict():
            return {**value, "zz": 1}
        case _:
            return f"{value}zz"


def _replaced(value: Any, path: tuple[str, ...]) -> Any:
    if not path:
        return _changed(value)
    head, *rest = path
    if head == "0":
        return (_replaced(value[0], tuple(rest)), *value[1:])
    return replace(value, **{head: _replaced(getattr(value, head), tuple(rest))})


_ABOUT = {"schema", "harvested_at", "backend", "warnings", "parts"}
_PATHS = [path for path in _every_field(lab()) if path[0] not in _ABOUT]


@pytest.mark.parametrize("path", _PATHS, ids=".".join)
def test_no_field_of_the_graph_can_change_unseen(path: tuple[str, ...]) -> None:
    if path[-1] in ("reason", "reason_time", "reason_user"):  # of a node that takes jobs
        return
    assert diff(lab(), _replaced(lab(), path)) != ()


def test_a_diff_survives_the_file() -> None:
    text = json.dumps(to_json(lab()))
    read = adapter(HardwareGraph).validate_json(text)
    assert diff(read, lab()) == ()


def test_a_node_that_is_asked_for_the_first_time_is_one_line() -> None:
    asked = _with_node(lab(), "r1", lambda n: replace(n, probe=hgx("r1"), cpus_used=1))
    told = diff(lab(), asked)
    assert _told(told) == [("use", "node", "r1", "probe"), ("use", "node", "r1", "cpus_used")]
    assert "probe      none → told" in diff_text(told)


def test_moments_are_told_as_dates_and_durations_as_durations() -> None:
    booted = _with_node(lab(), "r1", lambda n: replace(n, boot_time=1_795_000_000))
    earlier = _with_node(lab(), "r1", lambda n: replace(n, boot_time=10**18))
    assert "→ 2026-11-18T11:06:40Z" in diff_text(diff(lab(), booted))
    assert f"{10**18} → " in diff_text(diff(earlier, booted))
