"""Free TCP ports that nobody else takes before our daemons do."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from cfslurm.errors import SetupError

_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
_LOWEST = 10_000
_HIGHEST = 32_767
_LOOPBACK = "127.0.0.1"


def usable_ports() -> range:
    """Ports that need no privilege and that no outgoing connection is given by chance."""
    try:
        first_ephemeral = int(_EPHEMERAL.read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        first_ephemeral = _HIGHEST + 1
    below = range(_LOWEST, min(first_ephemeral, _HIGHEST + 1))
    return below if len(below) >= 1000 else range(_LOWEST, _HIGHEST + 1)


@contextmanager
def reserved(count: int, *, candidates: range | None = None) -> Iterator[tuple[int, ...]]:
    """Hold some free ports for the daemons that are started meanwhile.

    Each port is bound without SO_REUSEADDR, which fails if anybody else has it, and then given the
    option: Linux then lets a daemon that sets it too (all of Slurm's do) listen there, but no second
    caller of this function.

    Raises:
        SetupError: there are not so many.
    """
    wanted = candidates or usable_ports()
    order = list(wanted)
    random.shuffle(order)
    with ExitStack() as held:
        ports: list[int] = []
        for port in order:
            if len(ports) == count:
                break
            with suppress(OSError):
                held.enter_context(_hold(port))
                ports.append(port)
        if len(ports) < count:
            raise SetupError(
                f"only {len(ports)} of the {count} ports that the daemons need are free "
                f"from {wanted.start} to {wanted.stop - 1}",
                remedy="`ss -ltn` shows who listens; a smaller profile needs fewer: --profile tiny.",
            )
        yield tuple(sorted(ports))


def _hold(port: int) -> socket.socket:
    holder = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        holder.bind((_LOOPBACK, port))
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    except OSError:
        holder.close()
        raise
    return holder
