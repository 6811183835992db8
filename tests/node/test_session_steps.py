"""Steps that happen at most once, and sessions that several threads share."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cfslurm import Session
from cfslurm.errors import SessionError

KILLED = """
import os, signal
from cfslurm import Session

with Session.open("post") as session:
    @session.step("send 1")
    def receipt():
        open("sent", "a").write("x")
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(autouse=True)
def in_own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_step_runs_where_it_stands_and_is_replayed_after_a_restart() -> None:
    calls = []
    for _ in range(2):
        with Session.open("post") as session:

            @session.step("send 1")
            def receipt() -> dict[str, int]:
                calls.append("sent")
                return {"number": 7}

            assert receipt == {"number": 7}
    assert calls == ["sent"]


def test_a_step_that_was_killed_after_its_effect_is_not_done_again_without_being_asked() -> None:
    done = subprocess.run([sys.executable, "-c", KILLED], check=False)
    assert done.returncode == -9
    assert Path("sent").read_text() == "x"
    for _ in range(2):  # not by the first restart, and not by any later one
        with Session.open("post") as session:
            with pytest.raises(SessionError, match="begun and has no result") as caught:
                session.step("send 1")(lambda: pytest.fail("ran twice"))
            assert "once('send 1'" in caught.value.remedy
            session.forget_steps()
    with Session.open("post") as session:
        assert session.once("send 1", lambda: "it had arrived") == "it had arrived"
        assert session.step("send 1")(lambda: pytest.fail("ran twice")) == "it had arrived"
        session.forget_steps()
        assert session.step("send 1")(lambda: "anew") == "anew"


def test_a_step_that_has_raised_may_have_had_its_effect() -> None:
    with Session.open("post") as session:
        with pytest.raises(ZeroDivisionError):
            session.step("send")(lambda: 1 // 0)
        with pytest.raises(SessionError, match="begun"):
            session.step("send")(lambda: 1)


def test_the_mark_of_a_begun_step_is_no_key() -> None:
    with Session.open("post") as session:
        for use in (session.once, lambda key, function: session.step(key)(function)):
            with pytest.raises(SessionError, match="no key of a step"):
                use("send (begun)", lambda: 1)


def test_a_step_within_itself_is_refused() -> None:
    with Session.open("post") as session:
        with pytest.raises(SessionError, match="calls itself"):
            session.once("a", lambda: session.once("a", lambda: 1))
        assert session.once("a", lambda: session.once("b", lambda: 2)) == 2


def write(session: Session, number: int) -> None:
    for turn in range(100):
        session[f"{number}.{turn}"] = turn
        session.append([number, turn])
        if turn % 10 == number:
            session.commit()
        if turn % 25 == number:
            session.once(f"{number}.{turn}", lambda: 1)
        if turn % 50 == number:
            session.checkpoint()
            del session[f"{number}.{turn}"]


def test_threads_that_set_append_record_and_save_lose_nothing() -> None:
    with Session.open("many") as session, ThreadPoolExecutor(6) as pool:
        for done in [pool.submit(write, session, number) for number in range(6)]:
            done.result()
    found = Session.read("sessions/many")
    assert len(found.state) == 6 * (100 - 2)
    for number in range(6):
        assert [turn for one, turn in found.events if one == number] == list(range(100))
    assert len(found.steps) == 6 * 4


def test_a_step_may_wait_for_a_thread_that_uses_the_session() -> None:
    with Session.open("wait") as session:

        def ask() -> int:
            thread = threading.Thread(target=lambda: session.append("from there"))
            thread.start()
            thread.join(10)
            return 0 if thread.is_alive() else len(session.events)

        assert session.once("ask", ask) == 1
