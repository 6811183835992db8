"""The session as a program sees it."""

from __future__ import annotations

import os
import random
import signal
import struct
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cfslurm import Session
from cfslurm.core.session.claims import SessionHeldError, SessionSupersededError
from cfslurm.errors import SessionError


@pytest.fixture(autouse=True)
def in_own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def handlers() -> Iterator[None]:
    """The signal handlers are put back even if a test fails."""
    numbers = (signal.SIGTERM, signal.SIGUSR1)
    earlier = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, earlier, strict=True):
        signal.signal(number, handler)


def attempt(monkeypatch: pytest.MonkeyPatch, job: str, restarts: int) -> None:
    """Be this attempt of a job from now on; Slurm does not set a restart count of 0."""
    monkeypatch.setenv("SLURM_JOB_ID", job)
    if restarts:
        monkeypatch.setenv("SLURM_RESTART_COUNT", str(restarts))


# --- State


def test_state_is_a_mapping_that_comes_back() -> None:
    with Session.open("coder") as session:
        assert dict(session) == {}
        session["step"] = 1
        session.update(a=[1], b=None)
        del session["b"]
        assert ("a" in session, "b" in session, len(session)) == (True, False, 2)
        assert session.get("b", 7) == 7
        assert list(session.keys()) == ["step", "a"]
    with Session.open("coder") as session:
        assert dict(session) == {"step": 1, "a": [1]}


def test_value_is_saved_as_it_is_at_the_checkpoint() -> None:
    with Session.open("coder") as session:
        session["list"] = []
        session["array"] = np.zeros(3)
        session["list"].append(1)
        session["array"] += 1
    found = Session.read("sessions/coder").state
    assert (found["list"], found["array"].tolist()) == ([1], [1, 1, 1])


def test_value_that_cannot_be_kept_is_refused_where_it_is_set() -> None:
    with Session.open("coder") as session:
        session["good"] = 1
        with pytest.raises(SessionError, match=r"session\['bad'\]\['x'\] is of type set"):
            session["bad"] = {"x": {1}}
        assert list(session) == ["good"]


def test_value_that_became_bad_later_stops_the_checkpoint_and_nothing_else() -> None:
    with Session.open("coder") as session:
        session["list"] = [1]
        session.checkpoint()
        session["list"].append({1})
        with pytest.raises(SessionError, match=r"session\['list'\]\[1\] is of type set"):
            session.checkpoint()
        assert Session.read("sessions/coder").state == {"list": [1]}
        session["list"].pop()


def test_events_are_a_log() -> None:
    with Session.open("coder") as session:
        event = {"role": "user", "text": "é\n"}
        session.append(event)
        event["role"] = "changed later"
        session.append((1, b"x"))
    with Session.open("coder") as session:
        session.append(np.float32(1.5))
        assert session.events[0] == {"role": "user", "text": "é\n"}
        assert session.events[-1] == np.float32(1.5)
        assert session.events[1:] == [(1, b"x"), np.float32(1.5)]
        assert len(session.events) == 3


def test_generation_grows_over_restarts() -> None:
    with Session.open("coder") as session:
        assert (session.generation, session.restarts) == (1, 0)
        assert session.checkpoint() == 2
    with Session.open("coder") as session:
        assert (session.generation, session.restarts) == (4, 1)


# --- Leaving


def test_exception_saves_nothing() -> None:
    def program() -> None:
        with Session.open("coder") as session:
            session["step"] = 1
            session.checkpoint()
            session["step"] = 2
            session["step"] //= 0

    with pytest.raises(ZeroDivisionError):
        program()
    assert Session.read("sessions/coder").state == {"step": 1}
    with Session.open("coder") as session:
        assert session["step"] == 1


def test_stop_saves_and_ends_with_75() -> None:
    def program() -> None:
        with Session.open("coder") as session:
            session["step"] = 1
            session.stop()

    with pytest.raises(SystemExit) as caught:
        program()
    assert caught.value.code == 75
    assert Session.read("sessions/coder").state == {"step": 1}


