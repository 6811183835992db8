"""The one loop that tries again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from cfslurm.errors import CfslurmError, HubUnavailableError
from cfslurm.ports import Clock

Result = TypeVar("Result")
# Source: the Hub counts requests in windows of five minutes (hub-docs, rate-limits).
_LONGEST_WAIT_S = 310.0


def retrying(
    action: Callable[[], Result], *, clock: Clock, attempts: int = 4, first_wait_s: float = 1.0
) -> Result:
    """Do something, again after an error that may pass; each wait is twice the one before.

    A Hub that says how long to wait is waited for so long, unless that is more than its five minutes.

    Raises:
        CfslurmError: the last error, or the first that trying again cannot mend.
    """
    wait_s = first_wait_s
    for _ in range(attempts - 1):
        try:
            return action()
        except CfslurmError as error:
            asked_s = error.wait_s if isinstance(error, HubUnavailableError) else 0.0
            if not error.transient or asked_s > _LONGEST_WAIT_S:
                raise
        clock.sleep(max(wait_s, asked_s))
        wait_s *= 2
    return action()
