"""A process that fetches one variant of acme/tiny, for tests that need two of them, or a dead one.

``python -m tests.hub.fetch_child REPOSITORIES CACHE VARIANT [--endpoint URL] [--kill-at N]``
prints where the variant lies. With ``--kill-at`` it kills itself before the N-th time that it touches
the cache; 0 only counts, and prints the number instead.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path

from cfslurm.adapters.clock import SystemClock
from cfslurm.adapters.hub import HuggingFaceHub
from cfslurm.adapters.model_store import DirectoryStore
from cfslurm.ports import Hub
from cfslurm.stages.prefetch import prefetch
from tests.hub.fake import FakeHub, tiny_variants

_TOUCHES = frozenset(
    {"open", "os.chmod", "os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir"}
)


class HastyClock(SystemClock):
    """Polls without waiting for long."""

    def sleep(self, seconds: float) -> None:
        super().sleep(min(seconds, 0.01))


def count_touches(cache: Path, kill_at: int) -> list[int]:
    """Count operations below a folder from now on, and end this process before one of them."""
    touched = [0]

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event in _TOUCHES and str(arguments[0]).startswith(str(cache)):
            touched[0] += 1
            if touched[0] == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    return touched


def main() -> None:
    """Fetch."""
    parser = argparse.ArgumentParser()
    parser.add_argument("repositories", type=Path)
    parser.add_argument("cache", type=Path)
    parser.add_argument("variant")
    parser.add_argument("--endpoint")
    parser.add_argument("--kill-at", type=int)
    arguments = parser.parse_args()
    fake = FakeHub(arguments.repositories)
    variant = tiny_variants(fake)[arguments.variant]
    hub: Hub = HuggingFaceHub(arguments.endpoint) if arguments.endpoint else fake
    store = DirectoryStore(arguments.cache)
    counted = arguments.kill_at is not None
    touched = count_touches(arguments.cache, arguments.kill_at) if counted else [0]
    (path,) = prefetch(
        [variant], store=store, hub=hub, clock=HastyClock(), progress=lambda text: None
    )
    sys.stdout.write(f"{touched[0] if arguments.kill_at == 0 else path}\n")


if __name__ == "__main__":
    main()
