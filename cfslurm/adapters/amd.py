"""AMD GPUs, from the files of AMD's kernel driver: nothing needs to be installed for them.

Source: Linux, Documentation/gpu/amdgpu (driver-misc, ras, thermal) and amdkfd's topology in sysfs.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from cfslurm.adapters.sysfs import entries, number_in, text_in
from cfslurm.core.hardware.probe import (
    Clocks,
    Count,
    Ecc,
    GpuLink,
    GpuReport,
    NotKnown,
    Number,
    Pcie,
    Power,
    ProbedGpu,
    Text,
    Use,
    known,
)

_AMD = "0x1002"  # PCI vendor
_NOT_AMD = NotKnown(not_known="AMD cards have no MIG")
_NOT_TOLD = NotKnown(not_known="AMD's kernel driver does not tell this")
_XGMI = 11  # CRAT_IOLINK_TYPE_XGMI, kfd_crat.h


def has_amd_gpus(system: Path = Path("/")) -> bool:
    """True if the kernel has an AMD card for computing or display."""
    return bool(_cards(system))


def read_amd(*, node: str, system: Path = Path("/")) -> GpuReport:
    """All AMD GPUs of this machine."""
    cards = _cards(system)
    gfx = _gfx_by_bus_id(system)
    gpus = tuple(
        _gpu(index, card, gfx, node=node, system=system) for index, card in enumerate(cards)
    )
    driver = text_in(system / "sys/module/amdgpu/version")
    return GpuReport(
        library="sysfs",
        driver=driver,
        library_version=NotKnown(not_known="read from the kernel's own files"),
        cuda=NotKnown(not_known="AMD cards run ROCm, not CUDA"),
        gpus=gpus,
        links=_links(gpus, _xgmi_pairs(system)),
    )


def _cards(system: Path) -> list[Path]:
    """The PCI devices of AMD's cards, by bus id."""
    found = {
        (card / "device").resolve()
        for card in entries(system / "sys/class/drm")
        if re.fullmatch(r"card\d+", card.name) and known(text_in(card / "device/vendor")) == _AMD
    }
    return sorted(found, key=lambda device: device.name)


def _gfx_by_bus_id(system: Path) -> dict[str, str]:
    """PCI bus id → ``gfx942``, from the nodes of the kernel's compute driver.

    Source: amdkfd's topology in sysfs; ``gfx_target_version`` is major*10000 + minor*100 + stepping,
    written as hexadecimal digits in the name (90402 is gfx942, 90010 is gfx90a).
    """
    found = {}
    for node in entries(system / "sys/class/kfd/kfd/topology/nodes"):
        values = _properties(node / "properties")
        version, location = values.get("gfx_target_version", 0), values.get("location_id", 0)
        if version:
            major, minor, step = version // 10_000, version // 100 % 100, version % 100
            found[_bus_id(values.get("domain", 0), location)] = f"gfx{major}{minor:x}{step:x}"
    return found


def _properties(path: Path) -> dict[str, int]:
    text = text_in(path)
    pairs = (line.split() for line in text.splitlines()) if isinstance(text, str) else ()
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}


def _bus_id(domain: int, location: int) -> str:
    return f"{domain:04x}:{location >> 8 & 0xFF:02x}:{location >> 3 & 0x1F:02x}.{location & 7}"


def _gpu(
    index: int, card: Path, gfx: dict[str, str], *, node: str, system: Path
) -> ProbedGpu:  # fmt: skip
    unique, numa_node = text_in(card / "unique_id"), number_in(card / "numa_node")
    identity: Text = unique
    if isinstance(unique, str):
        identity = hashlib.blake2s(f"{node}:{unique}".encode(), digest_size=8).hexdigest()
    if isinstance(numa_node, int) and numa_node < 0:
        numa_node = NotKnown(not_known="the firmware tells no NUMA node")
    return ProbedGpu(
        index=index,
        minor=_render_minor(card),
        identity=identity,
        name=text_in(card / "product_name"),
        compute_capability=gfx.get(card.name)
        or NotKnown(not_known=f"the compute driver (kfd) does not list {card.name}"),
        memory_mib=_mib(card / "mem_info_vram_total"),
        memory_reserved_mib=_NOT_TOLD,
        mig_mode=_NOT_AMD,
        mig=(),
        pcie=_pcie(card),
        numa_node=numa_node,
        cpus=text_in(card / "local_cpulist"),
        ecc=_ecc(card),
        clocks=_clocks(card),
        power=_power(card),
        use=Use(
            memory_used_mib=_mib(card / "mem_info_vram_used"),
            utilization_percent=number_in(card / "gpu_busy_percent"),
            processes=_processes(system),
            temperature_c=_degrees(card),
        ),
    )


def _render_minor(card: Path) -> Count:
    """The N of /dev/dri/renderDN, through which ROCm reaches the card."""
    names = sorted(path.name.removeprefix("renderD") for path in (card / "drm").glob("renderD*"))
    if len(names) != 1 or not names[0].isdecimal():
        return NotKnown(not_known=f"{card / 'drm'} has {len(names)} render nodes")
    return int(names[0])