def test_closed_session_is_not_written() -> None:
    with Session.open("coder") as session:
        pass
    session.close()
    for use in (
        session.checkpoint,
        session.stop,
        lambda: session.once("a", lambda: 1),
        lambda: session.append(1),
        lambda: session.update(a=1),
        lambda: session.register_rng("r", random.Random(1)),
    ):
        with pytest.raises(SessionError, match="is closed"):
            use()


def test_failed_save_at_the_end_is_an_error_and_lets_go() -> None:
    def program() -> None:
        with Session.open("coder") as session:
            session["list"] = []
            session["list"].append({1})

    with pytest.raises(SessionError, match="is of type set"):
        program()
    Session.open("coder").close()


# --- When


class FakeClock:
    def __init__(self) -> None:
        self.time_s = 0.0

    def now(self) -> float:
        return self.time_s

    def monotonic(self) -> float:
        return self.time_s


def test_checkpoint_when_the_interval_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FakeClock()
    monkeypatch.setattr("cfslurm.node.session.SystemClock", lambda: clock)
    monkeypatch.setenv("CFSLURM_SESSION_INTERVAL", "60")
    with Session.open("coder") as session:
        saved = []
        for clock.time_s in (0, 59, 60, 61, 119, 120):
            saved.append(session.checkpoint_if_due())
        assert saved == [False, False, True, False, False, True]


def test_interval_of_zero_saves_every_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CFSLURM_SESSION_INTERVAL", "0")
    with Session.open("coder") as session:
        assert [session.checkpoint_if_due() for _ in range(3)] == [True] * 3


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_signal_ends_a_plain_loop_at_its_safe_point(handlers: None, number: signal.Signals) -> None:
    def program() -> None:
        with Session.open("coder") as session:
            for step in range(10):
                if step == 3:
                    os.kill(os.getpid(), number)
                    os.kill(os.getpid(), number)
                    assert session.interrupted
                session["step"] = step + 1
                session.checkpoint_if_due()

    with pytest.raises(SystemExit) as caught:
        program()
    assert caught.value.code == 75
    assert Session.read("sessions/coder").state == {"step": 4}
    with Session.open("coder") as session:
        assert session["step"] == 4
        assert not session.interrupted


def test_handlers_are_chained_and_put_back(handlers: None) -> None:
    heard: list[int] = []

    def earlier(number: int, _frame: Any) -> None:
        heard.append(number)

    signal.signal(signal.SIGTERM, earlier)
    with Session.open("coder") as outer, Session.open("other") as inner:
        os.kill(os.getpid(), signal.SIGTERM)
        assert (outer.interrupted, inner.interrupted) == (True, True)
    assert heard == [signal.SIGTERM]
    assert signal.getsignal(signal.SIGTERM) is earlier


def test_handler_that_was_set_later_stays(handlers: None) -> None:
    def later(number: int, _frame: Any) -> None:
        pass

    with Session.open("coder"):
        signal.signal(signal.SIGTERM, later)
    assert signal.getsignal(signal.SIGTERM) is later


def test_signals_can_be_left_alone(handlers: None) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with Session.open("coder", signals=False) as session:
        assert signal.getsignal(signal.SIGTERM) is before
        assert not session.interrupted


def test_thread_opens_without_handlers() -> None:
    before = signal.getsignal(signal.SIGTERM)
    problems: list[BaseException] = []

    def work() -> None:
        try:
            with Session.open("coder") as session:
                session["x"] = 1
                assert signal.getsignal(signal.SIGTERM) is before
        except BaseException as error:
            problems.append(error)
            raise

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert not problems


# --- Steps


