from __future__ import annotations

from dataclasses import replace

import pytest

from cfslurm.core.hardware.age import age_of
from cfslurm.core.hardware.parts import Freshness, PartRead, Refresh, oldest_s, part_of, refresh_s
from cfslurm.errors import UserInputError
from tests.builders import lab

READ = 1_795_219_200.0  # 2026-11-21T00:00:00Z


@pytest.mark.parametrize(
    ("later_s", "told"),
    [
        (0.4, "cluster test, read just now (test)"),
        (7, "cluster test, read 7s ago (test)"),
        (200_000, "cluster test, read 2d7h ago (test)"),
        (-3, "cluster test, read just now (test)"),
        (-3600, "cluster test, read 1h in the future: the clocks differ (test)"),
    ],
)
def test_age_of_what_was_read(later_s: float, told: str) -> None:
    assert age_of(lab(), now=READ + later_s).text == told


def test_recorded_cluster_is_told_from_a_living_one() -> None:
    age = age_of(lab(), now=READ + 2 * 86_400, file="june.json")
    assert age.text == "cluster test, recorded 2d ago (test, june.json)"
    assert age.age_s == 172_800


def test_parts_that_are_older_are_told_with_their_own_age() -> None:
    parts = (
        PartRead(name="nodes", read_at="2026-11-21T00:00:00Z"),
        PartRead(name="partitions", read_at="2026-11-20T23:59:57Z"),
        PartRead(name="settings", read_at="2026-11-20T23:55:00Z"),
    )
    age = age_of(replace(lab(), parts=parts), now=READ + 1)
    assert age.older_s == {"settings": 301.0}
    assert age.text == "cluster test, read just now (test); settings 5m1s ago"


def test_a_date_that_is_none_is_refused() -> None:
    with pytest.raises(UserInputError, match="'yesterday' is not a date"):
        age_of(replace(lab(), harvested_at="yesterday"), now=READ)


@pytest.mark.parametrize(
    ("call", "part"),
    [
        ("scontrol -d -o show nodes", "nodes"),
        ("scontrol --json show partitions", "partitions"),
        ("scontrol show config", "settings"),
        ("scontrol show topoconf", "topology"),
        ("scontrol -o show reservations", "reservations"),
        ("sacctmgr --noheader show associations user=ada format=Account", "associations"),
        ("sacctmgr show qos", "qos"),
        ("squeue --noheader --states=running", "jobs"),
        ("sinfo --json", "nodes"),
        ("/opt/bin/python -m cfslurm.adapters.pyslurm_child", "nodes"),
        ("scontrol show node n1", None),
        ("scontrol -o show job 7", None),
        ("scontrol update nodename=n1 state=drain", None),
        ("scontrol ping", None),
        ("sbatch --parsable", None),
    ],
)
def test_part_behind_a_call(call: str, part: str | None) -> None:
    assert part_of(call.split()) == part


REFRESH = Refresh(nodes_s=10, settings_s=600, accounts_s=300)


@pytest.mark.parametrize(
    ("freshness", "oldest"),
    [
        (Freshness.NOW, {"nodes": 0, "jobs": 0, "partitions": 0, "qos": 0}),
        (
            Freshness.FREE_NOW,
            {"nodes": 0, "jobs": 0, "reservations": 0, "partitions": 600, "qos": 300},
        ),
        (Freshness.LIMITS, {"nodes": 10, "licenses": 10, "settings": 600, "shares": 300}),
        (Freshness.KEPT, {"nodes": float("inf"), "qos": float("inf")}),
    ],
)
def test_what_may_be_how_old(freshness: Freshness, oldest: dict[str, float]) -> None:
    assert {part: oldest_s(part, freshness, REFRESH) for part in oldest} == oldest


def test_a_limit_without_a_unit_is_refused_with_its_place() -> None:
    with pytest.raises(UserInputError, match=r"refresh_nodes \(site.yaml:7\): '10' has no unit"):
        refresh_s("10", where="refresh_nodes (site.yaml:7)")
