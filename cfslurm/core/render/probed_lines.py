"""What a probe says of GPUs → Cores and Links of gres.conf."""

from __future__ import annotations

from cfslurm.core.hardware.graph import Node
from cfslurm.core.hardware.probe import NodeProbe, known
from cfslurm.core.render.devices import range_text


def probed_cores(probe: NodeProbe, node: Node) -> tuple[str, ...]:
    """Slurm's logical cores near each GPU, widened to whole sockets; empty where any is not known.

    The operating system's CPUs are taken to be numbered socket by socket, all first threads before
    all second ones, as Linux does on x86. Slurm refuses ranges that are not whole sockets: it says
    "doesn't match socket boundaries" (tried with 25.11), so a NUMA node within a socket is widened.
    """
    cores = node.sockets * node.cores_per_socket
    found = []
    for gpu in probe.gpus:
        text = known(gpu.cpus)
        numbers = _numbers(text) if text else frozenset()
        if not numbers or max(numbers) >= cores * node.threads_per_core:
            return ()
        sockets = sorted({number % cores // node.cores_per_socket for number in numbers})
        found.append(_ranges(sockets, node.cores_per_socket))
    return tuple(found)


def _ranges(sockets: list[int], cores_per_socket: int) -> str:
    first, last = sockets[0], sockets[-1]
    if sockets == list(range(first, last + 1)):
        return range_text(first * cores_per_socket, (last + 1) * cores_per_socket - 1)
    return ",".join(_ranges([socket], cores_per_socket) for socket in sockets)


def _numbers(text: str) -> frozenset[int]:
    """``0-31,64-95`` as numbers; nothing where it is written otherwise."""
    numbers: set[int] = set()
    for part in text.split(","):
        first, _, last = part.strip().partition("-")
        if not first.isdecimal() or not (last or first).isdecimal():
            return frozenset()
        numbers.update(range(int(first), min(int(last or first), int(first) + 65_536) + 1))
    return frozenset(numbers)


def probed_links(probe: NodeProbe) -> tuple[str, ...]:
    """A row of Links for each GPU: NVLinks to each other one, -1 for itself.

    Empty where a pair is not known, or where there is no NVLink at all: Slurm takes that as given.
    """
    order = [gpu.index for gpu in probe.gpus]
    between: dict[frozenset[int], int | None] = {
        frozenset((link.a, link.b)): known(link.nvlinks) for link in probe.links
    }
    rows = []
    for one in order:
        row = [-1 if one == other else between.get(frozenset((one, other))) for other in order]
        if None in row:
            return ()
        rows.append(row)
    if all(number in (0, -1) for row in rows for number in row):
        return ()
    return tuple(",".join(str(number) for number in row) for row in rows)