def test_step_is_replayed_and_the_state_is_as_of_the_checkpoint() -> None:
    calls: list[str] = []

    def effect() -> dict[str, Any]:
        calls.append("effect")
        return {"answer": (1, np.arange(2)), "text": "x"}

    def crash() -> None:
        with Session.open("coder") as session:
            session["count"] = 0
            session.checkpoint()
            session["count"] += 1
            assert session.once("ask", effect)["answer"][0] == 1
            raise KeyError

    with pytest.raises(KeyError):
        crash()
    with Session.open("coder") as session:
        assert session["count"] == 0
        session["count"] += 1
        replayed = session.once("ask", effect)
        assert replayed["answer"][1].tolist() == [0, 1]
        assert session["count"] == 1
    with Session.open("coder") as session:
        assert session.once("ask", effect)["text"] == "x"
    assert calls == ["effect"]
    assert list(Session.read("sessions/coder").steps) == ["ask"]


def test_first_call_returns_what_a_replay_returns() -> None:
    value = {"list": [1]}
    with Session.open("coder") as session:
        first = session.once("ask", lambda: value)
        assert first == value
        assert first is not value
        first["list"].append(2)
        assert session.once("ask", lambda: None) == {"list": [1]}


def test_failing_step_is_not_recorded() -> None:
    with Session.open("coder") as session:
        with pytest.raises(ZeroDivisionError):
            session.once("ask", lambda: 1 // 0)
        with pytest.raises(SessionError, match="the result of step 'ask' is of type set"):
            session.once("ask", lambda: {1})
        assert session.once("ask", lambda: 5) == 5


@pytest.mark.parametrize("key", [1, None, "\ud800"])
def test_key_of_a_step_is_text(key: Any) -> None:
    with Session.open("coder") as session:
        with pytest.raises(SessionError, match="steps"):
            session.once(key, lambda: 1)
        with pytest.raises(SessionError, match="generators"):
            session.register_rng(key, random.Random(1))


def test_steps_are_not_forgotten_by_a_save_that_fails() -> None:
    with Session.open("coder") as session:
        session.once("ask", lambda: 1)
        session["list"] = []
        session["list"].append({1})
        with pytest.raises(SessionError, match="is of type set"):
            session.forget_steps()
        assert session.once("ask", lambda: 2) == 1
        del session["list"]


def test_forgotten_step_runs_again() -> None:
    with Session.open("coder") as session:
        assert session.once("ask", lambda: 1) == 1
        session["past"] = True
        session.forget_steps()
        assert session.once("ask", lambda: 2) == 2
    found = Session.read("sessions/coder")
    assert (found.steps, found.state) == ({"ask": 2}, {"past": True})


# --- Random generators


def test_generators_go_on_where_the_checkpoint_was() -> None:
    def draws(generator: np.random.Generator, plain: random.Random) -> list[float]:
        return [generator.random(), plain.random()]

    expected_numpy, expected_plain = np.random.default_rng(1), random.Random(1)
    expected = [draws(expected_numpy, expected_plain) for _ in range(6)]

    def crash() -> None:
        with Session.open("coder") as session:
            generator, plain = np.random.default_rng(1), random.Random(1)
            session.register_rng("numpy", generator)
            session.register_rng("plain", plain)
            assert [draws(generator, plain) for _ in range(3)] == expected[:3]
            session.checkpoint()
            draws(generator, plain)
            raise KeyError

    with pytest.raises(KeyError):
        crash()
    Session.open("coder").close()  # an attempt that never asks for them keeps them
    with Session.open("coder") as session:
        generator, plain = np.random.default_rng(99), random.Random(99)
        session.register_rng("numpy", generator)
        session.register_rng("plain", plain)
        assert [draws(generator, plain) for _ in range(3)] == expected[3:]


def test_what_is_no_generator_is_refused() -> None:
    with Session.open("coder") as session, pytest.raises(SessionError, match="no generator"):
        session.register_rng("r", random)


# --- Where


def test_place_of_a_job(monkeypatch: pytest.MonkeyPatch, weird_path: Path) -> None:
    folder = weird_path / "run" / "sessions" / "agents.7"
    monkeypatch.setenv("CFSLURM_SESSION", "agents.7")
    monkeypatch.setenv("CFSLURM_SESSION_DIR", str(folder))
    monkeypatch.setenv("CFSLURM_SESSION_KEEP", "1")
    for name in (None, "coder"):
        with Session.open(name) as session:
            assert (session.name, session.folder) == ("agents.7", folder)
    assert len(list(folder.glob("g*"))) == 1
    with Session.open("second", directory=folder) as session:
        assert session.folder == folder / "second"


@pytest.mark.parametrize("name", [None, "", "../x", "a/b", ".hidden"])
def test_bad_name_is_refused(name: str | None) -> None:
    with pytest.raises(SessionError, match="no name of a session"):
        Session.open(name)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("CFSLURM_SESSION_INTERVAL", "5m"),
        ("CFSLURM_SESSION_INTERVAL", "-1"),
        ("CFSLURM_SESSION_INTERVAL", "nan"),
        ("CFSLURM_SESSION_KEEP", "0"),
        ("CFSLURM_SESSION", "a b"),
    ],
)
def test_bad_variable_is_refused(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SessionError):
        Session.open(None if variable == "CFSLURM_SESSION" else "coder")


