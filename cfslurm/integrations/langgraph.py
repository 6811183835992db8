"""LangGraph: a checkpointer that keeps its threads in a session. Needs ``cfslurm[langgraph]``.

>>> from cfslurm import Session                                          # doctest: +SKIP
>>> from cfslurm.integrations.langgraph import SessionSaver              # doctest: +SKIP
>>> with Session.open("agent") as session:                               # doctest: +SKIP
...     graph = builder.compile(checkpointer=SessionSaver(session))
"""

from __future__ import annotations

import random
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    get_checkpoint_id,
    get_checkpoint_metadata,
)
from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from cfslurm.integrations.langgraph_values import config_of, dumped, loaded, place_of
from cfslurm.integrations.threads import EMPTY, Saved, Threads, Version, Write

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig

    from cfslurm.node.session import Session


class SessionSaver(BaseCheckpointSaver[str]):
    """Checkpoints of a graph's threads in an open session, together with all else that it holds.

    When `put` or `put_writes` returns, what it was given survives a crash. Calls may come from
    several threads, as LangGraph makes them; while a graph runs, touch the session only through
    it. Values are encoded with LangGraph's msgpack serializer, limited to its safe types and those
    of the graph's own state; nothing is pickled or unpickled.

    Raises:
        SessionError: from every call, if the session cannot be written or keep a value.
    """

    def __init__(self, session: Session, *, serde: SerializerProtocol | None = None) -> None:
        super().__init__(serde=serde or JsonPlusSerializer(allowed_msgpack_modules=None))
        self._session = session
        self._threads = Threads(session)
        self._lock = threading.RLock()

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """The checkpoint that a config names, or the newest of its thread and namespace."""
        thread, namespace = place_of(config)
        with self._lock:
            newest = next(iter(self._threads.ids(thread, namespace)), "")
            wanted = get_checkpoint_id(config) or newest
            saved = self._threads.get(thread, namespace, wanted)
            return None if saved is None else self._tuple(thread, namespace, wanted, saved)

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        """Checkpoints, newest first, by thread, namespace and metadata."""
        with self._lock:
            found = [
                (thread, namespace, checkpoint_id)
                for thread, namespace, checkpoint_id in self._candidates(config)
                if not before
                or not (limit_id := get_checkpoint_id(before))
                or checkpoint_id < limit_id
            ]
        given = 0
        for thread, namespace, checkpoint_id in found:
            if limit is not None and given >= limit:
                return
            with self._lock:
                saved = self._threads.get(thread, namespace, checkpoint_id)
                if saved is None:  # deleted meanwhile
                    continue
                metadata = loaded(self.serde, saved.metadata)
                if any(metadata.get(name) != value for name, value in (filter or {}).items()):
                    continue
                answer = self._tuple(thread, namespace, checkpoint_id, saved)
            given += 1
            yield answer

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Keep a checkpoint; of the channels' values only those that are new."""
        thread, namespace = place_of(config)
        values = checkpoint["channel_values"]
        rest = {name: value for name, value in checkpoint.items() if name != "channel_values"}
        told = get_checkpoint_metadata(config, metadata)
        run_id = told.get("run_id")
        saved = Saved(
            parent=get_checkpoint_id(config),
            checkpoint=dumped(self.serde, rest),
            metadata=dumped(self.serde, told),
            versions=dict(checkpoint["channel_versions"]),
            run_id=run_id if isinstance(run_id, str) else None,
            delta_channels=tuple(sorted(told.get("counters_since_delta_snapshot", {}))),
        )
        new = {
            channel: dumped(self.serde, values[channel]) if channel in values else EMPTY
            for channel in new_versions
        }
        with self._lock:
            for channel, value in new.items():
                version: Version = new_versions[channel]
                self._threads.put_value(thread, namespace, channel, version=version, value=value)
            self._threads.put(thread, namespace, checkpoint["id"], saved)
            self._session.commit()
        return config_of(thread, namespace, checkpoint["id"])

    def put_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        """Keep what a task has written since a checkpoint."""
        thread, namespace = place_of(config)
        checkpoint_id = config["configurable"]["checkpoint_id"]
        found = [
            Write(
                task_id=task_id,
                index=WRITES_IDX_MAP.get(channel, index),
                channel=channel,
                value=dumped(self.serde, value),
                task_path=task_path,
            )
            for index, (channel, value) in enumerate(writes)
        ]
        with self._lock:
            for write in found:
                self._threads.put_write(thread, namespace, checkpoint_id, write)
            self._session.commit()

    def delete_thread(self, thread_id: str) -> None:
        """Forget a thread."""
        with self._lock:
            self._threads.delete_thread(thread_id)
            self._session.commit()

    def delete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Forget the checkpoints of some runs, but not those that a channel of another is made from."""
        gone = set(run_ids)
        with self._lock:
            for thread, namespace, ids in self._all():
                kept = [one for one in ids if self._run_of(thread, namespace, one) not in gone]
                self._threads.keep(thread, namespace, kept)
            self._session.commit()

    def copy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Copy a thread, whole; what the target had is gone."""
        with self._lock:
            if source_thread_id != target_thread_id:
                self._threads.delete_thread(target_thread_id)
                self._threads.copy(source_thread_id, target_thread_id)
                self._session.commit()

    def prune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Keep the newest checkpoint of every namespace (``keep_latest``), or none (``delete``).

        Raises:
            ValueError: another strategy.
        """
        if strategy not in {"keep_latest", "delete"}:
            raise ValueError(f"strategy is 'keep_latest' or 'delete', not {strategy!r}")
        newest = 1 if strategy == "keep_latest" else 0
        with self._lock:
            for thread in thread_ids:
                for namespace in self._threads.namespaces(thread):
                    ids = self._threads.ids(thread, namespace)
                    self._threads.keep(thread, namespace, ids[:newest])
            self._session.commit()

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """As `get_tuple`; it only looks into memory."""
        return self.get_tuple(config)

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """As `list`."""
        for found in self.list(config, filter=filter, before=before, limit=limit):
            yield found

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """As `put`; the event loop waits for the disk, so that nothing happens in between."""
        return self.put(config, checkpoint, metadata, new_versions)

    async def aput_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        """As `put_writes`."""
        self.put_writes(config, writes, task_id, task_path)

    async def adelete_thread(self, thread_id: str) -> None:
        """As `delete_thread`."""
        self.delete_thread(thread_id)

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        """As `delete_for_runs`."""
        self.delete_for_runs(run_ids)

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """As `copy_thread`."""
        self.copy_thread(source_thread_id, target_thread_id)

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """As `prune`."""
        self.prune(thread_ids, strategy=strategy)

    def get_next_version(self, current: str | None, channel: None) -> str:
        """A later version than ``current``, and another one in every branch of a thread."""
        before = 0 if current is None else int(str(current).split(".")[0])
        return f"{before + 1:032}.{random.random():016}"

    def _candidates(self, config: RunnableConfig | None) -> Iterator[tuple[str, str, str]]:
        asked = config["configurable"] if config else {}
        only_id = get_checkpoint_id(config) if config else None
        for thread, namespace, ids in self._all(asked.get("thread_id")):
            if asked.get("checkpoint_ns", namespace) == namespace:
                for checkpoint_id in ids:
                    if only_id in (None, checkpoint_id):
                        yield thread, namespace, checkpoint_id

    def _all(self, only: str | None = None) -> Iterator[tuple[str, str, Sequence[str]]]:
        for thread in self._threads.threads() if only is None else [only]:
            for namespace in self._threads.namespaces(thread):
                yield thread, namespace, self._threads.ids(thread, namespace)

    def _run_of(self, thread: str, namespace: str, checkpoint_id: str) -> str | None:
        saved = self._threads.get(thread, namespace, checkpoint_id)
        return saved.run_id if saved else None

    def _tuple(
        self, thread: str, namespace: str, checkpoint_id: str, saved: Saved
    ) -> CheckpointTuple:
        values = {}
        for channel, version in saved.versions.items():
            value = self._threads.value(thread, namespace, channel, version)
            if value is not None:
                values[channel] = loaded(self.serde, value)
        checkpoint: Checkpoint = loaded(self.serde, saved.checkpoint)
        checkpoint["channel_values"] = values
        return CheckpointTuple(
            config=config_of(thread, namespace, checkpoint_id),
            checkpoint=checkpoint,
            metadata=loaded(self.serde, saved.metadata),
            parent_config=config_of(thread, namespace, saved.parent) if saved.parent else None,
            pending_writes=[
                (write.task_id, write.channel, loaded(self.serde, write.value))
                for write in self._threads.writes(thread, namespace, checkpoint_id)
            ],
        )
