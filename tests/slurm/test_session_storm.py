"""An agent that is thrown off its node again and again ends as if nothing had ever happened to it."""

from __future__ import annotations

import itertools
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cfslurm import Session
from tests.slurm.user import User

WORKFLOW = """\
name: storm
tasks:
  agent:
    command: [python3, agent.py, "{steps}"]
    array: {{range: 0-11}}
    work: {{time: 20s}}
    time: 10m
    session: {{checkpoint: 1s}}
    preemptible: true
    resources: {{gpus: 1, gpu_types: [a100_80, rtx4090, rtx6000ada], mem: 50M}}
"""
AGENT = """\
import json, os, sys, time
import numpy as np
from cfslurm import Session

with Session.open() as session:
    generator = np.random.default_rng(7)
    session.register_rng("generator", generator)
    for step in range(session.get("step", 0), int(sys.argv[1])):
        time.sleep(0.05)
        drawn = generator.standard_normal(3)
        square = session.once(f"square {step}", lambda: step * step)
        session["sum"] = session.get("sum", np.zeros(3)) + drawn * square
        session["step"] = step + 1
        session.append({"step": step, "drawn": drawn, "square": square})
        session.checkpoint_if_due()
    total = session["sum"].tobytes().hex()
with open(os.environ["CFSLURM_RESULT"], "w") as result:
    json.dump({"sum": total, "events": len(session.events)}, result)
"""
STEPS_EACH = 40
QUIET = 11  # an item that nobody disturbs; with twelve, every class of nodes has a share


class Storm:
    """What can happen to the task that has the first item."""

    def __init__(self, user: User, run_id: str) -> None:
        self.user = user
        self.run_id = run_id
        self.job_id = user.status(run_id)["run"]["jobs"][0]["job_id"]
        self.nodes: list[str] = []

    def run(self, count: int, seed: int) -> None:
        """So many blows, each once the agent has gone on since the last."""
        chosen = random.Random(seed)
        kinds = (self.requeue_elsewhere, self.preempt, self.crash_of_the_node, self.requeue)
        for number in range(count):
            before = self.starts()
            reached = self.step()
            self.user.eventually(lambda least=reached: self.step() > least, within_s=120)
            self.nodes.append(self.node())
            kind = kinds[number % len(kinds)] if count <= len(kinds) else chosen.choice(kinds)
            kind(before)

    def item(self) -> dict[str, Any]:
        return self.user.items(self.run_id, "agent").get(0, {"starts": 0, "node": ""})

    def starts(self) -> int:
        return int(self.item()["starts"])

    def node(self) -> str:
        return str(self.item()["node"])

    def step(self) -> int:
        folder = self.user.runs / self.run_id / "sessions" / "agent.0"
        if not any(folder.glob("g*.h5")):
            return 0
        return int(Session.read(folder).state.get("step", 0))

    def again(self, before: int) -> None:
        """Wait until the item has been started once more."""
        self.user.eventually(lambda: self.starts() > before, within_s=120)

    def requeue(self, before: int) -> None:
        self.user.slurm.run("scontrol", "requeue", f"{self.job_id}_0")
        self.again(before)

    def requeue_elsewhere(self, before: int) -> None:
        """To a node of another class: those of its own take nothing new for a while."""
        before_class = self.item()["node_class"]
        alike = f"{self.node().split('-')[0]}-[1-2]" if "ada" in self.node() else self.node()
        self.admin(alike, "state=drain", "reason=storm")
        try:
            self.requeue(before)
        finally:
            self.admin(alike, "state=resume")
        assert self.item()["node_class"] != before_class

    def preempt(self, before: int) -> None:
        node = self.node()
        gpus = self.user.slurm.run("sinfo", "-h", "-n", node, "-o", "%G").stdout.split("(")[0]
        host = self.user.slurm.submit(
            "-p", "gpu", "-w", node, f"--gres={gpus.strip()}", script="sleep 2"
        )
        self.user.eventually(lambda: self.user.slurm.job_state(host) == "COMPLETED", within_s=90)
        self.again(before)

    def crash_of_the_node(self, before: int) -> None:
        node = self.node()
        self.user.slurm.fail(node)
        try:
            self.again(before)
        finally:
            self.user.slurm.recover(node)

    def admin(self, node: str, *changes: str) -> None:
        done = self.user.slurm.run("scontrol", "update", f"nodename={node}", *changes)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("blows", [3, pytest.param(20, marks=pytest.mark.soak)])
def test_result_is_that_of_an_undisturbed_run_byte_for_byte(
    user: User, blows: int, capsys: pytest.CaptureFixture[str]
) -> None:
    user.write(AGENT, "agent.py")
    run_id = user.submit(WORKFLOW.format(steps=STEPS_EACH * (blows + 1)))
    storm = Storm(user, run_id)
    user.eventually(lambda: storm.step() > 0, within_s=60)
    storm.run(blows, seed=20)
    user.wait(run_id, within_s=300)
    items = user.items(run_id, "agent")
    assert items[0]["starts"] > blows
    assert items[QUIET]["starts"] == 1
    assert {item["results"] for item in items.values()} == {1}
    assert items[0]["result"] == items[QUIET]["result"]
    disturbed, quiet = (_session(user.runs / run_id, number) for number in (0, QUIET))
    steps = [event["step"] for event in disturbed.events]
    assert steps == list(range(STEPS_EACH * (blows + 1)))
    pairs = zip(disturbed.events, quiet.events, strict=True)
    assert all(_bytes(one) == _bytes(other) for one, other in pairs)
    with capsys.disabled():
        moved = sum(one != other for one, other in itertools.pairwise(storm.nodes))
        sys.stdout.write(
            f"\n{blows} blows on {len(set(storm.nodes))} nodes, {moved} moves: the same result\n"
        )


def _session(run: Path, number: int) -> Any:
    return Session.read(run / "sessions" / f"agent.{number}")


def _bytes(event: dict[str, Any]) -> tuple[Any, ...]:
    drawn: Callable[[], bytes] = event["drawn"].tobytes
    return event["step"], drawn(), event["square"]
