"""Signals: Slurm says that the end is near, and the program is told."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable
from types import FrameType


class Interrupts:
    """Remembers USR1 (the end is near) and TERM (it is here), and calls back at once.

    Both may come twice, in any order, or not at all before KILL.
    """

    def __init__(self) -> None:
        self.warned = False
        self.terminated = False
        self._on_signal: Callable[[], None] = lambda: None
        signal.signal(signal.SIGUSR1, self._handle)
        signal.signal(signal.SIGTERM, self._handle)

    @property
    def any(self) -> bool:
        """True if nothing new should be started."""
        return self.warned or self.terminated

    def call(self, on_signal: Callable[[], None]) -> None:
        """Call this at every signal from now on; at once if one has come already."""
        self._on_signal = on_signal
        if self.any:
            on_signal()

    def at_most(self, seconds: float, on_end: Callable[[], None]) -> None:
        """Call ``on_end`` once after so many seconds; 0 takes that back."""
        signal.signal(signal.SIGALRM, lambda _number, _frame: on_end())
        signal.setitimer(signal.ITIMER_REAL, seconds)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGTERM:
            self.terminated = True
        else:
            self.warned = True
        self._on_signal()


def signal_group(pid: int, number: int) -> None:
    """Signal a process that leads its own group, and all in it; nothing if it is gone.

    A setuid program in the group is not ours to signal; Slurm ends it with the job.
    """
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)
