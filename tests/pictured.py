"""Clusters for pictures and for Slurm's files: probed HGX nodes, a large one, one with hostile names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from cfslurm.core.hardware.gpus import Source
from cfslurm.core.hardware.graph import HardwareGraph, Node
from cfslurm.core.hardware.probe import (
    Clocks,
    Ecc,
    GpuLink,
    GpuReport,
    NodeProbe,
    NotKnown,
    Pcie,
    Power,
    ProbedGpu,
    Use,
)
from cfslurm.core.slurm.records import Switch, Topology
from tests.builders import CATALOGUE, graph, node

_NO = NotKnown(not_known="not asked")
_H100 = replace(CATALOGUE.cards["h100"], source=Source.PROBE)


def probed_gpu(index: int, *, name: str, numa: int, cpus: str) -> ProbedGpu:
    return ProbedGpu(
        index=index, minor=index, identity=f"gpu-{index}", name=name, compute_capability="9.0",
        memory_mib=81559, memory_reserved_mib=_NO, mig_mode="off", mig=(),
        pcie=Pcie(bus_id=_NO, generation=_NO, generation_max=_NO, width=_NO, width_max=_NO),
        numa_node=numa, cpus=cpus, ecc=Ecc(mode="on", corrected=0, uncorrected=0),
        clocks=Clocks(sm_mhz=_NO, sm_max_mhz=_NO, memory_mhz=_NO, memory_max_mhz=_NO),
        power=Power(draw_w=_NO, limit_w=_NO, default_limit_w=_NO),
        use=Use(memory_used_mib=_NO, utilization_percent=_NO, processes=_NO, temperature_c=_NO),
    )  # fmt: skip


def report(
    node_name: str, *, count: int, nvlinks: int, through: str, cpus: Sequence[str]
) -> NodeProbe:
    """A probe of equal GPUs, the first half on NUMA node 0; every pair with the same NVLinks."""
    half = max(1, count // 2)
    gpus = tuple(
        probed_gpu(i, name="NVIDIA H100 80GB HBM3", numa=i // half, cpus=cpus[i // half])
        for i in range(count)
    )
    links = tuple(
        GpuLink(
            a=a, b=b, path="NODE" if a // half == b // half else "SYS", nvlinks=nvlinks,
            nvlink_version=4 if nvlinks else 0, through=through, peer_access="ok",
        )
        for a in range(count)
        for b in range(a + 1, count)
    )  # fmt: skip
    gpu = GpuReport(
        library="nvml", driver="570.86", library_version="12.570", cuda="12.8", gpus=gpus,
        links=links,
    )  # fmt: skip
    return NodeProbe(
        node=node_name, probed_at="2026-11-21T08:00:00Z", gpus_asked=count, gpu=gpu, machine=_NO,
        scratch=_NO, network=_NO,
    )  # fmt: skip


def tree(leaves: dict[str, Sequence[str]]) -> Topology:
    """Leaf switches below one spine."""
    every = tuple(name for nodes in leaves.values() for name in nodes)
    own = tuple(
        Switch(name=name, level=0, node_names=tuple(nodes), switches=())
        for name, nodes in leaves.items()
    )
    top = Switch(name="spine", level=1, node_names=every, switches=tuple(leaves))
    return Topology(name="default", kind="tree", is_default=True, switches=(*own, top))


def hgx(count: int = 10) -> HardwareGraph:
    """HGX H100 nodes with probe facts, two leaves; one node in use, one in part, one drained."""
    states = {0: ("ALLOCATED", (), 8), 1: ("MIXED", (), 3), 4: ("IDLE", ("DRAIN",), 0)}
    records = []
    for index in range(count):
        state, flags, used = states.get(index, ("IDLE", (), 0))
        used_text = f"gpu:h100:{used}(IDX:0-{used - 1})" if used else "gpu:h100:0(IDX:N/A)"
        records.append(
            node(
                f"hgx-{index + 1:02}", "gpu:h100:8(S:0-1)", used=used_text, state=state,
                flags=flags, cpus=112, memory_mib=2_000_000, features=("h100", "vram80"),
            )
        )  # fmt: skip
    made = graph(records)
    halves = [f"{first}-{last}" for first, last in ((0, 55), (56, 111))]
    nodes = tuple(
        replace(
            one,
            reason="GPU 3: ECC errors" if one.state_flags else "",
            gpus=tuple(replace(gpus, facts=_H100) for gpus in one.gpus),
            probe=report("hgx-01", count=8, nvlinks=18, through="nvswitch", cpus=halves),
        )
        for one in made.nodes
    )
    names = [one.name for one in nodes]
    middle = (count + 1) // 2
    topology = tree({"leaf-1": names[:middle], "leaf-2": names[middle:]})
    controller = replace(made.controller, cluster="aurora")
    return replace(made, nodes=nodes, topologies=(topology,), controller=controller, warnings=())


def large(count: int = 500) -> HardwareGraph:
    """Three kinds of nodes below many leaves, in all states."""
    kinds = (("a100_80", 4, "a"), ("rtx4090", 8, "r"), ("l40s", 4, "l"))
    records = []
    for index in range(count):
        gpu_type, gpus, letter = kinds[index * len(kinds) // count]
        used = (index * 7) % (gpus + 1)
        drained = index % 41 == 40
        records.append(
            node(
                f"{letter}{index + 1:04}", f"gpu:{gpu_type}:{gpus}",
                used=f"gpu:{gpu_type}:{used}", flags=("DRAIN",) if drained else (),
                state="DOWN" if index % 97 == 96 else "ALLOCATED" if used == gpus else "MIXED" if used else "IDLE",
            )
        )  # fmt: skip
    made = graph(records)
    names = [one.name for one in made.nodes]
    leaves = {f"leaf{at // 32 + 1:02}": names[at : at + 32] for at in range(0, count, 32)}
    return replace(made, topologies=(tree(leaves),))


HOSTILE = '</svg><script>alert("x")</script>&quot;"\\"];}-->`\n\x1b[31m%%{init}%%'


def hostile() -> HardwareGraph:
    """Every text that a node can bring with it tries to get out of where it is written."""
    made = graph([node("n1", "gpu:a100_80:2"), node("n2")])
    bad: Sequence[Node] = [
        replace(
            one,
            name=HOSTILE + str(number),
            reason=HOSTILE,
            features=(HOSTILE,),
            available_features=(HOSTILE,),
            state_flags=("DRAIN", HOSTILE),
            gpus=tuple(replace(gpus, gpu_type=HOSTILE) for gpus in one.gpus),
        )
        for number, one in enumerate(made.nodes)
    ]
    topology = tree({HOSTILE: [bad[0].name], "leaf": [bad[1].name]})
    controller = replace(made.controller, cluster=HOSTILE)
    return replace(made, nodes=tuple(bad), topologies=(topology,), controller=controller)
