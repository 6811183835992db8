"""Signals that say that the end of an attempt is near."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGTERM, signal.SIGUSR1)


class SignalFlag:
    """Remembers TERM and USR1, and passes them on to the Python handlers that were there before.

    Python lets only the main thread set handlers; elsewhere nothing is installed.
    """

    def __init__(self) -> None:
        self.raised = False
        self._earlier: dict[signal.Signals, Any] = {}

    def install(self) -> None:
        """Begin to listen; a handler that is not Python's stays in its place."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number in SIGNALS:
            if signal.getsignal(number) is not None:
                self._earlier[number] = signal.signal(number, self._handle)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.raised = True
        earlier = self._earlier.get(signal.Signals(number))
        if callable(earlier):
            earlier(number, frame)

    def restore(self) -> None:
        """Put the earlier handlers back, unless somebody has set others since."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number, earlier in self._earlier.items():
            if signal.getsignal(number) == self._handle:
                signal.signal(number, earlier)
