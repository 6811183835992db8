"""Functions in processes of their own, which can be killed at any moment."""

from __future__ import annotations

import os
from collections.abc import Callable


def start_child(function: Callable[[], int]) -> int:
    """Run a function in a forked process, which ends with its result, or with 99 if it raised."""
    child = os.fork()
    if child == 0:
        code = 99
        try:
            code = function()
        except SystemExit as end:
            code = int(end.code or 0)
        finally:
            os._exit(code)
    return child
