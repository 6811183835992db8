"""The components of a gang find each other: one small file each, in a folder of the attempt."""

from __future__ import annotations

import json
import socket
from collections.abc import Sequence
from pathlib import Path

from cfslurm.adapters.files import write_atomic
from cfslurm.errors import SetupError
from cfslurm.ports import Clock

_PATIENCE_S = 300.0
_POLL_S = 0.1


def free_port() -> socket.socket:
    """A TCP port that nobody uses, kept until the socket is closed."""
    holder = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind(("", 0))
    return holder


def meet(
    folder: Path, *, me: str, address: tuple[str, int], everybody: Sequence[str], clock: Clock
) -> dict[str, tuple[str, int]]:
    """Say where I am and wait until all have said so: the barrier before the start.

    Raises:
        SetupError: somebody did not come within five minutes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    host, port = address
    write_atomic(
        folder / f"{me}.json", json.dumps({"host": host, "port": port}).encode(), mode=0o600
    )
    deadline = clock.monotonic() + _PATIENCE_S
    missing = set(everybody)
    while missing:
        # A listing, not exists(): NFS remembers for half a minute that a name was not there.
        missing = set(everybody) - {path.name.removesuffix(".json") for path in folder.iterdir()}
        if missing and clock.monotonic() > deadline:
            raise SetupError(
                f"{', '.join(sorted(missing))} did not start within {_PATIENCE_S:.0f} s",
                remedy="`cfslurm logs RUN` shows what they printed.",
            )
        if missing:
            clock.sleep(_POLL_S)
    return {name: _read(folder / f"{name}.json") for name in everybody}


def _read(path: Path) -> tuple[str, int]:
    data = json.loads(path.read_text(encoding="utf-8"))
    return str(data["host"]), int(data["port"])
