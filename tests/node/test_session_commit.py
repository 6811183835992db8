"""Commits: what has changed is saved, at the cost of that, and comes back with the rest."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cfslurm import Session
from cfslurm.core.session.claims import SessionSupersededError
from cfslurm.errors import SessionError
from cfslurm.node import session_saving

FOLDER = Path("sessions/coder")


@pytest.fixture(autouse=True)
def in_own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def reread() -> dict[str, Any]:
    return dict(Session.read(FOLDER).state)


def generations() -> int:
    return len(list(FOLDER.glob("g*")))


def crash(program: Any) -> None:
    """Do something with a session that is not saved at the end."""

    def run() -> None:
        with Session.open("coder") as session:
            program(session)
            raise KeyError

    with pytest.raises(KeyError):
        run()


def test_what_was_committed_survives_and_what_came_later_does_not() -> None:
    def program(session: Session) -> None:
        session["a"], session["b"] = 1, {"x": [1]}
        session.commit()  # the first one is a checkpoint
        session["b"]["x"].append(2)
        session["c"] = (b"y", 2**80, np.float32(1.5), np.arange(3))
        del session["a"]
        session.append({"role": "user"})
        session.commit()
        session.append({"role": "late"})
        session["b"] = None

    crash(program)
    with Session.open("coder") as session:
        assert list(session) == ["b", "c"]
        assert session["b"] == {"x": [1, 2]}
        assert session["c"][:3] == (b"y", 2**80, np.float32(1.5))
        assert session["c"][3].tolist() == [0, 1, 2]
        assert list(session.events) == [{"role": "user"}]


def test_commits_make_no_generation_and_cost_what_they_add() -> None:
    with Session.open("coder") as session:
        session["notes"] = "x" * 50_000
        session["weights"] = np.zeros(1_000_000)
        session.commit()
        before = session.generation
        size = sum(path.stat().st_size for path in FOLDER.iterdir())
        for number in range(50):
            session.append({"number": number})
            session["number"] = number
            session.commit()
        grown = sum(path.stat().st_size for path in FOLDER.iterdir()) - size
        assert session.generation == before
        assert grown < 50 * 300
        assert len(Session.read(FOLDER).events) == 50


@pytest.mark.parametrize(
    ("change", "is_generation"),
    [
        (lambda s: None, False),
        (lambda s: s.update(small=np.ones(5)), False),
        (lambda s: s.update(large=np.ones(20_000)), True),
        (lambda s: s["large"].__setitem__(19_999, 1), True),
        (lambda s: s["small"].__setitem__(1, 1), False),
        (lambda s: s.update(structure=np.zeros(3, [("a", "i4"), ("b", "f8")])), True),
        (lambda s: s.pop("large"), False),
        (lambda s: s.update(x=s.pop("x")), True),  # at another place now
        (lambda s: s.update({"$odd": 1}), False),
        (lambda s: s.pop("x"), False),
    ],
)
def test_every_change_comes_back(change: Any, is_generation: bool) -> None:
    with Session.open("coder") as session:
        session["x"] = 1
        session["large"] = np.zeros(20_000)
        session["small"] = np.zeros(5)
        session.commit()
        before = session.generation
        change(session)
        session.commit()
        assert (session.generation > before) is is_generation
        found = reread()
        assert list(found) == list(session)
        np.testing.assert_equal(found, dict(session))


_KEYS = st.sampled_from(["a", "b", "$c", "d/e"])
_VALUES = st.recursive(
    st.none() | st.integers() | st.text(max_size=5) | st.binary(max_size=5), st.lists, max_leaves=4
)
_DEEDS = st.one_of(
    st.tuples(st.just("set"), _KEYS, _VALUES),
    st.tuples(st.just("drop"), _KEYS),
    st.tuples(st.just("append"), _VALUES),
    st.tuples(st.just("commit")),
    st.tuples(st.just("checkpoint")),
    st.tuples(st.just("crash")),
)


@given(st.lists(_DEEDS, max_size=25))
@settings(max_examples=40, deadline=None)
def test_any_history_comes_back_as_of_its_last_save(
    tmp_path_factory: pytest.TempPathFactory, deeds: list[tuple[Any, ...]]
) -> None:
    place = tmp_path_factory.mktemp("history")
    session = Session.open("coder", directory=place, signals=False)
    state: dict[str, Any] = {}
    events: list[Any] = []
    saved: tuple[dict[str, Any], list[Any]] = ({}, [])
    for deed in deeds:
        match deed:
            case ("set", key, value):
                session[key] = state[key] = value
            case ("drop", key):
                session.pop(key, None)
                state.pop(key, None)
            case ("append", value):
                session.append(value)
                events.append(value)
            case ("crash",):
                session._release()
                session = Session.open("coder", directory=place, signals=False)
                state, events = dict(saved[0]), list(saved[1])
            case (save,):
                getattr(session, save)()
                saved = dict(state), list(events)
        assert (list(session.items()), list(session.events)) == (list(state.items()), events)
    found = Session.read(place / "coder")
    assert (list(found.state.items()), list(found.events)) == (list(saved[0].items()), saved[1])
    session._release()


def test_generators_are_committed() -> None:
    def program(session: Session) -> None:
        generator = random.Random(1)
        session.register_rng("r", generator)
        session.commit()
        generator.random()
        session.commit()
        generator.random()

    crash(program)
    expected = random.Random(1)
    expected.random()
    with Session.open("coder") as session:
        generator = random.Random()
        session.register_rng("r", generator)
        assert generator.random() == expected.random()


def test_a_long_journal_becomes_a_generation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_saving, "JOURNAL_BYTES", 2000)
    with Session.open("coder") as session:
        session.commit()
        first = session.generation
        for number in range(60):
            session.append("x" * 100)
            session.commit()
            assert len(Session.read(FOLDER).events) == number + 1
        assert 3 <= session.generation - first <= 12


def test_a_value_that_cannot_be_kept_stops_the_commit_only() -> None:
    with Session.open("coder") as session:
        session["list"] = [1]
        session.commit()
        session["list"].append({1})
        with pytest.raises(SessionError, match=r"session\['list'\]\[1\] is of type set"):
            session.commit()
        session["list"].pop()
        session["list"].append(2)
        session.commit()
        assert reread() == {"list": [1, 2]}


def test_commit_that_fails_is_made_good_by_a_generation(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is half in a journal must not be there twice."""
    real = os.fdatasync
    with Session.open("coder") as session:
        session.commit()
        session.append(1)
        session.commit()
        session.append(2)

        def failing(descriptor: int) -> None:
            raise OSError(5, "Input/output error")

        with monkeypatch.context() as broken:
            broken.setattr(os, "fdatasync", failing)
            with pytest.raises(SessionError, match="Input/output error"):
                session.commit()
        assert os.fdatasync is real
        session.append(3)
        session.commit()
        session.append(4)
        session.commit()
        assert list(Session.read(FOLDER).events) == [1, 2, 3, 4]


