"""The state of a session as a mapping."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, MutableMapping
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from cfslurm.core.session import values
from cfslurm.core.session.content import Values
from cfslurm.errors import SessionError

if TYPE_CHECKING:
    from threading import RLock


_S = TypeVar("_S", bound="StateMapping")
_P = ParamSpec("_P")
_R = TypeVar("_R")


def alone(method: Callable[Concatenate[_S, _P], _R]) -> Callable[Concatenate[_S, _P], _R]:
    """A method that no other thread is in at the same time."""

    @functools.wraps(method)
    def waiting(self: _S, /, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        with self._lock:
            return method(self, *args, **kwargs)

    return waiting


class StateMapping(MutableMapping[str, Any]):
    """State by key. Two sessions are equal only if they are the same object."""

    __eq__ = object.__eq__
    __hash__ = object.__hash__

    name: str
    _held: Values
    _is_open: bool
    _lock: RLock

    def __getitem__(self, key: str) -> Any:
        return self._held.state[key]

    @alone
    def __setitem__(self, key: str, value: Any) -> None:
        """Set a value; it is the caller's own object, and saved as it is at the next checkpoint.

        Raises:
            SessionError: a session cannot keep it.
        """
        self._check_open()
        values.encode({key: value}, name="session", data={})
        self._held.state[key] = value

    @alone
    def __delitem__(self, key: str) -> None:
        self._check_open()
        del self._held.state[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._held.state)

    def __len__(self) -> int:
        return len(self._held.state)

    def _check_open(self) -> None:
        if not self._is_open:
            raise SessionError(
                f"session {self.name} is closed", remedy="Open it again with Session.open."
            )
