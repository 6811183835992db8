"""LangGraph on a session: the official conformance suite, real graphs, real kills."""

from __future__ import annotations

import asyncio
import operator
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import Annotated, Any, TypedDict

import pytest
from langgraph.channels.delta import DeltaChannel
from langgraph.checkpoint.base import BaseCheckpointSaver, CheckpointTuple
from langgraph.checkpoint.conformance.initializer import RegisteredCheckpointer, checkpointer_test
from langgraph.checkpoint.conformance.report import CapabilityReport
from langgraph.checkpoint.conformance.validate import validate
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, interrupt

from cfslurm import Session
from cfslurm.errors import SessionError
from cfslurm.integrations.langgraph import SessionSaver

CAPABILITIES = 8


class State(TypedDict):
    """What the graphs here keep."""

    total: int
    log: Annotated[list[str], operator.add]


def joined(values: list[str], writes: list[list[str]]) -> list[str]:
    """What a delta channel's writes come to."""
    return [*values, *(item for write in writes for item in write)]


class Long(TypedDict):
    """A log of which only what was added is stored, except for every fourth step."""

    log: Annotated[list[str], DeltaChannel(joined, snapshot_frequency=4)]


class ThroughThreads(SessionSaver):
    """The same suite on the synchronous methods, each called in another thread, as LangGraph does."""

    async def aget_tuple(self, config: Any) -> CheckpointTuple | None:
        return await asyncio.to_thread(self.get_tuple, config)

    async def alist(self, config: Any, **options: Any) -> AsyncIterator[CheckpointTuple]:
        for found in await asyncio.to_thread(lambda: list(self.list(config, **options))):
            yield found

    async def aput(self, *arguments: Any) -> Any:
        return await asyncio.to_thread(self.put, *arguments)

    async def aput_writes(self, *arguments: Any, **options: Any) -> None:
        await asyncio.to_thread(lambda: self.put_writes(*arguments, **options))

    async def adelete_thread(self, thread_id: str) -> None:
        await asyncio.to_thread(self.delete_thread, thread_id)

    async def adelete_for_runs(self, run_ids: Any) -> None:
        await asyncio.to_thread(self.delete_for_runs, run_ids)

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        await asyncio.to_thread(self.copy_thread, source_thread_id, target_thread_id)

    async def aprune(self, thread_ids: Any, *, strategy: str = "keep_latest") -> None:
        await asyncio.to_thread(lambda: self.prune(thread_ids, strategy=strategy))


class ReadBack(SessionSaver):
    """The same suite with every look at what another reader finds on disk at that moment."""

    def get_tuple(self, config: Any) -> CheckpointTuple | None:
        return self._as_on_disk().get_tuple(config)

    def list(self, *arguments: Any, **options: Any) -> Any:
        return self._as_on_disk().list(*arguments, **options)

    def _as_on_disk(self) -> SessionSaver:
        state = dict(Session.read(self._session.folder).state)
        return SessionSaver(state)  # type: ignore[arg-type]


def registered(kind: type[SessionSaver], folder: Path) -> RegisteredCheckpointer:
    @checkpointer_test(name=f"{kind.__name__}-{uuid.uuid4().hex}")
    async def make() -> AsyncGenerator[BaseCheckpointSaver[str], None]:
        with Session.open(uuid.uuid4().hex, directory=folder, signals=False) as session:
            yield kind(session)

    return make


@pytest.mark.parametrize("kind", [SessionSaver, ThroughThreads, ReadBack])
def test_passes_the_conformance_suite_in_full(kind: type[SessionSaver], tmp_path: Path) -> None:
    report: CapabilityReport = asyncio.run(validate(registered(kind, tmp_path)))
    assert len(report.results) == CAPABILITIES
    for name, result in report.results.items():
        assert result.detected, name
        assert result.passed, (name, result.failures)
        assert result.tests_passed, name


def chain(steps: int) -> StateGraph[State]:
    """A graph of some steps in a row."""
    builder = StateGraph(State)
    for step in range(steps):

        def work(state: State, step: int = step) -> dict[str, Any]:
            return {"total": state["total"] * 3 + step, "log": [f"step {step}"]}

        builder.add_node(f"s{step}", work)
        builder.add_edge(f"s{step - 1}" if step else START, f"s{step}")
    builder.add_edge(f"s{steps - 1}", END)
    return builder


THREAD: Any = {"configurable": {"thread_id": "t"}}


def test_a_thread_goes_on_in_another_process_and_can_be_looked_back_at(tmp_path: Path) -> None:
    with Session.open("agent", directory=tmp_path, signals=False) as session:
        graph = chain(4).compile(checkpointer=SessionSaver(session))
        first = graph.invoke({"total": 1, "log": []}, THREAD)
    with Session.open("agent", directory=tmp_path, signals=False) as session:
        graph = chain(4).compile(checkpointer=SessionSaver(session))
        assert graph.get_state(THREAD).values == first
        history = list(graph.get_state_history(THREAD))
        assert [found.values["total"] for found in history[::-1][1:]] == [1, 3, 10, 32, 99]
        middle = next(found for found in history if found.next == ("s2",))
        forked = graph.invoke(None, middle.config)  # a branch of its own from there on
        assert forked["total"] == 99
        assert len(list(graph.get_state_history(THREAD))) > len(history)


