"""What cfslurm reads of a real Slurm is what the sandbox' profile says; with every version of Slurm."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cfslurm.adapters.profile_file import load_profile
from cfslurm.core.slurm.hostlist import fold
from tests.slurm.user import User


def _plan(user: User, task: str) -> dict[str, Any]:
    user.write(f"schema: cfslurm.workflow/1\nname: one\ntasks:\n  one: {task}\n")
    return user.json("plan", "workflow.yaml")


def test_nodes_are_those_of_the_profile(user: User) -> None:
    nodes = json.loads(user.cfslurm("harvest").stdout)["nodes"]
    seen = {
        node["name"]: (
            node["cpus"],
            node["real_memory_mib"],
            tuple(node["features"]),
            tuple((gpus["gpu_type"], gpus["count"], gpus["used"]) for gpus in node["gpus"]),
            node["state"],
        )
        for node in nodes
    }
    assert seen == {
        name: (
            group.cpus,
            group.real_memory_mib,
            tuple(group.features),
            tuple((gpus.type, gpus.count, 0) for gpus in group.gpus),
            "IDLE",
        )
        for group in load_profile("lab").nodes
        for name in group.node_names
    }


def test_version_and_partitions_are_read(user: User) -> None:
    graph = json.loads(user.cfslurm("harvest").stdout)
    assert user.slurm.state.slurm_version.startswith(graph["controller"]["slurm_version"])
    assert graph["warnings"] == []
    seen = {
        one["name"]: (
            fold(one["node_names"]), one["is_default"], one["priority_tier"], one["preempt_mode"],
            one["max_time_s"],
        )
        for one in graph["partitions"]
    }  # fmt: skip
    assert seen == {
        "gpu": ("a100-1,ada-[1-2],rtx4090-1", True, 10, "OFF", 86_400),
        "cpu": ("cpu-[1-2]", False, 5, "OFF", 86_400),
        "preempt": ("a100-1,ada-[1-2],cpu-[1-2],rtx4090-1", False, 1, "REQUEUE", 86_400),
    }


def test_plan_has_the_classes_of_the_profile(user: User) -> None:
    plan = _plan(user, '{command: ["true"], work: {time: 1s}, time: 1m}')
    classes = {one["name"]: sorted(one["node_names"]) for one in plan["plan"]["classes"]}
    assert classes == {
        "a100_80-x4": ["a100-1"],
        "rtx4090-x8": ["rtx4090-1"],
        "rtx6000ada-x2": ["ada-1", "ada-2"],
        "cpu-32": ["cpu-1", "cpu-2"],
    }


def test_gpus_in_use_are_counted(user: User) -> None:
    job = user.slurm.submit("--gres=gpu:a100_80:3", script="sleep 60")
    user.eventually(lambda: user.slurm.job_state(job) == "RUNNING")
    nodes = {node["name"]: node for node in json.loads(user.cfslurm("harvest").stdout)["nodes"]}
    assert [gpus["used"] for gpus in nodes["a100-1"]["gpus"]] == [3]
    assert nodes["a100-1"]["state"] == "MIXED"
    user.slurm.run("scancel", job)


@pytest.mark.parametrize("reader", ["auto", "json"])
def test_site_chooses_the_reader_and_doctor_shows_it(user: User, reader: str) -> None:
    user.write(f"schema: cfslurm.site/1\nslurm: {{reader: {reader}}}\n", name="site.yaml")
    backend = "text" if reader == "auto" else reader
    graph = json.loads(user.cfslurm("--site", "site.yaml", "harvest").stdout)
    assert graph["backend"] == backend
    checks = user.json("--site", "site.yaml", "doctor")["checks"]
    (shown,) = [one["detail"] for one in checks if one["name"] == "Reader"]
    assert shown.startswith(f"{backend} (slurm_reader: {reader}, ")


def test_reader_that_does_not_exist_is_a_mistake_of_the_site_file(user: User) -> None:
    user.write("schema: cfslurm.site/1\nslurm: {reader: guess}\n", name="site.yaml")
    done = user.cfslurm("--site", "site.yaml", "harvest")
    assert done.returncode == 2
    assert "slurm.reader" in done.stderr
