"""The one loop that tries again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from cfslurm.errors import CfslurmError
from cfslurm.ports import Clock

Result = TypeVar("Result")


def retrying(
    action: Callable[[], Result], *, clock: Clock, attempts: int = 4, first_wait_s: float = 1.0
) -> Result:
    """Do something, again after an error that may pass; each wait is twice the one before.

    Raises:
        CfslurmError: the last error, or the first that trying again cannot mend.
    """
    wait_s = first_wait_s
    for _ in range(attempts - 1):
        try:
            return action()
        except CfslurmError as error:
            if not error.transient:
                raise
        clock.sleep(wait_s)
        wait_s *= 2
    return action()
