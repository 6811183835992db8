"""`cfslurm topo` on a real Slurm: what is used, closed and not known is what the picture shows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from xml.etree import ElementTree

import pytest

from tests.slurm.user import User


@pytest.fixture
def busy(user: User) -> Iterator[User]:
    """Three of four A100s in use, one node drained for a reason that would break a picture."""
    job = user.slurm.submit("--gres=gpu:a100_80:3", script="sleep 60")
    reason = 'fan "3" <broken> & loud'
    user.slurm.run("scontrol", "update", "nodename=ada-1", "state=drain", f"reason={reason}")
    user.eventually(lambda: user.slurm.job_state(job) == "RUNNING")
    yield user
    user.slurm.run("scontrol", "update", "nodename=ada-1", "state=resume")
    user.slurm.run("scancel", job)


def test_tree_shows_what_is_used_closed_and_not_known(busy: User) -> None:
    lines = busy.cfslurm("topo", "--fresh").stdout.splitlines()
    [a100] = [line for line in lines if "a100-1" in line]
    assert "■■■□" in a100
    assert "partly used" in a100
    assert "links not known (table: NVLink3 600 GB/s)" in a100
    [ada] = [line for line in lines if "ada-1" in line]
    assert "☒☒" in ada
    assert "<broken> & loud" in ada
    assert any("switch leaf-room" in line for line in lines)


def test_pictures_of_a_real_cluster_are_whole(busy: User) -> None:
    root = ElementTree.fromstring(busy.cfslurm("topo", "--svg", "--fresh").stdout)
    words = " ".join(root.itertext())
    assert "a100-1" in words
    assert "<broken> & loud" in words
    busy.cfslurm("topo", "--html", "-o", "cluster.html")
    page = (busy.folder / "cluster.html").read_text()
    assert "&quot; &lt;broken&gt; &amp; loud" in page
    assert "<broken>" not in page
    assert busy.cfslurm("topo", "leaf-fast", "--dot").stdout.count(" -- ") == 1
    assert busy.cfslurm("topo", "-o", "a.mmd").returncode == 0
    assert (busy.folder / "a.mmd").read_text().startswith("%% ")


def test_json_has_the_nodes_below_the_switch_that_was_named(busy: User) -> None:
    answer = json.loads(busy.cfslurm("topo", "leaf-fast", "--json").stdout)
    assert [node["name"] for node in answer["nodes"]] == ["a100-1"]
    assert [one["node_names"] for one in answer["classes"]] == [["a100-1"]]
    assert answer["links"] == []


def test_a_plan_is_drawn_where_it_puts_its_work(user: User) -> None:
    user.write(
        "schema: cfslurm.workflow/1\nname: one\ntasks:\n"
        '  hello: {command: ["true"], work: {time: 1s}, time: 1m}\n'
    )
    assert user.cfslurm("plan", "workflow.yaml", "-o", "plan.json").returncode == 0
    text = user.cfslurm("topo", "--plan", "plan.json").stdout
    [line] = [line for line in text.splitlines() if "cpu-1" in line]
    assert "plan: 1 of hello" in line


def test_a_picture_of_what_is_not_there_is_refused(user: User) -> None:
    done = user.cfslurm("topo", "leaf-fats", "--svg")
    assert done.returncode == 2
    assert "there is no node, switch or block 'leaf-fats'" in done.stderr
    assert "Did you mean leaf-fast?" in done.stderr
    assert "which kind of picture" in user.cfslurm("topo", "-o", "cluster.png").stderr
    assert not list(user.folder.glob("cluster*"))
