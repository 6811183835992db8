"""Microsoft Agent Framework: workflow checkpoints in a session. Needs ``cfslurm[agent-framework]``."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from agent_framework import WorkflowCheckpoint
from agent_framework.exceptions import WorkflowCheckpointException

from cfslurm.errors import SessionError
from cfslurm.integrations.objects import Objects

if TYPE_CHECKING:
    from cfslurm.node.session import Session

_PREFIX = "agent-framework:"
_PACKAGES = ("agent_framework", "agent_framework_orchestrations")


class SessionCheckpointStorage:
    """A ``CheckpointStorage`` in an open session; when `save` returns, the checkpoint survives a crash.

    The framework's own storages pickle what is not JSON. This one keeps objects of the framework,
    and of the classes in ``types``, as their attributes; anything else is refused when it is saved.
    """

    def __init__(self, session: Session, *, types: Iterable[type] = ()) -> None:
        self._session = session
        self._objects = Objects(types, packages=_PACKAGES)

    async def save(self, checkpoint: WorkflowCheckpoint) -> str:
        """Keep a checkpoint and return its id.

        Raises:
            WorkflowCheckpointException: it holds what a session cannot keep, or cannot be written.
        """
        try:
            data = self._objects.encode(checkpoint.to_dict())
            self._session[_PREFIX + checkpoint.checkpoint_id] = data
            self._session.commit()
        except SessionError as error:
            raise WorkflowCheckpointException(f"{error.message}. {error.remedy}") from error
        return checkpoint.checkpoint_id

    async def load(self, checkpoint_id: str) -> WorkflowCheckpoint:
        """The checkpoint of that id.

        Raises:
            WorkflowCheckpointException: there is none, or an object in it is of an unnamed class.
        """
        data = self._session.get(_PREFIX + checkpoint_id)
        if data is None:
            raise WorkflowCheckpointException(f"No checkpoint found with ID {checkpoint_id}")
        try:
            return WorkflowCheckpoint.from_dict(self._objects.decode(data))
        except SessionError as error:
            raise WorkflowCheckpointException(f"{error.message}. {error.remedy}") from error

    async def list_checkpoints(self, *, workflow_name: str) -> list[WorkflowCheckpoint]:
        """All checkpoints of a workflow, oldest first."""
        return [
            await self.load(one)
            for one in await self.list_checkpoint_ids(workflow_name=workflow_name)
        ]

    async def delete(self, checkpoint_id: str) -> bool:
        """Forget a checkpoint; False if there was none."""
        if _PREFIX + checkpoint_id not in self._session:
            return False
        del self._session[_PREFIX + checkpoint_id]
        self._session.commit()
        return True

    async def get_latest(self, *, workflow_name: str) -> WorkflowCheckpoint | None:
        """The newest checkpoint of a workflow."""
        ids = await self.list_checkpoint_ids(workflow_name=workflow_name)
        return await self.load(ids[-1]) if ids else None

    async def list_checkpoint_ids(self, *, workflow_name: str) -> list[str]:
        """The ids of a workflow's checkpoints, oldest first."""
        found = [
            (datetime.fromisoformat(data["timestamp"]), number, key.removeprefix(_PREFIX))
            for number, (key, data) in enumerate(self._session.items())
            if key.startswith(_PREFIX) and data["workflow_name"] == workflow_name
        ]
        return [checkpoint_id for _, _, checkpoint_id in sorted(found)]
