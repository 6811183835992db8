"""A gang that is thrown off its nodes again and again goes on from one round, all of it together."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from cfslurm import Session
from tests.slurm.user import User

COMPONENTS = ("a", "b", "c")
WORKFLOW = """\
name: ring
gangs:
  ring:
    time: 10m
    retries: 20
    work: {time: 20s}
    components:
"""
for name, after, gpus in (("a", "b", 0), ("b", "c", 0), ("c", "a", 1)):
    WORKFLOW += f"""\
      {name}:
        command: [python3, ring.py, "{{component}}", "{{host.{after}}}", "{{port.{after}}}", "@ROUNDS@"]
        session: {{checkpoint: 1h, coordinated: true}}
        resources: {{mem: 50M, gpus: {gpus}}}
"""
# Each sends its number on and adds what it gets: with a message lost, doubled or from another past,
# the numbers are other ones. What is sent is drawn anew in every attempt's first round after `seed`,
# so that two pasts can be told apart.
RING = """\
import json, os, random, socket, sys, threading, time
from cfslurm import Session

me, host, port, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
server = socket.create_server(("", int(os.environ["CFSLURM_PORT"])))
chance = random.Random(os.urandom(8))

def connect():
    for _ in range(400):
        try:
            return socket.create_connection((host, port), timeout=60)
        except OSError:
            time.sleep(0.05)
    raise SystemExit("nobody listens")

with Session.open() as session:
    out = connect()
    incoming = server.accept()[0].makefile("r")
    for number in range(session.round + 1, rounds + 1):
        time.sleep(chance.uniform(0.0, 0.06))
        said = chance.getrandbits(30)
        out.sendall(f"{json.dumps([number, said])}\\n".encode())
        line = incoming.readline()
        if not line:
            time.sleep(60)  # the one before is gone: wait to be told
            raise SystemExit(1)
        got_number, heard = json.loads(line)
        assert got_number == number, (got_number, number)
        session.append({"round": number, "said": said, "heard": heard})
        session.checkpoint_round(number)
with open(os.environ["CFSLURM_RESULT"], "w") as result:
    json.dump(len(session.events), result)
"""


def _events(user: User, run_id: str, name: str) -> list[dict[str, int]]:
    folder = user.runs / run_id / "sessions" / f"ring.0.{name}"
    return list(Session.read(folder).events) if any(_generations(folder)) else []


def _leader(user: User, run_id: str) -> dict[str, Any]:
    job: dict[str, Any] = user.status(run_id)["run"]["jobs"][0]
    return job


def _restarts(user: User, run_id: str) -> int:
    return int(_leader(user, run_id)["restarts"])


def _requeue(user: User, run_id: str, chance: random.Random) -> None:
    user.slurm.run("scontrol", "requeue", _leader(user, run_id)["job_id"])


def _kill_one(user: User, run_id: str, chance: random.Random) -> None:
    """SIGKILL for the program of one component."""
    name = chance.choice(COMPONENTS)
    found = subprocess.run(
        ["pgrep", "-f", f"^python3 ring.py {name} "], capture_output=True, text=True, check=False
    )
    for pid in found.stdout.split():
        if Path(f"/proc/{pid}/cwd").resolve() == user.folder.resolve():
            os.kill(int(pid), signal.SIGKILL)


def _lose_a_node(user: User, run_id: str, chance: random.Random) -> None:
    """Not the leader's: in Slurm 22.05 a leader that comes back within seconds fails by its own ghost."""
    nodes = user.slurm.run("squeue", "-h", "-o", "%i %N").stdout.splitlines()
    node = chance.choice(sorted(line.split()[1] for line in nodes if "+0 " not in line))
    user.slurm.fail(node)
    time.sleep(2)
    user.slurm.recover(node)


def _generations(folder: Path) -> list[Path]:
    return sorted(folder.glob("g*.h5")) if folder.exists() else []


@pytest.mark.parametrize("blows", [2, pytest.param(12, marks=pytest.mark.soak)])
def test_no_message_is_lost_doubled_or_from_another_past(
    user: User, blows: int, capsys: pytest.CaptureFixture[str]
) -> None:
    rounds = 40 * (blows + 1)
    user.write(RING, "ring.py")
    run_id = user.submit(WORKFLOW.replace("@ROUNDS@", str(rounds)))
    chance = random.Random(blows)
    far = 0
    for _ in range(blows):
        user.eventually(lambda least=far: len(_events(user, run_id, "b")) > least, within_s=180)
        before = _restarts(user, run_id)
        chance.choice((_requeue, _kill_one, _lose_a_node))(user, run_id, chance)
        user.eventually(lambda least=before: _restarts(user, run_id) > least, within_s=120)
        far = len(_events(user, run_id, "b"))
    user.wait(run_id, within_s=300)
    logs = {name: _events(user, run_id, name) for name in COMPONENTS}
    for name, log in logs.items():
        assert [event["round"] for event in log] == list(range(1, rounds + 1)), name
    for name, after in zip(COMPONENTS, (*COMPONENTS[1:], COMPONENTS[0]), strict=True):
        assert [e["said"] for e in logs[name]] == [e["heard"] for e in logs[after]]
    restarts = _restarts(user, run_id)
    assert restarts >= blows
    for name in COMPONENTS:  # what no restart can need any more is gone
        assert len(_generations(user.runs / run_id / "sessions" / f"ring.0.{name}")) <= 6
    with capsys.disabled():
        sys.stdout.write(
            f"\n{restarts} restarts of a gang of 3, {rounds} rounds: every message once\n"
        )


def test_a_task_cannot_be_coordinated(user: User) -> None:
    user.write(
        "name: t\ntasks:\n  t: {command: [env], time: 1m, work: {time: 1s}, session: {coordinated: true}}\n"
    )
    done = user.cfslurm("validate", "workflow.yaml")
    assert done.returncode != 0
    assert "tasks.t.session.coordinated" in done.stdout + done.stderr
