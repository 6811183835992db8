"""Probe answers for tests, described in a line each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from cfslurm.core.hardware.probe import (
    Clocks,
    Ecc,
    GpuLink,
    GpuReport,
    Interface,
    MachineReport,
    MigInstance,
    NodeProbe,
    NotKnown,
    Pcie,
    Power,
    ProbedGpu,
    Scratch,
    Use,
)

BOOT_S = 1_790_000_000
UNREAD = NotKnown(not_known="Not Supported")


def probed_gpu(
    index: int,
    name: str = "NVIDIA A100-SXM4-80GB",
    *,
    memory_mib: int = 81_920,
    compute_capability: str = "8.0",
    mig: Sequence[MigInstance] = (),
    numa_node: int = 0,
) -> ProbedGpu:
    """A healthy, idle GPU."""
    return ProbedGpu(
        index=index,
        minor=index,
        identity=f"{index:016x}",
        name=name,
        compute_capability=compute_capability,
        memory_mib=memory_mib,
        memory_reserved_mib=600,
        mig_mode="on" if mig else "off",
        mig=tuple(mig),
        pcie=Pcie(
            bus_id=f"00000000:{index + 1:02X}:00.0",
            generation=4,
            generation_max=4,
            width=16,
            width_max=16,
        ),
        numa_node=numa_node,
        cpus="0-31",
        ecc=Ecc(mode="on", corrected=0, uncorrected=0),
        clocks=Clocks(sm_mhz=210, sm_max_mhz=1410, memory_mhz=1593, memory_max_mhz=1593),
        power=Power(draw_w=60.0, limit_w=400.0, default_limit_w=400.0),
        use=Use(memory_used_mib=600, utilization_percent=0, processes=0, temperature_c=30),
    )


def mig(index: int, profile: str, memory_mib: int) -> MigInstance:
    """A MIG instance."""
    return MigInstance(
        index=index,
        profile=profile,
        slices=int(profile[0]),
        memory_mib=memory_mib,
        multiprocessors=14 * int(profile[0]),
        gpu_instance=index + {"1": 7, "2": 3, "3": 1, "4": 1}.get(profile[0], 0),
        compute_instance=0,
    )


def all_links(gpus: int, *, nvlinks: Mapping[tuple[int, int], int], path: str = "SYS",
              through: str = "direct") -> tuple[GpuLink, ...]:  # fmt: skip
    """Every pair of some GPUs; pairs that ``nvlinks`` leaves out have none."""
    return tuple(
        GpuLink(
            a=a,
            b=b,
            path=path,
            nvlinks=nvlinks.get((a, b), 0),
            nvlink_version=3,
            through=through if nvlinks.get((a, b)) else "none",
            peer_access="ok",
        )
        for a in range(gpus)
        for b in range(a + 1, gpus)
    )


def node_probe(
    node: str,
    gpus: Sequence[ProbedGpu] = (),
    links: Sequence[GpuLink] = (),
    *,
    boot_time_s: int = BOOT_S,
) -> NodeProbe:
    """The answer of a node; without GPUs it has no NVML."""
    return NodeProbe(
        node=node,
        probed_at="2026-11-21T00:00:00Z",
        gpus_asked=len(gpus),
        gpu=GpuReport(
            library="nvml",
            driver="550.90.07",
            library_version="12.550.90.07",
            cuda="12.4",
            gpus=tuple(gpus),
            links=tuple(links),
        )
        if gpus
        else NotKnown(not_known="NVML Shared Library Not Found"),
        machine=MachineReport(
            cpu_model="AMD EPYC 7763 64-Core Processor",
            sockets=2,
            cores=64,
            threads=64,
            numa_nodes=2,
            memory_mib=257_000,
            hugepages=(),
            kernel="6.1.0-18-amd64",
            os="Debian GNU/Linux 12 (bookworm)",
            boot_id="6f1c3a52-0000-4000-8000-000000000001",
            boot_time_s=boot_time_s,
        ),
        scratch=(
            Scratch(
                path="/tmp", filesystem="ext4", total_mib=900_000, free_mib=800_000,
                write_mb_s=1900.0, how="direct",
            ),
        ),
        network=(
            Interface(name="eno1", kind="ethernet", state="up", rate_mbit_s=25_000, numa_node=0),
            Interface(name="mlx5_0", kind="infiniband", state="ACTIVE", rate_mbit_s=200_000,
                      numa_node=UNREAD),
        ),
    )  # fmt: skip


def hgx(node: str, gpus: int = 8) -> NodeProbe:
    """Eight H100 behind NVSwitches."""
    cards = [
        probed_gpu(i, "NVIDIA H100 80GB HBM3", memory_mib=81_559, compute_capability="9.0",
                   numa_node=i // 4)
        for i in range(gpus)
    ]  # fmt: skip
    pairs = {(a, b): 18 for a in range(gpus) for b in range(a + 1, gpus)}
    links = all_links(gpus, nvlinks=pairs, through="nvswitch")
    return node_probe(node, cards, tuple(replace(link, nvlink_version=4) for link in links))
