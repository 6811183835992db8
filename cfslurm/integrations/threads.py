"""Checkpoints of threads, kept in a session's state. Knows no framework; values are bytes with a type.

Three kinds of keys, each ``langgraph:KIND:JSON``:

- ``checkpoint`` ``[thread, namespace, id]``: `Saved`, as a dict;
- ``value`` ``[thread, namespace, channel, version]``: a channel's value, stored once for all
  checkpoints that have this version;
- ``write`` ``[thread, namespace, id, task, index]``: what a task has written after a checkpoint.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

Typed = tuple[str, bytes]
Version = str | int | float
EMPTY: Typed = ("empty", b"")  # a channel that has a version and no value
_PREFIX = "langgraph"


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """A checkpoint without its channels' values.

    ``delta_channels`` are those whose value is told by the writes since an older checkpoint.
    """

    parent: str | None
    checkpoint: Typed
    metadata: Typed
    versions: Mapping[str, Version] = field(default_factory=dict)
    run_id: str | None = None
    delta_channels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """One value that a task has written to a channel."""

    task_id: str
    index: int
    channel: str
    value: Typed
    task_path: str


class Threads:
    """The checkpoints in a mapping; an index is built once and kept beside it."""

    def __init__(self, state: MutableMapping[str, Any]) -> None:
        self._state = state
        self._ids: dict[tuple[str, str], set[str]] = {}
        self._writes: dict[tuple[str, str, str], dict[tuple[str, int], str]] = {}
        for key in state:
            if key.startswith(f"{_PREFIX}:"):
                _, kind, parts = key.split(":", 2)
                self._index(kind, json.loads(parts), key)

    def _index(self, kind: str, parts: list[Any], key: str) -> None:
        if kind == "checkpoint":
            thread, namespace, checkpoint_id = parts
            self._ids.setdefault((thread, namespace), set()).add(checkpoint_id)
        elif kind == "write":
            thread, namespace, checkpoint_id, task, index = parts
            self._writes.setdefault((thread, namespace, checkpoint_id), {})[task, index] = key

    def threads(self) -> list[str]:
        """All thread ids, sorted."""
        return sorted({thread for thread, _ in self._ids})

    def namespaces(self, thread: str) -> list[str]:
        """The namespaces of a thread, sorted."""
        return sorted(namespace for one, namespace in self._ids if one == thread)

    def ids(self, thread: str, namespace: str) -> list[str]:
        """Checkpoint ids, newest first: they sort by time."""
        return sorted(self._ids.get((thread, namespace), ()), reverse=True)

    def get(self, thread: str, namespace: str, checkpoint_id: str) -> Saved | None:
        """A checkpoint, if there is one."""
        found = self._state.get(_key("checkpoint", thread, namespace, checkpoint_id))
        return None if found is None else Saved(**found)

    def put(self, thread: str, namespace: str, checkpoint_id: str, saved: Saved) -> None:
        """Keep a checkpoint, or replace it."""
        key = _key("checkpoint", thread, namespace, checkpoint_id)
        self._state[key] = {
            "parent": saved.parent,
            "checkpoint": saved.checkpoint,
            "metadata": saved.metadata,
            "versions": dict(saved.versions),
            "run_id": saved.run_id,
            "delta_channels": saved.delta_channels,
        }
        self._index("checkpoint", [thread, namespace, checkpoint_id], key)

    def value(self, thread: str, namespace: str, channel: str, version: Version) -> Typed | None:
        """The value of a channel at a version; None if it was empty or is not kept."""
        found: Typed | None = self._state.get(_key("value", thread, namespace, channel, version))
        return None if found is None or tuple(found) == EMPTY else found

    def put_value(
        self, thread: str, namespace: str, channel: str, *, version: Version, value: Typed
    ) -> None:
        """Keep the value of a channel."""
        self._state[_key("value", thread, namespace, channel, version)] = value

    def writes(self, thread: str, namespace: str, checkpoint_id: str) -> list[Write]:
        """What was written after a checkpoint, in the order in which a live run applies it."""
        found = [
            Write(
                task_id=task,
                index=index,
                channel=self._state[key][0],
                value=self._state[key][1],
                task_path=self._state[key][2],
            )
            for (task, index), key in self._writes.get(
                (thread, namespace, checkpoint_id), {}
            ).items()
        ]
        return sorted(found, key=lambda write: (write.task_path, write.task_id, write.index))

    def put_write(self, thread: str, namespace: str, checkpoint_id: str, write: Write) -> None:
        """Keep a write. One with an index from 0 on is kept as it was first; others are replaced."""
        place = (write.task_id, write.index)
        if write.index >= 0 and place in self._writes.get((thread, namespace, checkpoint_id), {}):
            return
        parts = [thread, namespace, checkpoint_id, *place]
        key = _key("write", *parts)
        self._state[key] = (write.channel, write.value, write.task_path)
        self._index("write", parts, key)

    def delete_thread(self, thread: str) -> None:
        """Forget a thread."""
        for namespace in self.namespaces(thread):
            self.keep(thread, namespace, ())
        for place in [place for place in self._writes if place[0] == thread]:
            self._delete_writes(place)

    def keep(self, thread: str, namespace: str, wanted: Iterable[str]) -> None:
        """Forget the checkpoints that are not wanted, and the writes and values of no other.

        Kept too, although nobody asks for them: ancestors from which a channel of a wanted one is
        put together.
        """
        kept = set(wanted)
        kept |= {needed for one in kept for needed in self._needed(thread, namespace, one)}
        for checkpoint_id in self.ids(thread, namespace):
            if checkpoint_id not in kept:
                del self._state[_key("checkpoint", thread, namespace, checkpoint_id)]
                self._ids[thread, namespace].discard(checkpoint_id)
                self._delete_writes((thread, namespace, checkpoint_id))
        if not self._ids.get((thread, namespace)):
            self._ids.pop((thread, namespace), None)
        self._sweep_values(thread, namespace)

    def copy(self, source: str, target: str) -> None:
        """Copy a thread with all that belongs to it."""
        for key in list(self._state):
            if not key.startswith(f"{_PREFIX}:"):
                continue
            _, kind, text = key.split(":", 2)
            parts = json.loads(text)
            if parts[0] == source:
                copied = [target, *parts[1:]]
                self._state[_key(kind, *copied)] = self._state[key]
                self._index(kind, copied, _key(kind, *copied))

    def _needed(self, thread: str, namespace: str, checkpoint_id: str) -> Iterator[str]:
        """The ancestors whose writes tell the value of a channel that is not stored itself."""
        saved = self.get(thread, namespace, checkpoint_id)
        missing = set(saved.delta_channels) if saved else set()
        while saved is not None and missing:
            here = {
                channel
                for channel in missing
                if channel in saved.versions
                and self.value(thread, namespace, channel, saved.versions[channel]) is not None
            }
            missing -= here
            parent = saved.parent
            saved = self.get(thread, namespace, parent) if parent and missing else None
            if saved is not None and parent is not None:
                yield parent

    def _sweep_values(self, thread: str, namespace: str) -> None:
        used = {
            _key("value", thread, namespace, channel, version)
            for checkpoint_id in self.ids(thread, namespace)
            if (saved := self.get(thread, namespace, checkpoint_id)) is not None
            for channel, version in saved.versions.items()
        }
        start = _key("value", thread, namespace)[:-1] + ","
        for key in [key for key in self._state if key.startswith(start) and key not in used]:
            del self._state[key]

    def _delete_writes(self, place: tuple[str, str, str]) -> None:
        for key in self._writes.pop(place, {}).values():
            del self._state[key]


def _key(kind: str, *parts: object) -> str:
    return f"{_PREFIX}:{kind}:{json.dumps(parts, separators=(',', ':'))}"
