"""How often a real slurmctld is asked, and what is left when it does not answer."""

from __future__ import annotations

import json
import os
import re
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.slurm.conftest import Slurm
from tests.slurm.user import User

_RPC = re.compile(r"^\s*(REQUEST_\w+)\s+\(\s*\d+\) count:(\d+)", re.MULTILINE)
_WORK = "schema: cfslurm.workflow/1\nname: one\ntasks:\n  one: {command: ['true'], time: 1m}\n"


def _asked(user: User) -> Counter[str]:
    """How often slurmctld was asked for nodes, settings and switches; sdiag asks for none of them."""
    counts = Counter(
        {name: int(count) for name, count in _RPC.findall(user.slurm.run("sdiag").stdout)}
    )
    return Counter(
        {name: counts[f"REQUEST_{name}_INFO"] for name in ("NODE", "BUILD", "TOPO", "RESERVATION")}
    )


def _resume(user: User) -> None:
    user.slurm.run("scontrol", "update", "nodename=ada-[1-2]", "state=resume")
    for node in ("ada-1", "ada-2"):
        user.eventually(lambda node=node: user.slurm.node_state(node) == "idle")


def test_a_harvest_asks_once_and_looking_again_asks_nothing(user: User) -> None:
    before = _asked(user)
    assert user.cfslurm("harvest", "-o", "a.json").returncode == 0
    after = _asked(user)
    assert after - before == Counter(NODE=1, BUILD=1, TOPO=1, RESERVATION=1)
    first = user.json("info")
    assert user.json("info")["rows"] == first["rows"]
    assert _asked(user) == after
    assert user.cfslurm("info", "--fresh").returncode == 0
    assert _asked(user) - after == Counter(NODE=1, BUILD=1, TOPO=1, RESERVATION=1)


def test_a_plan_sees_a_node_that_was_drained_a_moment_ago(user: User) -> None:
    site = Path(user.slurm.env["CFSLURM_SITE"]).read_text()
    user.write(f"{site}\nslurm: {{refresh: {{nodes: 10m}}}}\n", "site.yaml")
    assert "ada-2" in str(user.json("--site", "site.yaml", "info", "--nodes"))
    user.write(_WORK)
    user.slurm.run("scontrol", "update", "nodename=ada-2", "state=drain", "reason=fan")
    try:
        info = user.json("--site", "site.yaml", "info", "--nodes")
        kept = {row["name"]: row["state_flags"] for row in info["rows"]}
        before = _asked(user)
        planned = user.json("--site", "site.yaml", "plan", "workflow.yaml")
        asked = _asked(user) - before
    finally:
        _resume(user)
    assert kept["ada-2"] == []  # a look may be old, and says so
    assert asked["NODE"] == asked["RESERVATION"] == 1
    assert asked["BUILD"] == 0
    (ada,) = [one for one in planned["plan"]["classes"] if "ada-2" in one["node_names"]]
    assert len(ada["free_gpus"]) == 1
    assert planned["age"]["file"] == ""


def test_an_explanation_asks_for_settings_anew_only_when_told(user: User) -> None:
    user.write(_WORK)
    user.json("info")
    before = _asked(user)
    assert user.cfslurm("explain", "workflow.yaml").returncode == 0
    usual = _asked(user) - before
    assert (usual["NODE"], usual["BUILD"]) == (1, 0)
    assert user.cfslurm("explain", "workflow.yaml", "--fresh").returncode == 0
    fresh = _asked(user) - before - usual
    assert (fresh["NODE"], fresh["BUILD"]) == (1, 1)


def test_diff_of_a_real_cluster(user: User) -> None:
    assert user.cfslurm("harvest", "-o", "a.json").returncode == 0
    same = user.cfslurm("harvest", "--diff", "a.json")
    assert (same.returncode, same.stdout.splitlines()[-1]) == (0, "Nothing has changed.")
    user.slurm.run("scontrol", "update", "nodename=ada-[1-2]", "state=drain", "reason=new fan")
    try:
        changed = user.cfslurm("harvest", "--diff", "a.json", "--json", "-o", "b.json")
    finally:
        _resume(user)
    assert changed.returncode == 1
    (change,) = json.loads(changed.stdout)["changes"]
    assert (change["kind"], change["names"], change["new"]) == (
        "state", "ada-[1-2]", "DRAIN (new fan)",
    )  # fmt: skip
    back = user.cfslurm("harvest", "--diff", "b.json", "--against", "a.json")
    assert back.returncode == 1
    assert "DRAIN (new fan) → takes jobs" in back.stdout


@pytest.fixture
def lonely(
    start_slurm: Callable[..., Slurm], tmp_path: Path, eventually: Callable[..., None]
) -> User:
    """A user of a cluster of his own, whose programs wait for slurmctld for 2 s only."""
    slurm = start_slurm("lonely")
    conf = tmp_path / "slurm.conf"
    conf.write_text((slurm.path / "slurm.conf").read_text() + "MessageTimeout=2\n")
    variables = {"HOME": str(tmp_path), "SLURM_CONF": str(conf), "PATH": slurm.env["PATH"]}
    return User(
        slurm=slurm, folder=tmp_path, runs=tmp_path / "runs", eventually=eventually,
        variables=variables,
    )  # fmt: skip


def _slurmctld(slurm: Slurm) -> int:
    return next(d.process.pid for d in slurm.state.daemons if d.program == "slurmctld")


def test_a_hung_slurmctld_is_told_and_the_last_answer_is_at_hand(lonely: User) -> None:
    first = lonely.json("info")
    pid = _slurmctld(lonely.slurm)
    os.kill(pid, signal.SIGSTOP)
    try:
        hung = lonely.cfslurm("info", "--fresh")
        harvest = lonely.cfslurm("harvest")
        last = lonely.json("info", "--last-known")
        recorded = lonely.cfslurm("harvest", "--last-known", "-o", "last.json")
    finally:
        os.kill(pid, signal.SIGCONT)
    for one in (hung, harvest):
        assert one.returncode == 75
        assert one.stdout == ""
        assert "could not reach Slurm" in one.stderr
        assert re.search(
            r"What it said [\d.]+s ago is kept: `cfslurm info --last-known`", one.stderr
        )
    assert last["rows"] == first["rows"]
    assert last["age"]["age_s"] >= 2
    assert recorded.returncode == 0
    lonely.write(_WORK)
    plan = lonely.cfslurm("plan", "workflow.yaml", "--hardware", "last.json")
    assert plan.returncode == 0, plan.stderr
    assert re.search(r"cluster sandbox, recorded \d+s ago \(text, last.json\)", plan.stderr)


def test_a_dead_slurmctld_is_told(lonely: User) -> None:
    os.kill(_slurmctld(lonely.slurm), signal.SIGKILL)
    done = lonely.cfslurm("harvest")
    assert done.returncode == 75
    assert "could not reach Slurm" in done.stderr
    assert "scontrol ping" in done.stderr
    assert "--last-known" not in done.stderr  # nothing was ever read here
