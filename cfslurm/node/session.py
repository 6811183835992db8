"""A session: a program's state that survives requeue, preemption and crash.

docs/how-to/sessions.md shows how a plain loop becomes one that can be resumed.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Self

from cfslurm.adapters.clock import SystemClock, utc_text
from cfslurm.adapters.environment import read_environment
from cfslurm.adapters.session_folder import translated
from cfslurm.adapters.session_signals import SignalFlag
from cfslurm.core.session import rng, values
from cfslurm.core.session.claims import SessionSupersededError
from cfslurm.core.session.content import Snapshot
from cfslurm.core.session.log import Events
from cfslurm.node.session_opening import opened
from cfslurm.node.session_place import Place, find_key, find_place
from cfslurm.node.session_rounds import ALONE, Rounds
from cfslurm.node.session_saving import Saving
from cfslurm.node.session_snapshot import read_session
from cfslurm.node.session_state import alone
from cfslurm.node.session_steps import StepLedger

REQUEUE = 75


class Session(StepLedger):
    """State by key, a log of events, results of steps, and random generators; one writer at a time.

    Nothing is on disk before a checkpoint: `checkpoint`, `checkpoint_if_due`, `stop`, and leaving
    the ``with`` block in the normal way. An exception saves nothing, so that the next attempt goes
    on from the last checkpoint and not from the middle of a step. Threads may share a session: what
    sets, appends and saves waits for each other.
    """

    def __init__(self, place: Place, saving: Saving, warnings: tuple[str, ...]) -> None:
        self.name = place.label
        self.folder = place.folder
        self.warnings = warnings
        self._saving = saving
        self._lock = threading.RLock()
        self._running: set[str] = set()
        self._writer = saving.writer
        self._held = saving.held
        self._interval_s = place.interval_s
        self._clock = SystemClock()
        self._signals = SignalFlag()
        self._generation = 0
        self._saved_at_s = 0.0
        self._is_open = True
        self._rounds = Rounds(
            folder=place.folder, writer=saving.writer, together=place.together or ALONE
        )

    @classmethod
    def open(
        cls,
        name: str | None = None,
        *,
        directory: str | Path | None = None,
        take_over: bool = False,
        signals: bool = True,
    ) -> Self:
        """Open a session for writing: claim it, read its newest generation, save one of its own.

        A cfslurm job has a place for its session (CFSLURM_SESSION_DIR) and ``name`` is then only
        for the reader; elsewhere, or with ``directory``, it is the folder ``directory/name``, by
        default below ``sessions``.

        TERM and USR1 set `interrupted`, unless ``signals`` is off. ``take_over`` takes the session
        from a holder that may still live: that one stops at its next save.

        Raises:
            SessionHeldError: somebody else has it.
            SessionSupersededError: a later attempt of this job has it.
            SessionError: it cannot be read or written.
        """
        environment = read_environment()
        place = find_place(environment, name, directory)
        with opened(environment, place, take_over=take_over) as (saving, warnings):
            session = cls(place, saving, warnings)
            session._rounds.begin(session.checkpoint())
        for warning in session.warnings:
            sys.stderr.write(f"cfslurm: session {session.name}: {warning}\n")
        if signals:
            session._signals.install()
        return session

    @staticmethod
    def read(path: str | Path, *, generation: int | None = None) -> Snapshot:
        """Read a session's folder, or one generation of it, without disturbing its writer.

        ``path`` may also be a generation's file (``….h5``). A generation is read as it was saved;
        the newest one with what was committed and recorded since.

        Raises:
            SessionError: there is none, or it is damaged, or a newer cfslurm wrote it.
        """
        key = find_key(read_environment())
        return read_session(Path(path).absolute(), key=key, generation=generation)

    def __repr__(self) -> str:
        return f"<Session {self.name}, generation {self._generation}, {len(self)} keys>"

    @property
    def generation(self) -> int:
        """The number of the last saved generation; it grows, also over restarts."""
        return self._generation

    @property
    def round(self) -> int:
        """The last round that counts, of `checkpoint_round`; 0 before the first."""
        return self._rounds.last

    @property
    def restarts(self) -> int:
        """How often this session was opened before."""
        return self._writer.claim.epoch - 1

    @property
    def interrupted(self) -> bool:
        """True once TERM or USR1 has said that this attempt ends soon."""
        return self._signals.raised

    @property
    def events(self) -> Events:
        """All events, oldest first."""
        return Events(self._held.log)

    @alone
    def append(self, event: Any) -> None:
        """Add an event as it is now; it is saved with the next commit or checkpoint.

        Raises:
            SessionError: a session cannot keep it.
        """
        self._check_open()
        tree = values.encode(event, name="event")
        self._held.log.append(values.to_bytes(tree))

    @alone
    def register_rng(self, name: str, generator: Any) -> None:
        """Save a generator of numpy, `random.Random` or PyTorch with every checkpoint.

        If the session has a state of this name, the generator is put into it now.

        Raises:
            SessionError: another kind of generator.
        """
        self._check_open()
        values.encode({name: None}, name="generators")
        if name in self._held.rng:
            rng.restore(generator, self._held.rng[name], name=name)
        else:
            rng.kind_of(generator)
        self._saving.generators[name] = generator

    @alone
    def checkpoint(self) -> int:
        """Save a generation now and return its number; when this returns, it survives a crash.

        Raises:
            SessionSupersededError: a later attempt has the session; nothing of this one counts.
            SessionError: it could not be saved; the last generation is untouched.
        """
        self._check_open()
        self._generation = self._saving.checkpoint(utc_text(self._clock.now())).generation
        self._saved_at_s = self._clock.monotonic()
        return self._generation

    @alone
    def commit(self) -> None:
        """Save what has changed since the last save, at the cost of that; then it survives a crash.

        Like `checkpoint`, this says "everything belongs together here", but it writes no generation:
        small values, events and generators go to the journal. Where large arrays have changed, or the
        journal has become long, it is a checkpoint.

        Raises:
            SessionSupersededError: a later attempt has the session; nothing of this one counts.
            SessionError: it could not be saved; what was saved before is untouched.
        """
        self._check_open()
        if not self._saving.commit():
            self.checkpoint()

    @alone
    def checkpoint_round(self, number: int) -> int:
        """Save a generation as the checkpoint of a round, and return the generation's number.

        For components of a gang that have to go back together: with ``coordinated: true`` in the
        workflow, a restart opens all of them at the newest round that each has saved, and nothing
        later counts. Call it where no message is under way, with the same numbers in all. If Slurm
        has told the job to end, it ends the process with exit code 75, as `checkpoint_if_due` does.

        Raises:
            SessionSupersededError: a later attempt has the session.
            SessionError: the number does not grow, or it could not be saved.
        """
        self._check_open()
        self._rounds.check(number)
        generation = self.checkpoint()
        with translated(self.folder):
            self._rounds.record(number, generation)
        if self.interrupted:
            self._release()
            raise SystemExit(REQUEUE)
        return generation

    def checkpoint_if_due(self) -> bool:
        """Save if the interval is over; if this attempt was interrupted, save and end the process.

        The one place where a plain loop says "here I can be stopped". The end is `stop`.
        """
        if self.interrupted:
            self.stop()
        if self._clock.monotonic() - self._saved_at_s < self._interval_s:
            return False
        self.checkpoint()
        return True

    def stop(self) -> NoReturn:
        """Save, then end the process with exit code 75: the job is requeued and goes on from here."""
        self._check_open()
        self.close()
        raise SystemExit(REQUEUE)

    @alone
    def close(self) -> None:
        """Save, then let the session go; nothing happens the second time."""
        if self._is_open:
            try:
                self.checkpoint()
            finally:
                self._release()

    def _release(self) -> None:
        """Let the session go without saving."""
        if self._is_open:
            self._is_open = False
            self._signals.restore()
            with contextlib.suppress(OSError):  # others then see that this process is gone
                self._writer.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        """Save and close; after an exception only close. A superseded process ends with code 3."""
        try:
            if error is None:
                self.close()
            else:
                self._release()
        except SessionSupersededError as late:
            error = late
        if isinstance(error, SessionSupersededError):
            sys.stderr.write(f"cfslurm: {error}\n  try: {error.remedy}\n")
            raise SystemExit(error.exit_code) from error
