"""Sessions and the end of processes: kill, race, requeue on another node class."""

from __future__ import annotations

import contextlib
import os
import random
import select
import signal
import struct
import subprocess
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cfslurm import Session
from cfslurm.adapters import session_claims
from cfslurm.adapters.clock import SystemClock
from cfslurm.core.session.claims import SessionHeldError
from cfslurm.errors import SessionError
from cfslurm.node import session_saving
from tests.forked import start_child

ACK = struct.Struct("<cQ")
SOAK_TRIALS = int(os.environ.get("CFSLURM_SOAK", "1000"))


@pytest.fixture(autouse=True)
def in_own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def exit_code(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


# --- SIGKILL at any time


def work_for_ever(pipe: int, effects: Path) -> int:
    """Save, record and tell, until killed. What was told must never be lost."""
    session_saving.JOURNAL_BYTES = 40_000  # so that it is also killed while it compacts
    with Session.open("coder") as session:
        check_whole(dict(session), len(session.events))
        step = session.get("step", 0)
        while True:
            step += 1
            session["step"] = step
            session["array"] = np.full(700, step)
            session["nested"] = {"again": [step, str(step)]}
            session.append(step)
            generation = session.checkpoint()
            os.write(pipe, ACK.pack(b"g", generation))

            def effect(key: int = step) -> int:
                with effects.open("ab", buffering=0) as file:
                    file.write(b"%d\n" % key)
                return key

            if session.once(f"step {step}", effect) != step:
                return 1
            os.write(pipe, ACK.pack(b"s", step))
            for _ in range(3):
                step += 1
                session["step"] = step
                session["array"] = np.full(700, step)
                session["nested"] = {"again": [step, str(step)]}
                session.append(step)
                session.commit()
                os.write(pipe, ACK.pack(b"c", step))


def check_whole(state: dict[str, Any], events: int) -> None:
    """A state is of one step, never a mixture of two."""
    if state:
        step = state["step"]
        assert (state["array"] == step).all()
        assert state["array"].shape == (700,)
        assert state["nested"] == {"again": [step, str(step)]}
        assert events == step


@dataclass
class Tally:
    trials: int = 0
    generations: int = 0
    commits: int = 0
    steps: int = 0
    before_any: int = 0
    unacknowledged: int = 0


def kill_trials(count: int, seed: int) -> Tally:
    chance = random.Random(seed)
    effects = Path("effects")
    effects.touch()
    tally = Tally()
    told_generation, told_steps, told_commit = 0, set[int](), 0
    while tally.trials < count:
        read_end, write_end = os.pipe()
        child = start_child(lambda end=write_end: work_for_ever(end, effects))  # type: ignore[misc]
        os.close(write_end)
        acks = b""
        wanted = chance.randrange(0, 6) * ACK.size
        while len(acks) < wanted:
            piece = os.read(read_end, ACK.size)
            assert piece, f"the child ended by itself with {exit_code(child)}"
            acks += piece
        select.select([], [], [], chance.random() * 0.008)  # the moment of the kill, by chance
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        while piece := os.read(read_end, 65536):
            acks += piece
        os.close(read_end)
        tally.trials += 1
        tally.before_any += not acks
        for kind, number in ACK.iter_unpack(acks[: len(acks) // ACK.size * ACK.size]):
            if kind == b"g":
                told_generation = max(told_generation, number)
                tally.generations += 1
            elif kind == b"c":
                told_commit = number
                tally.commits += 1
            else:
                told_steps.add(number)
                tally.steps += 1
        if told_generation:
            check_after(told_generation, told_steps, effects, tally)
            assert Session.read("sessions/coder").state["step"] >= told_commit
    return tally


def check_after(told_generation: int, told_steps: set[int], effects: Path, tally: Tally) -> None:
    found = Session.read("sessions/coder")
    assert found.warnings == ()
    assert found.generation >= told_generation
    tally.unacknowledged += found.generation > told_generation
    check_whole(dict(found.state), len(found.events))
    assert list(found.events) == list(range(1, len(found.events) + 1))
    assert {f"step {step}" for step in told_steps} <= set(found.steps)
    ran = effects.read_text().split()
    twice = {int(step) for step in ran if ran.count(step) > 1}
    assert not twice & told_steps, "an effect ran again after its result was recorded"


def test_killed_at_any_time_nothing_acknowledged_is_lost() -> None:
    tally = kill_trials(30, seed=1)
    assert tally.trials == 30
    assert tally.generations > 25
    assert tally.commits > 25
    assert len(list(Path("sessions/coder").glob(".tmp*"))) <= 2, "leftovers are swept"


@pytest.mark.soak
def test_killed_at_any_time_for_long(capsys: pytest.CaptureFixture[str]) -> None:
    seed = random.randrange(2**32)
    with capsys.disabled():
        print(f"\nSIGKILL trials with seed {seed}:", end=" ", flush=True)  # noqa: T201
        print(kill_trials(SOAK_TRIALS, seed), "lost 0, torn 0")  # noqa: T201


# --- Races


def race(count: int, contend: Callable[[int, Callable[[], None]], int]) -> list[int]:
    """Let processes go at the same moment, and go on when all have said something."""
    gate, tell, wait = os.pipe(), os.pipe(), os.pipe()

    def contender(number: int) -> int:
        os.close(gate[1])
        os.close(wait[1])
        os.read(gate[0], 1)  # closed by the parent: go

        def meet() -> None:
            os.write(tell[1], b"x")
            os.read(wait[0], 1)

        return contend(number, meet)

    children = [start_child(lambda n=n: contender(n)) for n in range(count)]  # type: ignore[misc]
    os.close(gate[1])
    for _ in children:
        os.read(tell[0], 1)
    os.close(wait[1])
    codes = [exit_code(child) for child in children]
    for descriptor in (gate[0], tell[0], tell[1], wait[0]):
        os.close(descriptor)
    return codes


@pytest.mark.parametrize("round_", range(5))
def test_of_writers_that_race_on_one_machine_exactly_one_goes_on(round_: int) -> None:
    def contend(number: int, meet: Callable[[], None]) -> int:
        try:
            session = Session.open("coder")
        except SessionHeldError:
            meet()
            return 50
        meet()
        session["winner"] = number
        session.close()
        return 0

    codes = race(4, contend)
    assert sorted(codes) == [0, 50, 50, 50]
    assert Session.read("sessions/coder").state == {"winner": codes.index(0)}
    assert Session.read("sessions/coder").epoch == 1


@pytest.mark.parametrize("round_", range(5))
def test_of_jobs_that_race_on_different_machines_exactly_one_goes_on(
    round_: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They cannot see each other: the last claim wins, and the others stop with 3."""

    def contend(number: int, meet: Callable[[], None]) -> int:
        monkeypatch.setenv("SLURM_JOB_ID", str(100 + number))
        monkeypatch.setattr(session_claims, "_first_line", lambda _: f"machine {number}")
        monkeypatch.setattr(session_claims, "_started", lambda _: 1)
        monkeypatch.setattr("socket.gethostname", lambda: f"n{number}")
        try:
            session = Session.open("coder")
        except SessionError:
            meet()
            return 3
        with session:
            meet()
            session["winner"] = number
            session.checkpoint()
        return 0

    codes = race(4, contend)
    assert sorted(codes) == [0, 3, 3, 3]
    assert Session.read("sessions/coder").state == {"winner": codes.index(0)}


# --- A holder that is frozen, and clocks that lie


def test_a_frozen_holder_finds_itself_superseded_when_it_wakes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """SIGSTOP in the middle of its work, as a hanging node; the job goes on elsewhere meanwhile."""
    ready, go = os.pipe(), os.pipe()
    monkeypatch.setenv("SLURM_JOB_ID", "12")

    def holder() -> int:
        with Session.open("coder") as session:
            session["x"] = 1
            session.commit()
            session["x"] = 2
            session.commit()
            os.write(ready[1], b"x")
            os.read(go[0], 1)
            session["x"] = 99
            session.commit()
        return 0

    child = start_child(holder)
    os.read(ready[0], 1)
    os.kill(child, signal.SIGSTOP)
    with pytest.raises(SessionError, match="which lives"):
        Session.open("coder")
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    with Session.open("coder") as session:
        assert session["x"] == 2
        os.write(go[1], b"x")
        os.kill(child, signal.SIGCONT)
        assert exit_code(child) == 3
        session["x"] += 1
        session.commit()
    assert Session.read("sessions/coder").state == {"x": 3}


@pytest.mark.parametrize("skew_s", [-400_000_000, 400_000_000])
def test_a_node_with_another_clock_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, skew_s: int
) -> None:
    """Only numbers decide: a claim or a generation from the future wins nothing."""
    real = SystemClock.now
    monkeypatch.setenv("CFSLURM_SESSION_KEEP", "2")
    with Session.open("coder") as session:
        session["x"] = 1
    for node, skew in enumerate((skew_s, 0, skew_s, -skew_s)):
        with monkeypatch.context() as clock:
            clock.setattr(SystemClock, "now", lambda self, skew=skew: real(self) + skew)
            with Session.open("coder") as session:
                assert session["x"] == 1 + node
                session["x"] += 1
                session.commit()
                session.checkpoint()
                session.checkpoint()
                assert session.generation == max(
                    int(path.stem[-12:]) for path in Path("sessions/coder").glob("g*")
                )
    found = Session.read("sessions/coder")
    assert (found.state, found.warnings) == ({"x": 5}, ())


# --- Requeue, also on another node class

PROGRAM = textwrap.dedent("""
    import sys
    import numpy as np
    from cfslurm import Session

    with Session.open("walk") as session:
        generator = np.random.default_rng(5)
        session.register_rng("walk", generator)
        position = session.get("position", np.zeros(3))
        for step in range(session.get("step", 0), 40):
            print(step, flush=True)
            position = position + generator.standard_normal(3)
            session.append({"step": step, "node": "not saved"})
            session["answer"] = session.once(f"ask {step}", lambda: step * 2)
            session["position"] = position
            session["step"] = step + 1
            session.checkpoint_if_due()
            if len(sys.argv) > 1:
                sys.stdin.readline()
""")


def run_attempt(
    environment: dict[str, str], *, end_at: int | None = None, number: int = signal.SIGTERM
) -> int:
    """Run the program; at a step of its output send a signal. Its exit code."""
    argv = [sys.executable, "-c", PROGRAM] + ([] if end_at is None else ["slowly"])
    with subprocess.Popen(
        argv,
        env={**os.environ, **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        for line in child.stdout:
            if end_at is not None and int(line) >= end_at:
                child.send_signal(number)
            with contextlib.suppress(BrokenPipeError):
                child.stdin.write("\n")
                child.stdin.flush()
        with contextlib.suppress(BrokenPipeError):
            child.stdin.close()
        return child.wait()


def test_requeued_run_ends_bitwise_like_an_uninterrupted_one(tmp_path: Path) -> None:
    assert run_attempt({"CFSLURM_SESSION_DIR": str(tmp_path / "whole")}) == 0
    place = {"CFSLURM_SESSION_DIR": str(tmp_path / "cut"), "SLURM_JOB_ID": "12"}
    a100 = {**place, "SLURMD_NODENAME": "a1", "CFSLURM_NODE_CLASS": "a100"}
    rtx = {**place, "SLURMD_NODENAME": "r1", "CFSLURM_NODE_CLASS": "rtx4090"}
    assert run_attempt(a100, end_at=5) == 75
    assert run_attempt({**rtx, "SLURM_RESTART_COUNT": "1"}, end_at=11, number=signal.SIGUSR1) == 75
    killed = run_attempt({**a100, "SLURM_RESTART_COUNT": "2"}, end_at=20, number=signal.SIGKILL)
    assert killed == -signal.SIGKILL
    assert run_attempt({**rtx, "SLURM_JOB_ID": "13"}) == 0
    whole, cut = Session.read(tmp_path / "whole"), Session.read(tmp_path / "cut")
    assert cut.epoch == 4
    assert whole.state["position"].tobytes() == cut.state["position"].tobytes()
    assert list(whole.events) == list(cut.events)
    assert whole.steps == cut.steps