def test_commit_after_a_take_over_is_refused_and_does_not_count() -> None:
    early = Session.open("coder", signals=False)
    early["x"] = 1
    early.commit()
    early["x"] = 2
    early.commit()
    late = Session.open("coder", take_over=True, signals=False)
    assert late["x"] == 2
    early["x"] = 3
    with pytest.raises(SessionSupersededError):
        early.commit()
    assert reread() == {"x": 2}
    late["x"] = 4
    late.commit()
    assert reread() == {"x": 4}


def test_what_a_fenced_writer_appends_unseen_does_not_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    early = Session.open("coder", signals=False)
    early.commit()
    early["x"] = 1
    early.commit()
    late = Session.open("coder", take_over=True, signals=False)
    with monkeypatch.context() as blind:
        blind.setattr("cfslurm.adapters.session_writer.SessionWriter.check_fence", lambda _: None)
        early["x"] = 99
        early.commit()
    assert reread() == {"x": 1}
    late["y"] = 2
    late.commit()
    assert reread() == {"x": 1, "y": 2}


def test_commits_behind_a_damaged_generation_are_told() -> None:
    with Session.open("coder") as session:
        session["x"] = 1
        session.commit()
        session["x"] = 2
        session.commit()
        session.checkpoint()
        session["x"] = 3
        session.commit()
        newest = max(FOLDER.glob("g*"))
        newest.write_bytes(b"")
        found = Session.read(FOLDER)
        assert found.state["x"] == 2, "the generation before, with its own commits"
        assert any("1 commits after a damaged file are lost" in w for w in found.warnings)
