"""Microsoft Agent Framework on a session: beside its own storage, and a workflow over a restart."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from agent_framework import (
    Executor,
    FileCheckpointStorage,
    InMemoryCheckpointStorage,
    Message,
    WorkflowBuilder,
    WorkflowCheckpoint,
    WorkflowContext,
    handler,
)
from agent_framework.exceptions import WorkflowCheckpointException

from cfslurm import Session
from cfslurm.integrations.agent_framework import SessionCheckpointStorage


@dataclass
class Mine:
    """A class of the application."""

    count: int


class Step(Executor):
    """Triples and adds; counts its calls."""

    calls: list[str]

    def __init__(self, name: str, *, fails: bool = False) -> None:
        super().__init__(id=name)
        self.calls = []
        self.fails = fails

    @handler
    async def run(self, value: int, ctx: WorkflowContext[int, int]) -> None:
        """One step; the last one yields the result."""
        self.calls.append(self.id)
        if self.fails:
            raise RuntimeError("the node is gone")
        if self.id == "c":
            await ctx.yield_output(value * 3)
        await ctx.send_message(value * 3)


def storages(session: Session, folder: Path) -> tuple[Any, ...]:
    return (
        SessionCheckpointStorage(session, types=(Mine,)),
        InMemoryCheckpointStorage(),
        FileCheckpointStorage(folder, allowed_checkpoint_types=[f"{__name__}:Mine"]),
    )


def checkpoint(number: int, **parts: Any) -> WorkflowCheckpoint:
    return WorkflowCheckpoint(
        workflow_name=parts.pop("workflow_name", "w"),
        graph_signature_hash="h",
        checkpoint_id=f"id-{number}",
        timestamp=f"2026-11-21T00:00:0{number}+00:00",
        **parts,
    )


async def same_as_the_frameworks_own(storage: Any) -> list[Any]:
    """What a storage answers to everything its protocol has."""
    answers: list[Any] = [await storage.get_latest(workflow_name="w")]
    message = Message("user", ["hello"])
    for number in (2, 1, 3):
        state = {"mine": Mine(number), "chat": [message], "pair": (1, {2})}
        answers.append(await storage.save(checkpoint(number, state=state)))
    await storage.save(checkpoint(4, workflow_name="other"))
    latest = await storage.get_latest(workflow_name="w")
    answers += [
        (await storage.load("id-2")).state["mine"],
        latest.checkpoint_id,
        latest.state["chat"][0].text,
        latest.state["pair"],
        sorted(await storage.list_checkpoint_ids(workflow_name="w")),
        sorted(one.checkpoint_id for one in await storage.list_checkpoints(workflow_name="w")),
        await storage.delete("id-3"),
        await storage.delete("id-3"),
        (await storage.get_latest(workflow_name="w")).checkpoint_id,
    ]
    with pytest.raises(WorkflowCheckpointException) as missing:
        await storage.load("id-9")
    return [*answers, type(missing.value)]


def test_answers_as_the_frameworks_own_storages_do(tmp_path: Path) -> None:
    with Session.open("agent", directory=tmp_path, signals=False) as session:
        found = [
            asyncio.run(same_as_the_frameworks_own(one))
            for one in storages(session, tmp_path / "f")
        ]
    assert found[0] == found[1] == found[2]


def test_a_class_that_was_not_named_is_refused_when_it_is_saved(tmp_path: Path) -> None:
    with Session.open("agent", directory=tmp_path, signals=False) as session:
        storage = SessionCheckpointStorage(session)
        with pytest.raises(WorkflowCheckpointException, match=r"Mine.*types="):
            asyncio.run(storage.save(checkpoint(1, state={"mine": Mine(1)})))
        assert asyncio.run(storage.list_checkpoint_ids(workflow_name="w")) == []


def workflow(storage: Any, *, fails: bool) -> tuple[Any, list[Step]]:
    steps = [Step("a"), Step("b"), Step("c", fails=fails)]
    builder = WorkflowBuilder(
        name="w", start_executor=steps[0], checkpoint_storage=storage, output_from="all"
    )
    return builder.add_chain(steps).build(), steps


def test_a_workflow_goes_on_where_it_was(tmp_path: Path) -> None:
    async def first() -> None:
        with Session.open("agent", directory=tmp_path, signals=False) as session:
            flow, _ = workflow(SessionCheckpointStorage(session), fails=True)
            with pytest.raises(RuntimeError, match="the node is gone"):
                await flow.run(1)

    async def second() -> tuple[Any, list[str]]:
        with Session.open("agent", directory=tmp_path, signals=False) as session:
            storage = SessionCheckpointStorage(session)
            flow, steps = workflow(storage, fails=False)
            latest = await storage.get_latest(workflow_name="w")
            assert latest is not None
            result = await flow.run(checkpoint_id=latest.checkpoint_id)
            return result.get_outputs(), [call for one in steps for call in one.calls]

    asyncio.run(first())
    assert asyncio.run(second()) == ([27], ["c"])
