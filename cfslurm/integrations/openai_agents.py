"""OpenAI Agents SDK: a conversation's memory in a session. Needs ``cfslurm[openai-agents]``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agents.memory import SessionABC, SessionSettings

if TYPE_CHECKING:
    from agents.items import TResponseInputItem

    from cfslurm.node.session import Session

_PREFIX = "openai-agents"


class ConversationMemory(SessionABC):
    """What an agent and its user have said, for ``Runner.run(…, session=…)``.

    One session can hold many conversations, told apart by ``session_id``. When a call returns, what
    it has added or removed survives a crash; what is saved grows with what was added.
    """

    def __init__(
        self,
        session: Session,
        session_id: str = "default",
        *,
        session_settings: SessionSettings | None = None,
    ) -> None:
        self.session_id = session_id
        self.session_settings = session_settings
        self._session = session
        self._start = f"{_PREFIX}:{session_id}:"

    def _numbers(self) -> list[int]:
        return sorted(
            int(key.removeprefix(self._start))
            for key in self._session
            if key.startswith(self._start) and key.removeprefix(self._start).isdecimal()
        )

    def _key(self, number: int) -> str:
        return f"{self._start}{number}"

    async def get_items(self, limit: int | None = None) -> list[TResponseInputItem]:
        """The items, oldest first; with a limit the latest so many."""
        if limit is None and self.session_settings is not None:
            limit = self.session_settings.limit
        numbers = self._numbers()
        if limit is not None:
            numbers = numbers[-limit:] if limit > 0 else []
        return [self._session[self._key(number)] for number in numbers]

    async def add_items(self, items: list[TResponseInputItem]) -> None:
        """Add items; all of them are saved, or none.

        Raises:
            SessionError: a session cannot keep one, or cannot be written.
        """
        numbers = self._numbers()
        first = numbers[-1] + 1 if numbers else 0
        added: list[str] = []
        try:
            for number, item in enumerate(items, start=first):
                self._session[self._key(number)] = _plain(item)
                added.append(self._key(number))
        except BaseException:
            for key in added:
                del self._session[key]
            raise
        if items:
            self._session.commit()

    async def pop_item(self) -> TResponseInputItem | None:
        """Remove the latest item and return it; None if there is none."""
        numbers = self._numbers()
        if not numbers:
            return None
        item: TResponseInputItem = self._session[self._key(numbers[-1])]
        del self._session[self._key(numbers[-1])]
        self._session.commit()
        return item

    async def clear_session(self) -> None:
        """Remove all items of this conversation."""
        for number in self._numbers():
            del self._session[self._key(number)]
        self._session.commit()


def _plain(item: Any) -> Any:
    """A typed dict or a model of the SDK as plain data."""
    return item.model_dump(exclude_unset=True) if hasattr(item, "model_dump") else item