def _mib(path: Path) -> Count:
    """An APU (MI300A) has no such file: it shares the CPU's memory."""
    count = number_in(path)
    return count if isinstance(count, NotKnown) else count // 1024**2


def _pcie(card: Path) -> Pcie:
    return Pcie(
        bus_id=card.name,
        generation=_generation(card / "current_link_speed"),
        generation_max=_generation(card / "max_link_speed"),
        width=number_in(card / "current_link_width"),
        width_max=number_in(card / "max_link_width"),
    )


_GENERATIONS = {"2.5": 1, "5.0": 2, "8.0": 3, "16.0": 4, "32.0": 5, "64.0": 6}


def _generation(path: Path) -> Count:
    text = text_in(path)  # "16.0 GT/s PCIe"
    if isinstance(text, NotKnown):
        return text
    return _GENERATIONS.get(text.split(" ")[0]) or NotKnown(not_known=f"the speed is {text!r}")


def _ecc(card: Path) -> Ecc:
    """Counters of the memory controller block (umc): ``ue: 0`` and ``ce: 0``."""
    text = text_in(card / "ras/umc_err_count")
    if isinstance(text, NotKnown):
        return Ecc(mode=text, corrected=text, uncorrected=text)
    counts = dict(re.findall(r"(ue|ce):\s*(\d+)", text))
    why = NotKnown(not_known=f"the error counters are {text[:40]!r}")
    return Ecc(
        mode="on",
        corrected=int(counts["ce"]) if "ce" in counts else why,
        uncorrected=int(counts["ue"]) if "ue" in counts else why,
    )


def _clocks(card: Path) -> Clocks:
    sm, memory = _levels(card / "pp_dpm_sclk"), _levels(card / "pp_dpm_mclk")
    return Clocks(sm_mhz=sm[0], sm_max_mhz=sm[1], memory_mhz=memory[0], memory_max_mhz=memory[1])


def _levels(path: Path) -> tuple[Count, Count]:
    """The level with a star, and the highest: ``0: 500Mhz`` / ``1: 2100Mhz *``."""
    text = text_in(path)
    if isinstance(text, NotKnown):
        return text, text
    levels = re.findall(r"(\d+)Mhz( \*)?", text)
    why = NotKnown(not_known=f"{path} has no level that is in use")
    now = [int(level) for level, star in levels if star]
    return (now[0] if now else why), (max(int(level) for level, _ in levels) if levels else why)


def _power(card: Path) -> Power:
    return Power(
        draw_w=_watts(card, "power1_average"),
        limit_w=_watts(card, "power1_cap"),
        default_limit_w=_watts(card, "power1_cap_default"),
    )


def _watts(card: Path, name: str) -> Number:
    microwatts = _sensor(card, name)
    return microwatts if isinstance(microwatts, NotKnown) else microwatts / 1e6


def _degrees(card: Path) -> Count:
    thousandths = _sensor(card, "temp1_input")
    return thousandths if isinstance(thousandths, NotKnown) else thousandths // 1000


def _sensor(card: Path, name: str) -> Count:
    for sensor in entries(card / "hwmon"):
        value = number_in(sensor / name)
        if isinstance(value, int):
            return value
    return NotKnown(not_known=f"no sensor tells {name}")


def _processes(system: Path) -> Count:
    folder = system / "sys/class/kfd/kfd/proc"
    if not folder.is_dir():
        return NotKnown(not_known="the compute driver (kfd) lists no processes here")
    return len(entries(folder))


def _xgmi_pairs(system: Path) -> set[tuple[str, str]]:
    """Pairs of bus ids that the compute driver joins by xGMI."""
    nodes = {node.name: _properties(node / "properties") for node in entries(
        system / "sys/class/kfd/kfd/topology/nodes")}  # fmt: skip
    pairs = set()
    for name in nodes:
        for link in entries(system / "sys/class/kfd/kfd/topology/nodes" / name / "io_links"):
            values = _properties(link / "properties")
            other = nodes.get(str(values.get("node_to", -1)), {})
            if values.get("type") == _XGMI and other:
                pairs.add((_of(nodes[name]), _of(other)))
    return pairs


def _of(values: dict[str, int]) -> str:
    return _bus_id(values.get("domain", 0), values.get("location_id", 0))


def _links(gpus: tuple[ProbedGpu, ...], xgmi: set[tuple[str, str]]) -> tuple[GpuLink, ...]:
    found = []
    for a in gpus:
        for b in gpus:
            if a.index < b.index:
                pair = (str(known(a.pcie.bus_id)), str(known(b.pcie.bus_id)))
                joined = pair in xgmi or pair[::-1] in xgmi
                found.append(
                    GpuLink(
                        a=a.index,
                        b=b.index,
                        path=_NOT_TOLD,
                        nvlinks=1 if joined else 0,
                        nvlink_version=_NOT_TOLD,
                        through="direct" if joined else "none",
                        peer_access=_NOT_TOLD,
                    )
                )
    return tuple(found)
