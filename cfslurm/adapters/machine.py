"""CPUs, memory, kernel and network of this machine, as /proc and /sys tell them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from cfslurm.adapters.sysfs import entries, number_in, text_in
from cfslurm.core.hardware.probe import (
    Count,
    Hugepages,
    Interface,
    MachineReport,
    NotKnown,
    Text,
    known,
)

_INFINIBAND_RATE = re.compile(r"(\d+(?:\.\d+)?) Gb/sec")
_CPU_MODEL_KEYS = ("model name", "Model", "cpu")  # x86, some ARM, POWER


def read_machine(system: Path = Path("/")) -> MachineReport:
    """What this machine is. ``system`` is where /proc and /sys lie."""
    cpus = tuple(_cpu_folders(system))
    return MachineReport(
        cpu_model=_cpu_model(system),
        sockets=_different(cpus, ("physical_package_id",)),
        cores=_different(cpus, ("physical_package_id", "core_id")),
        threads=len(cpus) or NotKnown(not_known="no CPU under /sys/devices/system/cpu"),
        numa_nodes=_numa_nodes(system),
        memory_mib=_memory_mib(system),
        hugepages=tuple(_hugepages(system)),
        kernel=text_in(system / "proc/sys/kernel/osrelease"),
        os=_os_name(system),
        boot_id=text_in(system / "proc/sys/kernel/random/boot_id"),
        boot_time_s=_boot_time_s(system),
    )


def _cpu_folders(system: Path) -> Iterator[Path]:
    """The CPUs that are on: one that is off has no topology."""
    for folder in entries(system / "sys/devices/system/cpu"):
        if re.fullmatch(r"cpu\d+", folder.name) and (folder / "topology").is_dir():
            yield folder


def _different(cpus: tuple[Path, ...], names: tuple[str, ...]) -> Count:
    """How many different values some topology files have together."""
    seen = set()
    for cpu in cpus:
        values = tuple(number_in(cpu / "topology" / name) for name in names)
        for value in values:
            if isinstance(value, NotKnown):
                return value
        seen.add(values)
    return len(seen) or NotKnown(not_known="no CPU under /sys/devices/system/cpu")


def _cpu_model(system: Path) -> Text:
    found = _field(system / "proc/cpuinfo", _CPU_MODEL_KEYS)
    if isinstance(found, NotKnown):  # ARM servers say it only in their firmware's table
        firmware = text_in(system / "sys/firmware/devicetree/base/model")
        return firmware if isinstance(firmware, str) else found
    return found


def _field(path: Path, keys: tuple[str, ...]) -> Text:
    text = text_in(path)
    if isinstance(text, NotKnown):
        return text
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        if colon and key.strip() in keys and value.strip():
            return value.strip()
    return NotKnown(not_known=f"{path} has no {keys[0]}")


def _numa_nodes(system: Path) -> Count:
    folder = system / "sys/devices/system/node"
    nodes = [entry for entry in entries(folder) if re.fullmatch(r"node\d+", entry.name)]
    return len(nodes) or NotKnown(not_known=f"{folder} lists no node")


def _memory_mib(system: Path) -> Count:
    text = _field(system / "proc/meminfo", ("MemTotal",))
    if isinstance(text, NotKnown):
        return text
    match = re.fullmatch(r"(\d+) kB", text)
    return int(match[1]) // 1024 if match else NotKnown(not_known=f"MemTotal is {text!r}")


def _hugepages(system: Path) -> Iterator[Hugepages]:
    for folder in entries(system / "sys/kernel/mm/hugepages"):
        if match := re.fullmatch(r"hugepages-(\d+)kB", folder.name):
            yield Hugepages(
                size_kib=int(match[1]),
                total=number_in(folder / "nr_hugepages"),
                free=number_in(folder / "free_hugepages"),
            )


def _os_name(system: Path) -> Text:
    text = text_in(system / "etc/os-release")
    if isinstance(text, NotKnown):
        return text
    match = re.search(r'^PRETTY_NAME="?([^"\n]+)', text, re.MULTILINE)
    return match[1] if match else NotKnown(not_known="os-release has no PRETTY_NAME")


def _boot_time_s(system: Path) -> Count:
    """``btime`` of /proc/stat: the moment of the boot by the clock of today."""
    text = text_in(system / "proc/stat")
    if isinstance(text, NotKnown):
        return text
    match = re.search(r"^btime (\d+)$", text, re.MULTILINE)
    if match:
        return int(match[1])
    return NotKnown(not_known="/proc/stat has no btime")


def read_network(system: Path = Path("/")) -> tuple[Interface, ...]:
    """Interfaces with a device behind them: no loopback, bridge or container's end."""
    return (*_ethernet(system), *_infiniband(system))


def _ethernet(system: Path) -> Iterator[Interface]:
    for folder in entries(system / "sys/class/net"):
        if not (folder / "device").exists() or known(number_in(folder / "type")) != 1:
            continue  # type 1 is Ethernet (ARPHRD_ETHER); InfiniBand's own are told below
        speed = number_in(folder / "speed")
        if isinstance(speed, int) and speed <= 0:
            speed = NotKnown(not_known=f"the driver of {folder.name} tells no speed")
        yield _interface(folder, folder.name, "ethernet", text_in(folder / "operstate"), speed)


def _infiniband(system: Path) -> Iterator[Interface]:
    for device in entries(system / "sys/class/infiniband"):
        ports = entries(device / "ports")
        for port in ports:
            name = device.name if len(ports) == 1 else f"{device.name}:{port.name}"
            state = text_in(port / "state")  # "4: ACTIVE"
            if isinstance(state, str):
                state = state.rpartition(": ")[2]
            yield _interface(device, name, "infiniband", state, _rate(port / "rate"))


def _rate(path: Path) -> Count:
    text = text_in(path)  # "200 Gb/sec (4X HDR)"
    if isinstance(text, NotKnown):
        return text
    match = _INFINIBAND_RATE.match(text)
    return round(float(match[1]) * 1000) if match else NotKnown(not_known=f"the rate is {text!r}")


def _interface(
    folder: Path,
    name: str,
    kind: Literal["ethernet", "infiniband"],
    state: Text,
    rate_mbit_s: Count,
) -> Interface:
    numa_node = number_in(folder / "device/numa_node")
    if isinstance(numa_node, int) and numa_node < 0:
        numa_node = NotKnown(not_known="the firmware tells no NUMA node")
    return Interface(
        name=name, kind=kind, state=state, rate_mbit_s=rate_mbit_s, numa_node=numa_node
    )
