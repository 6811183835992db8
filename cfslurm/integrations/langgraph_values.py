"""What LangGraph hands over and wants back: values as bytes with a type, and configs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cfslurm.errors import SessionError
from cfslurm.integrations.threads import Typed

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig
    from langgraph.checkpoint.serde.base import SerializerProtocol

_NEVER_READ = frozenset({"pickle"})


def dumped(serde: SerializerProtocol, value: object) -> Typed:
    """A value as bytes.

    Raises:
        SessionError: the serializer cannot keep it, or would pickle it.
    """
    try:
        kind, data = serde.dumps_typed(value)
    except TypeError as error:
        raise SessionError(
            f"LangGraph's serializer cannot keep this value: {error}",
            remedy="Keep plain data, pydantic models or dataclasses in the graph's state.",
        ) from error
    _refuse(kind)
    return kind, data


def loaded(serde: SerializerProtocol, value: Typed) -> Any:
    """The value again.

    Raises:
        SessionError: it is a pickle.
    """
    _refuse(value[0])
    return serde.loads_typed((value[0], value[1]))


def _refuse(kind: str) -> None:
    if kind in _NEVER_READ:
        raise SessionError(
            "the serializer pickles this value, and a session keeps no pickles",
            remedy="Keep plain data, pydantic models or dataclasses in the graph's state; leave "
            "pickle_fallback of the serializer off.",
        )


def place_of(config: RunnableConfig) -> tuple[str, str]:
    """Thread and namespace."""
    asked = config["configurable"]
    return str(asked["thread_id"]), asked.get("checkpoint_ns", "")


def config_of(thread: str, namespace: str, checkpoint_id: str) -> RunnableConfig:
    """The config that names a checkpoint."""
    return {
        "configurable": {
            "thread_id": thread,
            "checkpoint_ns": namespace,
            "checkpoint_id": checkpoint_id,
        }
    }
