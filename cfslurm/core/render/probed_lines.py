"""What a probe says of GPUs → File, Cores and Links of gres.conf."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from cfslurm.core.hardware.graph import GpuSet, Node
from cfslurm.core.hardware.mig import mig_name
from cfslurm.core.hardware.probe import MigInstance, NodeProbe, NotKnown, ProbedGpu, known
from cfslurm.core.render.devices import FIRST_RENDER, device_file, mig_device, range_text
from cfslurm.core.render.node_lines import GresDevice


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """Devices in the driver's order; ``keys`` are those of gres.conf that the node itself told."""

    devices: tuple[GresDevice, ...]
    keys: frozenset[str]


def probed_devices(
    gpus: GpuSet, assumed: Sequence[GresDevice], node: Node, probe: NodeProbe, family: str
) -> Probed | None:
    """What the node told of the GPUs of one type; None if it did not tell of just these.

    Under cgroup fencing a probe may see fewer than there are. With several types of whole GPUs on a
    node nobody knows which are which. What it did not tell of a device stays as it was ``assumed``.
    """
    if gpus.mig_profile:
        return _instances(gpus, node, probe)
    if any(not other.mig_profile for other in node.gpus if other is not gpus):
        return None
    whole = [gpu for gpu in probe.gpus if len(node.gpus) == 1 or known(gpu.mig_mode) != "on"]
    if len(whole) != gpus.count:
        return None
    cores = probed_cores(whole, node)
    # Links= counts all devices of the node, MIG instances too, in an order that nobody tells.
    links = probed_links(probe) if len(node.gpus) == 1 else ()
    files = _files(whole, family)
    devices = tuple(
        replace(
            device,
            files=files[number] if files else device.files,
            cores=cores[number] if cores else "",
            links=links[number] if links else "",
        )
        for number, device in enumerate(assumed)
    )
    keys = {"File": files, "Cores": cores, "Links": links}
    return Probed(devices=devices, keys=frozenset(key for key, found in keys.items() if found))


def _files(gpus: Sequence[ProbedGpu], family: str) -> tuple[tuple[str, ...], ...]:
    """The device file of each GPU; nothing where any is not known."""
    first = FIRST_RENDER if family in ("amd", "intel") else 0
    minors = [known(gpu.minor) for gpu in gpus]
    if None in minors or len(set(minors)) != len(minors):
        return ()
    return tuple((device_file(family, minor - first),) for minor in minors if minor is not None)


def _instances(gpus: GpuSet, node: Node, probe: NodeProbe) -> Probed | None:
    """The MIG instances of a profile, if the node has just as many as Slurm."""
    found = [
        (gpu, instance)
        for gpu in probe.gpus
        for instance in (() if isinstance(gpu.mig, NotKnown) else gpu.mig)
        if _is_of(instance, gpus.mig_profile)
    ]
    cores = probed_cores([gpu for gpu, _ in found], node)
    devices = tuple(_mig_devices(found))
    if len(devices) != gpus.count:
        return None
    placed = tuple(
        replace(device, cores=cores[number] if cores else "")
        for number, device in enumerate(devices)
    )
    return Probed(devices=placed, keys=frozenset({"File", *(["Cores"] if cores else [])}))


def _is_of(instance: MigInstance, profile: str) -> bool:
    """True if they are of one size; drivers round the memory in a profile's name differently."""
    told, meant = mig_name(known(instance.profile) or ""), mig_name(profile)
    if told is None or meant is None:
        return False
    return told.slices == meant.slices and abs(told.memory_gb - meant.memory_gb) <= 1


def _mig_devices(found: Sequence[tuple[ProbedGpu, MigInstance]]) -> Iterator[GresDevice]:
    for gpu, instance in found:
        ids = (known(gpu.minor), known(instance.gpu_instance), known(instance.compute_instance))
        if ids[0] is not None and ids[1] is not None and ids[2] is not None:
            yield mig_device(ids[0], ids[1], ids[2])


def probed_cores(gpus: Sequence[ProbedGpu], node: Node) -> tuple[str, ...]:
    """Slurm's logical cores near each GPU, widened to whole sockets; empty where any is not known.

    The operating system's CPUs are taken to be numbered socket by socket, all first threads before
    all second ones, as Linux does on x86. Slurm 24.11 and 26.05 drain a node whose ranges are not
    whole sockets ("doesn't match socket boundaries"; tried, 22.05 takes them), so a NUMA node within
    a socket is widened to it.
    """
    cores = node.sockets * node.cores_per_socket
    found = []
    for gpu in gpus:
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
