"""Results of effects that a restart must not repeat: recorded when they are there, replayed afterwards."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cfslurm.core.session import values
from cfslurm.errors import SessionError
from cfslurm.node.session_state import StateMapping, alone

if TYPE_CHECKING:
    from cfslurm.core.documents import Json
    from cfslurm.node.session_saving import Saving

_BEGUN = " (begun)"


class StepLedger(StateMapping):
    """State, and the recorded results of steps. A step's function may itself use the session."""

    _saving: Saving
    _running: set[str]

    @abstractmethod
    def checkpoint(self) -> int:
        """Save a generation."""

    def once(self, key: str, function: Callable[[], Any]) -> Any:
        """The result of an effect that must not happen again: recorded now, replayed after a restart.

        When this has returned, the function never runs again for this key. Killed before that, it
        may run once more: what it does should carry the key, so that the other side can tell. The
        rest of the state is not saved; it stays as of the last checkpoint.

        Raises:
            SessionSupersededError: a later attempt has the session.
            SessionError: the result cannot be kept or not be saved; the function has run.
        """
        _check_key(key)
        if key not in self._held.steps:
            with self._begun_here(key) as is_due:
                if is_due:
                    self._check_fence()
                    tree = values.encode(function(), name=f"the result of step {key!r}")
                    self._record(key, tree)
        return values.decode(self._held.steps[key])

    def step(self, key: str) -> Callable[[Callable[[], Any]], Any]:
        """A decorator that runs a function here and now, at most once; its name is then the result.

        That it begins is recorded before it runs. If it was cut off after that, or has raised, nobody
        here knows what it did, and it is not run again: see what happened, then give `once` the result,
        or let `once` run it again.

        Raises:
            SessionSupersededError: a later attempt has the session; nothing has run.
            SessionError: it was begun before, and there is no result; or as from `once`.
        """

        def run(function: Callable[[], Any]) -> Any:
            return self.once(key, lambda: self._marked(key, function))

        return run

    @alone
    def forget_steps(self) -> int:
        """Checkpoint without the recorded results: for a place that no restart goes back behind.

        That a `step` without a result was begun stays known.
        """
        steps = self._held.steps
        self._held.steps = {
            key: tree
            for key, tree in steps.items()
            if key.endswith(_BEGUN) and key.removesuffix(_BEGUN) not in steps
        }
        try:
            return self.checkpoint()
        except BaseException:
            self._held.steps = steps
            raise

    def _marked(self, key: str, function: Callable[[], Any]) -> Any:
        if key + _BEGUN in self._held.steps:
            raise SessionError(
                f"step {key!r} was begun and has no result: whether it happened is not known",
                remedy=f"See whether it did. Then once({key!r}, lambda: RESULT) if it did, or "
                f"once({key!r}, function) to do it now.",
            )
        self._record(key + _BEGUN, None)
        return function()

    @contextmanager
    def _begun_here(self, key: str) -> Iterator[bool]:
        """Is a step still to be done? Refuse one that is being done at this moment."""
        self._check_open()
        values.encode({key: None}, name="steps")
        with self._lock:
            if key in self._running:
                raise SessionError(
                    f"step {key!r} is being done by another thread, or calls itself",
                    remedy="Give every step a key of its own.",
                )
            self._running.add(key)
        try:
            yield key not in self._held.steps
        finally:
            self._running.discard(key)

    @alone
    def _check_fence(self) -> None:
        self._saving.check_fence()

    @alone
    def _record(self, key: str, tree: Json) -> None:
        self._check_open()
        self._saving.record(key, tree)


def _check_key(key: str) -> None:
    if str(key).endswith(_BEGUN):
        raise SessionError(
            f"{key!r} is no key of a step: {_BEGUN.strip()} marks those without a result",
            remedy="Take another end.",
        )
