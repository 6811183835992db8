"""Saving what a session holds: a whole generation, or only what has changed, in the journal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cfslurm import __version__
from cfslurm.adapters.session_folder import translated
from cfslurm.core.session import rng, values
from cfslurm.core.session.content import Values, pack
from cfslurm.core.session.journal import Change
from cfslurm.core.session.layout import GenerationId
from cfslurm.errors import SessionError

if TYPE_CHECKING:
    from cfslurm.adapters.session_file import Store
    from cfslurm.adapters.session_marks import Mark
    from cfslurm.adapters.session_writer import SessionWriter
    from cfslurm.core.documents import Json
    from cfslurm.core.session.values import Datum

JOURNAL_BYTES = 4 * 1024**2


_Marks = Mapping[str, "Mark"]


@dataclass(frozen=True, slots=True)
class _Saved:
    """What was saved last, to tell what has changed since: of every key its JSON and its arrays' marks."""

    keys: Mapping[str, tuple[bytes, tuple[Mark, ...]]]
    events: int
    rng: Mapping[str, bytes]


@dataclass(slots=True)
class Saving:
    """Brings values to stable storage. After a save that failed, the next one is a whole generation.

    ``commits`` says that the program commits; only then is it noted what a generation held.
    """

    writer: SessionWriter
    store: Store
    held: Values
    generators: dict[str, object] = field(default_factory=dict)
    commits: bool = False
    _saved: _Saved | None = None

    def checkpoint(self, saved_at: str) -> GenerationId:
        """Publish a generation.

        Raises:
            SessionSupersededError: a later attempt has the session.
            SessionError: a value cannot be kept, or it could not be saved.
        """
        self._look_at_generators()
        self._saved = None
        content = pack(self.held)
        with translated(self.store.folder):
            published = self.writer.publish(
                content, writer=f"cfslurm {__version__}", saved_at=saved_at
            )
            self.writer.prune()
        if self.commits:
            from cfslurm.adapters.session_marks import marks_published

            self._saved = self._now(marks_published)
        return published

    def commit(self) -> bool:
        """Append what has changed to the journal; False if that cannot be, and a generation is due.

        Raises:
            SessionSupersededError: a later attempt has the session.
            SessionError: a value cannot be kept, or it could not be saved.
        """
        from cfslurm.adapters.session_marks import marks_now

        self.commits = True
        self._look_at_generators()
        before, self._saved = self._saved, None
        now = self._now(marks_now) if before is not None else None
        change = self._change(before, now) if before is not None and now is not None else None
        if change is None:
            return False
        if change != Change():
            with translated(self.store.folder):
                self.writer.commit(change)
        self._saved = now
        return self.writer.journal_bytes < JOURNAL_BYTES

    def check_fence(self) -> None:
        """Stop if a later attempt has the session; see `SessionWriter.check_fence`."""
        with translated(self.store.folder):
            self.writer.check_fence()

    def record(self, key: str, result: Json) -> None:
        """Record a step's result for ever.

        Raises:
            SessionSupersededError: a later attempt has the session.
            SessionError: it could not be saved.
        """
        with translated(self.store.folder):
            self.writer.record(key, result)
        self.held.steps[key] = result

    def _look_at_generators(self) -> None:
        for name, generator in self.generators.items():
            self.held.rng[name] = rng.state_of(generator, name=name)

    def _now(
        self, marks_of: Callable[[Store, Mapping[str, Datum]], _Marks | None]
    ) -> _Saved | None:
        """What is held now; None if a large part of it is not on the disk yet."""
        data: dict[str, Datum] = {}
        tree = values.encode(self.held.state, name="session", data=data)
        assert isinstance(tree, dict)
        marks = marks_of(self.store, data)
        if marks is None:
            return None
        by_key: dict[str, list[Mark]] = {}
        for path, mark in marks.items():
            by_key.setdefault(path.split("/")[0], []).append(mark)
        return _Saved(
            keys={
                key: (
                    values.to_bytes(item),
                    tuple(by_key.get(values.link_name(values.plain_key(key)), ())),
                )
                for key, item in tree.items()
            },
            events=len(self.held.log),
            rng={name: values.to_bytes(state) for name, state in self.held.rng.items()},
        )

    def _change(self, before: _Saved, now: _Saved) -> Change | None:
        """The difference, if the journal can carry it."""
        drop = tuple(key for key in before.keys if key not in now.keys)
        put = [key for key, found in now.keys.items() if before.keys.get(key) != found]
        after = [key for key in before.keys if key not in drop]
        after += [key for key in put if key not in before.keys]
        if after != list(now.keys):
            return None
        encoded: dict[str, Json] = {}
        for key in put:
            value = self.held.state[values.plain_key(key)]
            if any(mark.is_large for mark in now.keys[key][1]):
                return None
            try:
                encoded[key] = values.encode(value, name="session", at=(key,))
            except SessionError:
                return None  # a structure: only a generation has room for it
        drawn = {
            name: self.held.rng[name]
            for name, text in now.rng.items()
            if before.rng.get(name) != text
        }
        if before.rng.keys() - now.rng.keys():
            return None
        events = tuple(self.held.log.lines(before.events))
        return Change(put=encoded, drop=drop, events=events, rng=drawn)
