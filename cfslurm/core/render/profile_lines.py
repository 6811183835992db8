"""A described cluster → the lines of Slurm's files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cfslurm.core.hardware.gpus import UNKNOWN_GPU, GpuCatalogue, GpuFacts
from cfslurm.core.render.cluster_profile import (
    ClusterProfile,
    NodeGroup,
    ProfileGpus,
    ProfilePartition,
)
from cfslurm.core.render.devices import (
    assumed_mig_devices,
    device_file,
    even_links,
    family_of,
)
from cfslurm.core.render.node_lines import (
    ClusterLines,
    GpuLines,
    GresDevice,
    NodeLines,
    Origin,
    PartitionLines,
    SharedGres,
    SwitchLines,
)
from cfslurm.core.slurm.units import duration_s, time_limit

# NVLinks of one GPU. Source: NVIDIA, "NVLink and NVSwitch": generations 2 to 5.
_NVLINKS = {"NVLink2": 6, "NVLink3": 12, "NVLink4": 18, "NVLink5": 18}
_MOST_WITHOUT_SWITCH = (
    4  # NVIDIA's boards of up to four join them directly, larger ones by NVSwitch
)


def profile_lines(profile: ClusterProfile, catalogue: GpuCatalogue) -> ClusterLines:
    """The lines of a checked profile, with the features that it names and no others."""
    return ClusterLines(
        title=f"{profile.name}, as described",
        nodes=tuple(_node(group, catalogue) for group in profile.nodes),
        partitions=tuple(_partition(partition) for partition in profile.partitions),
        switches=tuple(_switches(profile)),
    )


def _node(group: NodeGroup, catalogue: GpuCatalogue) -> NodeLines:
    keys = ("CPUs", "RealMemory", "Gres", "Weight", *group.features)
    return NodeLines(
        names=group.node_names,
        cpus=group.cpus,
        sockets=group.sockets,
        cores_per_socket=group.cores_per_socket,
        threads_per_core=group.threads_per_core,
        real_memory_mib=group.real_memory_mib,
        weight=group.weight,
        features=group.features,
        gpus=tuple(_gpus(group, catalogue)),
        shared=_shared(group),
        origins=dict.fromkeys(keys, Origin.DESCRIBED),
    )


def _card(gpus: ProfileGpus, catalogue: GpuCatalogue) -> GpuFacts:
    return catalogue.cards.get(gpus.card, UNKNOWN_GPU)


def _gpus(group: NodeGroup, catalogue: GpuCatalogue) -> Iterator[GpuLines]:
    first = 0  # device numbers go on from one type to the next
    for gpus in group.gpus:
        facts = _card(gpus, catalogue)
        family = family_of(facts.vendor, gpus.mig)
        cards = gpus.cards or ((first,) if gpus.mig else tuple(range(first, first + gpus.count)))
        first = max((first, *(card + 1 for card in cards)))
        yield GpuLines(
            gpu_type=gpus.type,
            family=family,
            card=facts,
            devices=_placed(_files(gpus, family, cards), gpus, facts),
            product=facts.product if facts.memory_mib else "",
            origins={
                "Count": Origin.DESCRIBED,
                "File": Origin.DESCRIBED if gpus.files else Origin.ASSUMED,
                "Cores": Origin.DESCRIBED,
                "Links": Origin.DESCRIBED,
            },
        )


def _files(gpus: ProfileGpus, family: str, cards: Sequence[int]) -> tuple[GresDevice, ...]:
    if gpus.files:
        return tuple(GresDevice(files=tuple(text.split(","))) for text in gpus.files)
    if gpus.mig:
        return assumed_mig_devices(gpus.mig, gpus.count, cards)
    return tuple(GresDevice(files=(device_file(family, card),)) for card in cards)


def _placed(
    devices: tuple[GresDevice, ...], gpus: ProfileGpus, facts: GpuFacts
) -> tuple[GresDevice, ...]:
    links = gpus.links
    if gpus.nvlink and not links and gpus.count > 1:
        links = even_links(gpus.count, _links_of_pair(facts, gpus.count))
    share = max(1, gpus.count // len(gpus.cores)) if gpus.cores else 1
    return tuple(
        GresDevice(
            files=device.files,
            cores=gpus.cores[min(number // share, len(gpus.cores) - 1)] if gpus.cores else "",
            links=links[number] if links else "",
        )
        for number, device in enumerate(devices)
    )


def _links_of_pair(facts: GpuFacts, count: int) -> int:
    """NVLinks between two GPUs: an even share of one GPU's, or all of them where a switch joins them."""
    links = _NVLINKS.get(facts.link.split()[0] if facts.link else "", 12)
    return links if count > _MOST_WITHOUT_SWITCH else max(1, links // (count - 1))


def _shared(group: NodeGroup) -> tuple[SharedGres, ...]:
    counts = {"shard": group.shards, "mps": group.mps}
    return tuple(SharedGres(name=name, count=count) for name, count in counts.items() if count)


def _partition(partition: ProfilePartition) -> PartitionLines:
    return PartitionLines(
        name=partition.name,
        node_names=partition.node_names,
        is_default=partition.default,
        max_time=time_limit(duration_s(partition.max_time)),
        priority_tier=partition.priority_tier,
        preempt_mode="REQUEUE" if partition.preemptible else "OFF",
        grace_time_s=partition.grace_time_s,
    )


def _switches(profile: ClusterProfile) -> Iterator[SwitchLines]:
    for name, nodes in profile.leaves.items():
        yield SwitchLines(name=name, node_names=nodes)
    for name, below in profile.switches.items():
        yield SwitchLines(name=name, switches=below)
