"""The core is tested with the world switched off."""

from __future__ import annotations

import builtins
import io
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest

_CORE = f"{os.sep}cfslurm{os.sep}core{os.sep}"


def _asked_by_core() -> bool:
    """True if a function of the core is among the callers; imports that Python does for it are not."""
    frame = sys._getframe(2)
    while frame is not None:
        if "importlib" in frame.f_code.co_filename:
            return False
        if (
            _CORE in frame.f_code.co_filename
            and os.sep + "tests" + os.sep not in frame.f_code.co_filename
        ):
            return True
        frame = frame.f_back  # type: ignore[assignment]
    return False


def _guarded(original: Callable[..., Any]) -> Callable[..., Any]:
    def guard(*args: Any, **kwargs: Any) -> Any:
        if _asked_by_core():
            raise AssertionError(f"the core touched the world: {original.__qualname__}")
        return original(*args, **kwargs)

    return guard


@pytest.fixture(autouse=True)
def world_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """No file, process, socket or sleep by the code under test; pytest and hypothesis keep theirs."""
    for owner, name in (
        (builtins, "open"),
        (io, "open"),
        (os, "open"),
        (subprocess.Popen, "__init__"),
        (socket.socket, "__init__"),
        (time, "sleep"),
    ):
        monkeypatch.setattr(owner, name, _guarded(getattr(owner, name)))
