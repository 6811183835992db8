"""The OpenAI Agents SDK on a session: beside its own SQLite memory, and over a restart."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from agents import SQLiteSession
from agents.memory import Session as MemoryProtocol
from agents.memory import SessionSettings
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cfslurm import Session
from cfslurm.errors import SessionError
from cfslurm.integrations.openai_agents import ConversationMemory

CALLS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.lists(st.text(), max_size=3)),
        st.tuples(st.just("pop"), st.none()),
        st.tuples(st.just("clear"), st.none()),
        st.tuples(st.just("get"), st.none() | st.integers(0, 4)),
    ),
    max_size=12,
)


async def answers(memory: Any, calls: list[tuple[str, Any]]) -> list[Any]:
    found: list[Any] = []
    for call, argument in calls:
        match call:
            case "add":
                items = [{"role": "user", "content": text} for text in argument]
                found.append(await memory.add_items(items))
            case "pop":
                found.append(await memory.pop_item())
            case "clear":
                found.append(await memory.clear_session())
            case "get":
                found.append(await memory.get_items(argument))
    return found


@given(CALLS)
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_answers_as_the_sdks_own_memory_does(
    tmp_path_factory: pytest.TempPathFactory, calls: list[tuple[str, Any]]
) -> None:
    theirs = SQLiteSession("one")
    folder = tmp_path_factory.mktemp("s")
    with Session.open("agent", directory=folder, signals=False) as session:
        ours = ConversationMemory(session, "one")
        assert asyncio.run(answers(ours, calls)) == asyncio.run(answers(theirs, calls))
        left = asyncio.run(ours.get_items())
    with Session.open("agent", directory=folder, signals=False) as session:
        assert asyncio.run(ConversationMemory(session, "one").get_items()) == left
    theirs.close()


def test_is_what_the_sdk_asks_for(tmp_path: Path) -> None:
    with Session.open("agent", directory=tmp_path, signals=False) as session:
        assert isinstance(ConversationMemory(session), MemoryProtocol)


def test_conversations_are_apart_and_settings_count(tmp_path: Path) -> None:
    with Session.open("agent", directory=tmp_path, signals=False) as session:
        one = ConversationMemory(session, "a", session_settings=SessionSettings(limit=1))
        two = ConversationMemory(session, "a:1")  # a name that begins like the other's keys
        asyncio.run(answers(one, [("add", ["x", "y"])]))
        asyncio.run(answers(two, [("add", ["z"])]))
        assert [item["content"] for item in asyncio.run(one.get_items())] == ["y"]  # type: ignore[typeddict-item]
        asyncio.run(two.clear_session())
        assert len(asyncio.run(one.get_items(9))) == 2


def test_what_add_items_has_returned_for_is_on_disk(tmp_path: Path) -> None:
    with Session.open("agent", directory=tmp_path, signals=False) as session:
        asyncio.run(answers(ConversationMemory(session), [("add", ["kept"])]))
        found = Session.read(session.folder).state
        assert [item["content"] for item in found.values()] == ["kept"]


def test_an_item_that_cannot_be_kept_leaves_nothing_behind(tmp_path: Path) -> None:
    with Session.open("agent", directory=tmp_path, signals=False) as session:
        memory = ConversationMemory(session)
        items: Any = [{"role": "user", "content": "fine"}, {"role": "user", "content": object()}]
        with pytest.raises(SessionError):
            asyncio.run(memory.add_items(items))
        assert asyncio.run(memory.get_items()) == []
