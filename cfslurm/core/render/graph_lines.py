"""A harvested cluster → the lines of Slurm's files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from cfslurm.core.hardware.class_probes import class_probes
from cfslurm.core.hardware.gpus import Source
from cfslurm.core.hardware.graph import GpuSet, HardwareGraph, Node, Partition
from cfslurm.core.hardware.probe import NodeProbe
from cfslurm.core.render.devices import (
    assumed_mig_devices,
    core_ranges,
    device_file,
    family_of,
)
from cfslurm.core.render.node_lines import (
    BlockLines,
    ClusterLines,
    GpuLines,
    GresDevice,
    NodeLines,
    Origin,
    OtherGres,
    PartitionLines,
    SharedGres,
    SwitchLines,
)
from cfslurm.core.render.probed_lines import probed_devices
from cfslurm.core.slurm.units import time_limit
from cfslurm.errors import UserInputError

_NO_LINKS = "Links not known: run `cfslurm harvest --probe` first"
_MOST_DEVICES = 1024  # Source: gres.conf(5), File
_UNSURE = (Source.AMBIGUOUS, Source.UNKNOWN)
_SHARED = ("shard", "mps")
_UNKNOWN_CARD = "no table knows this GPU, so it is written as NVIDIA's"


def graph_lines(graph: HardwareGraph) -> ClusterLines:
    """The lines of every node, equal ones together, in the order of their names.

    Raises:
        UserInputError: a node has more GPUs than gres.conf takes.
    """
    alike: dict[str, tuple[NodeLines, list[str]]] = {}
    probes = class_probes(graph.nodes)
    for node in graph.nodes:
        lines = _node(node, probes.get(node.name))
        alike.setdefault(repr(lines), (lines, []))[1].append(node.name)
    return ClusterLines(
        title=f"{graph.controller.cluster or 'cluster'}, harvested {graph.harvested_at}",
        nodes=tuple(replace(lines, names=tuple(names)) for lines, names in alike.values()),
        partitions=tuple(_partition(partition) for partition in graph.partitions),
        switches=tuple(
            SwitchLines(
                name=switch.name,
                node_names=() if switch.switches else switch.node_names,
                switches=switch.switches,
            )
            for switch in graph.switches
        ),
        blocks=tuple(
            BlockLines(name=block.name, node_names=block.node_names)
            for block in graph.blocks
            if not block.blocks
        ),
        block_sizes=tuple(sorted({block.size for block in graph.blocks if block.size})),
    )


def _node(node: Node, probe: NodeProbe | None) -> NodeLines:
    keys = ("CPUs", "RealMemory", "Gres", "Weight", *node.available_features)
    return NodeLines(
        names=(),
        cpus=node.cpus,
        sockets=node.sockets,
        cores_per_socket=node.cores_per_socket,
        threads_per_core=node.threads_per_core,
        real_memory_mib=node.real_memory_mib,
        weight=node.weight,
        features=node.available_features,
        gpus=tuple(_gpus(node, probe)),
        shared=tuple(_shared(node)),
        others=tuple(
            OtherGres(name=gres.name, type=gres.type, count=gres.count)
            for gres in node.gres
            if gres.name not in _SHARED and gres.count
        ),
        origins=dict.fromkeys(keys, Origin.SLURM),
    )


def _shared(node: Node) -> Iterator[SharedGres]:
    for name in _SHARED:
        count = sum(gres.count for gres in node.gres if gres.name == name)
        if count:
            yield SharedGres(name=name, count=count)


def _gpus(node: Node, probe: NodeProbe | None) -> Iterator[GpuLines]:
    """Device numbers go on from one type to the next: which type comes first, Slurm does not say."""
    if node.gpu_count > _MOST_DEVICES:
        raise UserInputError(
            f"{node.name[:60]} has {node.gpu_count} GPUs, and gres.conf takes {_MOST_DEVICES} of a node",
            remedy="Look at the Gres of this node in slurm.conf: `scontrol show node` prints it.",
        )
    first = 0
    for gpus in node.gpus:
        family = family_of(gpus.facts.vendor, gpus.mig_profile)
        if gpus.mig_profile:
            cards = -(-gpus.count // _instances(gpus.mig_profile))
            numbers = range(first, first + cards)
            devices = assumed_mig_devices(gpus.mig_profile, gpus.count, numbers)
        else:
            numbers = range(first, first + gpus.count)
            devices = tuple(GresDevice(files=(device_file(family, n),)) for n in numbers)
        first = numbers.stop
        yield _placed(_lines(gpus, family, devices), gpus, node, probe)


def _instances(profile: str) -> int:
    """Most instances of a profile on one GPU of seven slices: ``3g.40gb`` two, ``1g.10gb`` seven."""
    return max(1, 7 // int(profile[0])) if profile[0] in "1234567" else 7


def _lines(gpus: GpuSet, family: str, devices: tuple[GresDevice, ...]) -> GpuLines:
    return GpuLines(
        gpu_type=gpus.gpu_type,
        family=family,
        devices=devices,
        card=replace(gpus.facts, note=""),  # whose probe it was makes no node another one
        product="" if gpus.facts.source in _UNSURE else gpus.facts.product,
        why=_why(gpus, family),
        origins={"Count": Origin.SLURM, "File": Origin.ASSUMED},
    )


def _why(gpus: GpuSet, family: str) -> str:
    if gpus.facts.source is Source.AMBIGUOUS:
        return gpus.facts.note
    return _UNKNOWN_CARD if family == "other" else ""


def _placed(lines: GpuLines, gpus: GpuSet, node: Node, probe: NodeProbe | None) -> GpuLines:
    """With files, cores and links that the node told, else with the sockets that Slurm knows."""
    told = probe and probed_devices(gpus, lines.devices, node, probe, lines.family)
    if not probe or not told:
        return _with_sockets(lines, gpus, node)
    return replace(
        lines,
        why=lines.why or f"asked: {probe.node}",
        devices=told.devices,
        origins={**lines.origins, **dict.fromkeys(sorted(told.keys), Origin.PROBE)},
    )


def _with_sockets(lines: GpuLines, gpus: GpuSet, node: Node) -> GpuLines:
    """Slurm tells only which sockets have GPUs; with two, an even split in order is assumed."""
    why = lines.why
    if gpus.facts.has_nvlink and gpus.count > 1 and lines.family != "mig":
        why = f"{why}; {_NO_LINKS}" if why else _NO_LINKS
    ranges = core_ranges(node.sockets, node.cores_per_socket)
    bound = [ranges[socket] for socket in gpus.sockets if socket < len(ranges)]
    if not bound or lines.count % len(bound):
        return replace(lines, why=why)
    share = lines.count // len(bound)
    return replace(
        lines,
        why=why,
        devices=tuple(
            replace(device, cores=bound[number // share])
            for number, device in enumerate(lines.devices)
        ),
        origins={**lines.origins, "Cores": Origin.SLURM if len(bound) == 1 else Origin.ASSUMED},
    )


def _partition(partition: Partition) -> PartitionLines:
    limit = partition.max_time_s
    return PartitionLines(
        name=partition.name,
        node_names=partition.node_names,
        is_default=partition.is_default,
        max_time="UNLIMITED" if limit is None else time_limit(limit),
        priority_tier=partition.priority_tier,
        preempt_mode=partition.preempt_mode or "OFF",
        grace_time_s=partition.grace_time_s,
    )