def test_import_brings_neither_numpy_nor_h5py() -> None:
    code = (
        "import sys, cfslurm.node.session; "
        "print({'numpy', 'h5py', 'pydantic', 'yaml', 'click'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


# --- Reading


def test_reader_does_not_disturb_the_writer() -> None:
    with Session.open("coder") as session:
        session["step"] = 1
        session.append("hello")
        session.checkpoint()
        session["step"] = 2
        session.once("ask", lambda: 3)
        found = Session.read("sessions/coder")
        assert (found.name, found.epoch, found.generation) == ("coder", 1, 2)
        assert found.state == {"step": 1}
        assert found.events == ["hello"]
        assert found.steps == {"ask": 3}
        assert found.writer.startswith("cfslurm ")
        session.checkpoint()
    assert Session.read("sessions/coder").state == {"step": 2}


def test_one_generation_can_be_read() -> None:
    with Session.open("coder") as session:
        session["step"] = 1
    assert Session.read("sessions/coder/g0001-000000000001.h5").state == {}
    assert Session.read("sessions/coder/g0001-000000000002.h5").state == {"step": 1}


def test_damaged_generation_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with Session.open("coder") as session:
        session["step"] = 1
        session.checkpoint()
    path = Path("sessions/coder/g0001-000000000003.h5")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(SessionError, match=r"g0001-000000000003\.h5 is damaged"):
        Session.read(path)
    found = Session.read("sessions/coder")
    assert found.state == {"step": 1}
    assert "g0001-000000000003.h5 is passed over" in found.warnings[0]
    assert capsys.readouterr().err == ""
    with Session.open("coder") as session:
        assert session.warnings == found.warnings
    assert "cfslurm: session coder: g0001-000000000003.h5 is passed" in capsys.readouterr().err


def test_what_is_no_session_is_refused() -> None:
    Path("empty").mkdir()
    with pytest.raises(SessionError, match="there is no session"):
        Session.read("empty")
    with pytest.raises(SessionError, match="there is no session"):
        Session.read("missing")
    with pytest.raises(SessionError, match="No such file"):
        Session.read("empty/g0001-000000000001.h5")


def test_newer_session_is_refused_and_stays_free() -> None:
    Session.open("coder").close()
    before = sorted(Path("sessions/coder").glob("g*"))
    raw = bytearray(before[-1].read_bytes())
    struct.pack_into("<H", raw, len(raw) - 56, 3)
    struct.pack_into("<I", raw, len(raw) - 4, zlib.crc32(raw[-64:-4]))
    before[-1].write_bytes(raw)
    for _ in range(2):
        with pytest.raises(SessionError, match=r"newer cfslurm: format version 3") as caught:
            Session.open("coder")
        assert "Upgrade" in caught.value.remedy
    with pytest.raises(SessionError, match="newer"):
        Session.read("sessions/coder")
    assert sorted(Path("sessions/coder").glob("g*")) == before


# --- One writer


def test_second_writer_is_refused() -> None:
    with Session.open("coder") as session:
        with pytest.raises(SessionHeldError, match="which lives"):
            Session.open("coder")
        session["still"] = "mine"
    assert Session.read("sessions/coder").state == {"still": "mine"}


def test_take_over_stops_the_holder(capsys: pytest.CaptureFixture[str]) -> None:
    taken: list[Session] = []

    def program() -> None:
        with Session.open("coder") as early:
            early["x"] = 1
            early.checkpoint()
            taken.append(Session.open("coder", take_over=True))
            early["x"] = 2

    with pytest.raises(SystemExit) as caught:
        program()
    [late] = taken
    assert caught.value.code == 3
    assert "has been taken over by process" in capsys.readouterr().err
    assert late["x"] == 1
    late["x"] = 3
    late.close()
    assert Session.read("sessions/coder").state == {"x": 3}


def test_leftover_of_a_requeued_job_is_fenced(monkeypatch: pytest.MonkeyPatch) -> None:
    """The node is lost to Slurm but goes on; the job runs again elsewhere, then here."""
    attempt(monkeypatch, "12", 0)
    early = Session.open("coder")
    early["x"] = 1
    early.checkpoint()
    attempt(monkeypatch, "12", 1)
    late = Session.open("coder")
    assert late["x"] == 1
    ran: list[int] = []
    for use in (early.checkpoint, early.close, lambda: early.once("a", lambda: ran.append(1))):
        early._is_open = True
        with pytest.raises(SessionSupersededError):
            use()
    assert not ran
    late["x"] = 2
    late.close()
    assert Session.read("sessions/coder").state == {"x": 2}


def test_leftover_cannot_take_the_session_back(monkeypatch: pytest.MonkeyPatch) -> None:
    attempt(monkeypatch, "12", 1)
    Session.open("coder")
    monkeypatch.delenv("SLURM_RESTART_COUNT")
    with pytest.raises(SessionSupersededError) as caught:
        Session.open("coder")
    assert caught.value.exit_code == 3


def test_saves_of_every_kind_are_durable_when_they_return(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every file's content is synced before it gets its name, and the folder after it."""
    log: list[str] = []
    for name in ("fsync", "fdatasync", "link", "unlink"):
        monkeypatch.setattr(os, name, logged(name, getattr(os, name), log))
    with Session.open("coder") as session:
        published = ["fsync file", "link", "unlink", "fsync folder"]
        assert log == ["fsync folder", *published, *published], (
            "the folder, the claim, a generation"
        )
        log.clear()
        session.checkpoint()
        assert log == published
        log.clear()
        session["large"] = np.zeros(80 * 1024**2, np.uint8)
        session.checkpoint()
        assert log == published
        log.clear()
        session.once("a", lambda: 1)
        assert log == ["fdatasync file", "fsync folder", "fdatasync file"]
        log.clear()
        session.once("b", lambda: 1)
        assert log == ["fdatasync file"]
        del session["large"]
        session.commit()
        log.clear()
        session.append({"role": "user"})
        session["n"] = 1
        session.commit()
        assert log == ["fdatasync file", "fsync folder", "fdatasync file"]
        log.clear()
        session["n"] = 2
        session.commit()
        assert log == ["fdatasync file"]
        log.clear()
        session.commit()
        assert log == []


def logged(name: str, real: Callable[..., Any], log: list[str]) -> Callable[..., Any]:
    def call(*args: Any, **options: Any) -> Any:
        what = ""
        if name.endswith("sync"):
            folder = os.path.isdir(f"/proc/self/fd/{args[0]}")  # noqa: PTH112 - follows the link
            what = " folder" if folder else " file"
        log.append(name + what)
        return real(*args, **options)

    return call
