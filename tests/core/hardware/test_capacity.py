"""Reservations, promises and limits, and what follows from them for a plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from cfslurm.core.hardware.build import build_graph
from cfslurm.core.hardware.capacity import freeings
from cfslurm.core.hardware.classes import node_classes
from cfslurm.core.hardware.facts import ClusterFacts
from cfslurm.core.hardware.graph import HardwareGraph
from cfslurm.core.hardware.limits import limits_of_user, longest_job_s
from cfslurm.core.report.capacity_text import capacity_lines
from cfslurm.core.slurm.records import Association, License, Qos, Reservation, RunningJob, Share
from tests.builders import CATALOGUE, SETTINGS, node, partition

NOW = 1_795_000_000
AT = "2026-11-18T11:06:40+00:00"  # NOW


def _reservation(
    name: str, nodes: Sequence[str], start: int, end: int | None, flags: Sequence[str] = ()
) -> Reservation:
    return Reservation(
        name=name, node_names=tuple(nodes), users=("ann",), accounts=(), groups=(), flags=tuple(flags),
        partition="", licenses="", tres={}, start_time=start, end_time=end,
    )  # fmt: skip


def _job(
    job_id: str, nodes: Sequence[str], gpus: Mapping[str, int] | None, end: int | None
) -> RunningJob:
    return RunningJob(
        job_id=job_id, user="ann", account="a", partition="gpu", qos="", reservation="", state="RUNNING",
        node_names=tuple(nodes), cpus=1, gpus=gpus, end_time=end,
    )  # fmt: skip


def _association(user: str, **limits: object) -> Association:
    bare = Association(
        account="lab-a", parent="" if user else "root", user=user, partition="", qos=("normal",),
        default_qos="normal", max_wall_s=None, max_tres_per_job={}, max_jobs=None, max_submit=None,
        group_tres={}, group_tres_minutes={}, group_jobs=None, group_submit=None, group_wall_s=None,
    )  # fmt: skip
    return replace(bare, **limits)  # type: ignore[arg-type]


def _qos(name: str, **limits: object) -> Qos:
    bare = Qos(
        name=name, priority=0, flags=(), preempts=(), preempt_mode="", grace_time_s=0, max_wall_s=None,
        max_tres_per_job={}, max_tres_per_user={}, max_tres_per_account={}, max_tres_minutes_per_job={},
        max_jobs_per_user=None, max_jobs_per_account=None, max_submit_per_user=None,
        max_submit_per_account=None, group_tres={}, group_tres_minutes={}, group_jobs=None,
        group_submit=None, group_wall_s=None,
    )  # fmt: skip
    return replace(bare, **limits)  # type: ignore[arg-type]


def _graph(**parts: object) -> HardwareGraph:
    facts = ClusterFacts(
        backend="test",
        settings={**SETTINGS, "AccountingStorageEnforce": "associations,limits"},
        nodes=(
            node("n1", "gpu:a100_80:4", used="gpu:a100_80:3"),
            node("n2", "gpu:a100_80:4", used="gpu:a100_80:4"),
            node("n3", "gpu:4", used="gpu:2", features=("rtx4090",)),
        ),
        partitions=(partition("gpu", default=True),),
    )
    return build_graph(replace(facts, **parts), CATALOGUE, {}, harvested_at=AT)  # type: ignore[arg-type]


def test_node_that_is_reserved_now_brings_no_capacity_and_one_of_later_does() -> None:
    kept = (
        _reservation("course", ["n1"], NOW - 10, NOW + 600),
        _reservation("repair", ["n2"], NOW + 600, NOW + 1200, ["MAINT"]),
        _reservation("past", ["n3"], NOW - 600, NOW),
    )
    graph = _graph(reservations=kept)
    assert [(n.name, n.reservations, n.takes_jobs) for n in graph.nodes] == [
        ("n1", ("course",), False),
        ("n2", (), True),
        ("n3", (), True),
    ]
    (a100,) = [one for one in node_classes(graph) if one.gpu_type == "a100_80"]
    assert (a100.node_names, a100.free_gpus) == (("n1", "n2"), (0,))


def test_node_of_a_reservation_that_slurm_hides_is_closed_by_its_state() -> None:
    hidden = replace(node("n1", "gpu:a100_80:4"), state_flags=("RESERVED",))
    assert _graph(nodes=(hidden,)).node("n1").takes_jobs is False


def test_hidden_jobs_are_told() -> None:
    private = {**SETTINGS, "PrivateData": "accounts,jobs"}
    assert "hides those of others" in capacity_lines(_graph(settings=private))[0]


def test_reservation_whose_end_slurm_does_not_tell_holds() -> None:
    graph = _graph(reservations=(_reservation("course", ["n1"], NOW - 10, None),))
    assert graph.node("n1").reservations == ("course",)


def test_gpus_come_back_step_by_step() -> None:
    jobs = (
        _job("1", ["n1"], {"a100_80": 2}, NOW + 100),
        _job("2", ["n3"], {"": 2}, NOW + 200),
        _job("3", ["n1", "n2"], {"": 5}, NOW + 300),  # both have one type only
        _job("4", ["n1"], None, NOW + 50),  # nobody says how many: it promises none
        _job("5", ["n1"], {"a100_80": 1}, None),
    )
    assert [(f.gpu_type, f.at - NOW, f.free) for f in freeings(_graph(running=jobs))] == [
        ("", 200, 4),
        ("a100_80", 100, 3),
        ("a100_80", 300, 8),
    ]


def test_more_than_there_is_is_never_promised_nor_what_a_closed_node_has() -> None:
    jobs = (
        _job("1", ["n1"], {"a100_80": 99}, NOW + 100),
        _job("2", ["n2"], {"a100_80": 4}, NOW + 200),
    )
    closed = replace(node("n2", "gpu:a100_80:4"), state_flags=("DRAIN",))
    graph = _graph(running=jobs, nodes=(node("n1", "gpu:a100_80:4", used="gpu:a100_80:4"), closed))
    assert [(f.gpu_type, f.free) for f in freeings(graph)] == [("a100_80", 4)]


def test_limits_of_the_user_and_of_all() -> None:
    graph = _graph(
        associations=(
            _association("", group_tres={"cpu": 16}, group_tres_minutes={"cpu": 1000}),
            _association("ann", max_jobs=20, max_wall_s=3600, max_tres_per_job={"gres/gpu": 8}),
        ),
        qos=(_qos("high", max_jobs_per_user=1), _qos("normal", max_tres_per_user={"mem": 30_720})),
    )
    assert [(one.of, one.whom, one.what, one.most) for one in limits_of_user(graph)] == [
        ("account lab-a", "all its users", "cpu", 16),
        ("account lab-a", "all its users", "cpu minutes", 1000),
        ("account lab-a", "you", "jobs", 20),
        ("account lab-a", "each job", "time", 3600),
        ("account lab-a", "each job", "gres/gpu", 8),
        ("QOS normal", "you", "mem", 30_720),  # QOS high is not the user's
    ]


@pytest.mark.parametrize(
    ("limits", "account", "longest"),
    [
        ({"max_wall_s": 3600}, "lab-a", (3600, "account lab-a")),
        ({"max_wall_s": 3600}, None, (3600, "account lab-a")),
        ({"max_wall_s": 3600}, "lab-b", None),  # an account that slurmdbd has not said anything of
        ({}, "lab-a", (1800, "QOS normal")),
        ({"qos": ("high", "normal")}, "lab-a", None),  # --qos may name the other
    ],
)
def test_longest_job_is_what_holds_for_sure(
    limits: Mapping[str, object], account: str | None, longest: tuple[int, str] | None
) -> None:
    qos = _qos("normal", max_wall_s=1800 if not limits else None)
    graph = _graph(associations=(_association("ann", **limits),), qos=(qos,))
    assert longest_job_s(graph, account) == longest


def test_limits_that_slurmctld_does_not_enforce_do_not_count() -> None:
    graph = _graph(associations=(_association("ann", max_wall_s=60),), settings=SETTINGS)
    assert longest_job_s(graph, "lab-a") is None


def test_info_says_what_is_kept_promised_counted_and_limited() -> None:
    graph = _graph(
        reservations=(
            _reservation("course", ["n1"], NOW - 10, NOW + 600),
            _reservation("repair", ["n2"], NOW + 600, NOW + 4200, ["MAINT"]),
            _reservation("past", ["n3"], NOW - 600, NOW),
        ),
        running=(_job("2", ["n3"], {"": 2}, NOW + 90),),
        licenses=(License(name="matlab", total=10, used=3, free=7, reserved=0, is_remote=False),),
        associations=(_association("ann", max_jobs=20, max_wall_s=3600),),
        shares=(
            Share(account="lab-a", partition="", raw_shares=1, effective_usage=0.5, factor=0.25),
        ),
    )
    assert capacity_lines(graph) == [
        "reserved   n1 for user ann, for 10m more (course)",
        "reserved   n2 maintenance, in 10m, for 1h (repair)",
        "next free  gpu: 4 within 1m30s",
        "licences   matlab 7/10 free",
        "limit      account lab-a, you: 20 jobs",
        "limit      account lab-a, each job: 1h",
        "fair share lab-a 0.25 (1 has used least)",
    ]