def test_an_interrupt_waits_for_its_answer_over_a_restart(tmp_path: Path) -> None:
    def ask(state: State) -> dict[str, Any]:
        answer = interrupt("how many?")
        return {"total": answer, "log": ["asked"]}

    builder = StateGraph(State)
    builder.add_node("ask", ask)
    builder.add_edge(START, "ask")
    builder.add_edge("ask", END)
    with Session.open("agent", directory=tmp_path, signals=False) as session:
        waiting = builder.compile(checkpointer=SessionSaver(session)).invoke(
            {"total": 0, "log": []}, THREAD
        )
        assert waiting["__interrupt__"][0].value == "how many?"
    with Session.open("agent", directory=tmp_path, signals=False) as session:
        graph = builder.compile(checkpointer=SessionSaver(session))
        assert graph.invoke(Command(resume=7), THREAD)["total"] == 7


def test_runs_asynchronously(tmp_path: Path) -> None:
    async def run() -> Any:
        with Session.open("agent", directory=tmp_path, signals=False) as session:
            graph = chain(3).compile(checkpointer=SessionSaver(session))
            return await graph.ainvoke({"total": 1, "log": []}, THREAD)

    assert asyncio.run(run())["log"] == ["step 0", "step 1", "step 2"]


def test_what_put_has_returned_survives_kill_minus_nine(tmp_path: Path) -> None:
    """Killed again and again between steps: every step's result counts once, in the right order."""
    script = Path(__file__).with_name("killed_graph.py")
    kills = 0
    for attempt in range(12):
        done = subprocess.run(
            [sys.executable, script, str(tmp_path), str(attempt)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
        kills += 1
    assert kills == 5
    undisturbed = chain(6).compile().invoke({"total": 1, "log": []})
    assert done.stdout == repr(undisturbed) + "\n"


def test_pruning_keeps_what_a_delta_channel_is_made_from(tmp_path: Path) -> None:
    builder = StateGraph(Long)
    for step in range(6):
        builder.add_node(f"s{step}", lambda state, step=step: {"log": [f"step {step}"]})
        builder.add_edge(f"s{step - 1}" if step else START, f"s{step}")
    builder.add_edge("s5", END)
    with Session.open("agent", directory=tmp_path, signals=False) as session:
        saver = SessionSaver(session)
        graph = builder.compile(checkpointer=saver)
        whole = graph.invoke({"log": ["begin"]}, THREAD)
        before = len(list(saver.list(THREAD)))
        saver.prune(["t"])
        after = len(list(saver.list(THREAD)))
        assert graph.get_state(THREAD).values == whole
    assert whole["log"] == ["begin", *(f"step {n}" for n in range(6))]
    assert after < before


def test_pickles_are_refused_both_ways(tmp_path: Path) -> None:
    place: Any = {"configurable": {"thread_id": "t", "checkpoint_id": "1"}}
    writes = [("channel", len)]  # a function
    with Session.open("agent", directory=tmp_path, signals=False) as session:
        pickling = SessionSaver(session, serde=JsonPlusSerializer(pickle_fallback=True))
        with pytest.raises(SessionError, match="no pickles") as refused:
            pickling.put_writes(place, writes, "task")
        assert "plain data" in refused.value.remedy
        with pytest.raises(SessionError, match="cannot keep this value"):
            SessionSaver(session).put_writes(place, writes, "task")
        session['langgraph:write:["t","","1","task",0]'] = ("channel", ("pickle", b"x"), "")
        session['langgraph:checkpoint:["t","","1"]'] = {
            "parent": None,
            "checkpoint": ("json", b"{}"),
            "metadata": ("json", b"{}"),
        }
        with pytest.raises(SessionError, match="no pickles"):
            SessionSaver(session).get_tuple(THREAD)


def test_an_unknown_strategy_is_refused(tmp_path: Path) -> None:
    with (
        Session.open("agent", directory=tmp_path, signals=False) as session,
        pytest.raises(ValueError, match="keep_latest"),
    ):
        SessionSaver(session).prune(["t"], strategy="keep_all")


def test_shares_the_session_with_everything_else_in_it(tmp_path: Path) -> None:
    with Session.open("agent", directory=tmp_path, signals=False) as session:
        session["mine"] = 1
        chain(2).compile(checkpointer=SessionSaver(session)).invoke({"total": 1, "log": []}, THREAD)
        SessionSaver(session).delete_thread("t")
        assert list(session) == ["mine"]
