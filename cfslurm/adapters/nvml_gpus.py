"""What NVML tells of each GPU. Source of every question: NVIDIA's NVML API reference (nvml.h)."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import Any

from cfslurm.adapters.nvml import (
    FUNCTION_NOT_FOUND,
    MIB,
    NOT_FOUND,
    Nvml,
    is_code,
    not_told,
    told_count,
)
from cfslurm.adapters.nvml_links import bus_id_text, read_links
from cfslurm.adapters.sysfs import cpu_list, number_in
from cfslurm.core.hardware.probe import (
    Clocks,
    Count,
    Ecc,
    GpuReport,
    MigInstance,
    NotKnown,
    Number,
    Pcie,
    Power,
    ProbedGpu,
    Text,
    Use,
)

_CORRECTED, _UNCORRECTED, _SINCE_LOAD = 0, 1, 0
_SM_CLOCK, _MEMORY_CLOCK = 1, 2
_GPU_SENSOR = 0
_MOST_GPUS = 64  # no node has more; a driver that says so is not believed
_MOST_MIG = 16
_MOST_SLICES = 64
_MOST_MEMORY_BYTES = 16 * 1024**4


def read_gpus(nvml: Nvml, *, node: str, system: Path = Path("/")) -> GpuReport | NotKnown:
    """All GPUs that this process may see, and how they reach each other."""
    count = nvml.count("nvmlDeviceGetCount")
    if isinstance(count, NotKnown):
        return count
    if count > _MOST_GPUS:
        return NotKnown(not_known=f"NVML says that there are {count} GPUs")
    handles = {i: nvml.ask("nvmlDeviceGetHandleByIndex", i) for i in range(count)}
    gpus = tuple(_gpu(nvml, i, handles[i], node=node, system=system) for i in range(count))
    return GpuReport(
        library="nvml",
        driver=nvml.text("nvmlSystemGetDriverVersion"),
        library_version=nvml.text("nvmlSystemGetNVMLVersion"),
        cuda=_cuda(nvml),
        gpus=gpus,
        links=read_links(nvml, handles),
    )


def _cuda(nvml: Nvml) -> Text:
    """The newest CUDA that this driver runs: 12040 is 12.4."""
    number = nvml.count("nvmlSystemGetCudaDriverVersion_v2")
    if is_code(number, FUNCTION_NOT_FOUND):
        number = nvml.count("nvmlSystemGetCudaDriverVersion")
    if isinstance(number, NotKnown):
        return number
    return f"{number // 1000}.{number % 1000 // 10}"


def _gpu(nvml: Nvml, index: int, handle: Any, *, node: str, system: Path) -> ProbedGpu:
    if isinstance(handle, NotKnown):
        return _lost(index, handle)
    total, reserved, used = _memory(nvml, handle)
    mode, instances = _mig(nvml, handle)
    pcie = _pcie(nvml, handle)
    return ProbedGpu(
        index=index,
        minor=nvml.count("nvmlDeviceGetMinorNumber", handle),
        identity=_identity(nvml, handle, node),
        name=nvml.text("nvmlDeviceGetName", handle),
        compute_capability=_compute_capability(nvml, handle),
        memory_mib=total,
        memory_reserved_mib=reserved,
        mig_mode=mode,
        mig=instances,
        pcie=pcie,
        numa_node=_numa_node(nvml, handle, pcie.bus_id, system),
        cpus=_cpus(nvml, handle),
        ecc=_ecc(nvml, handle),
        clocks=Clocks(
            sm_mhz=nvml.count("nvmlDeviceGetClockInfo", handle, _SM_CLOCK),
            sm_max_mhz=nvml.count("nvmlDeviceGetMaxClockInfo", handle, _SM_CLOCK),
            memory_mhz=nvml.count("nvmlDeviceGetClockInfo", handle, _MEMORY_CLOCK),
            memory_max_mhz=nvml.count("nvmlDeviceGetMaxClockInfo", handle, _MEMORY_CLOCK),
        ),
        power=Power(
            draw_w=_watts(nvml, "nvmlDeviceGetPowerUsage", handle),
            limit_w=_watts(nvml, "nvmlDeviceGetEnforcedPowerLimit", handle),
            default_limit_w=_watts(nvml, "nvmlDeviceGetPowerManagementDefaultLimit", handle),
        ),
        use=Use(
            memory_used_mib=used,
            utilization_percent=_utilization(nvml, handle),
            processes=_processes(nvml, handle),
            temperature_c=_temperature(nvml, handle),
        ),
    )


def _lost(index: int, why: NotKnown) -> ProbedGpu:
    """A GPU that NVML counts and cannot open: it is there, and nothing of it is known."""
    return ProbedGpu(
        index=index,
        minor=why,
        identity=why,
        name=why,
        compute_capability=why,
        memory_mib=why,
        memory_reserved_mib=why,
        mig_mode=why,
        mig=why,
        pcie=Pcie(bus_id=why, generation=why, generation_max=why, width=why, width_max=why),
        numa_node=why,
        cpus=why,
        ecc=Ecc(mode=why, corrected=why, uncorrected=why),
        clocks=Clocks(sm_mhz=why, sm_max_mhz=why, memory_mhz=why, memory_max_mhz=why),
        power=Power(draw_w=why, limit_w=why, default_limit_w=why),
        use=Use(memory_used_mib=why, utilization_percent=why, processes=why, temperature_c=why),
    )


def _identity(nvml: Nvml, handle: Any, node: str) -> Text:
    uuid = nvml.text("nvmlDeviceGetUUID", handle)
    if isinstance(uuid, NotKnown):
        return uuid
    return hashlib.blake2s(f"{node}:{uuid}".encode(), digest_size=8).hexdigest()


def _compute_capability(nvml: Nvml, handle: Any) -> Text:
    answer = nvml.ask("nvmlDeviceGetCudaComputeCapability", handle)
    return answer if isinstance(answer, NotKnown) else f"{answer[0]}.{answer[1]}"


def _memory(nvml: Nvml, handle: Any) -> tuple[Count, Count, Count]:
    """Total, reserved and used MiB; drivers before 510 count the reserved part as used."""
    answer = nvml.ask("nvmlDeviceGetMemoryInfo", handle, nvml.constant("nvmlMemory_v2"))
    reserved: Count | None = None
    if isinstance(answer, NotKnown):
        reserved, answer = answer, nvml.ask("nvmlDeviceGetMemoryInfo", handle)
    if isinstance(answer, NotKnown):
        return answer, answer, answer
    # A card that shares the CPU's memory has none of its own to report; no card has 16 TiB.
    if not 0 < answer.total < _MOST_MEMORY_BYTES:
        none = NotKnown(not_known="the driver reports no memory of the card's own")
        return none, none, none
    if reserved is None:
        reserved = _part(answer.reserved, answer.total)
    return int(answer.total) // MIB, reserved, _part(answer.used, answer.total)


def _part(size: int, total: int) -> Count:
    """MiB of a part of a card's memory; one that is larger than the whole is no answer."""
    return int(size) // MIB if size <= total else not_told("nvmlDeviceGetMemoryInfo")


def _mig(nvml: Nvml, handle: Any) -> tuple[Text, tuple[MigInstance, ...] | NotKnown]:
    """The mode and the instances; a card that cannot do MIG says "Not Supported" and has none."""
    answer = nvml.ask("nvmlDeviceGetMigMode", handle)
    if isinstance(answer, NotKnown):
        return answer, ()
    if answer[0] == 0:
        return "off", ()
    most = nvml.count("nvmlDeviceGetMaxMigDeviceCount", handle)
    if isinstance(most, NotKnown):
        return "on", most
    found = []
    for index in range(min(most, _MOST_MIG)):
        instance = nvml.ask("nvmlDeviceGetMigDeviceHandleByIndex", handle, index)
        if is_code(instance, NOT_FOUND):
            continue
        if isinstance(instance, NotKnown):
            return "on", instance
        found.append(_instance(nvml, index, instance))
    return "on", tuple(found)


def _instance(nvml: Nvml, index: int, handle: Any) -> MigInstance:
    attributes = nvml.ask("nvmlDeviceGetAttributes_v2", handle)
    if is_code(attributes, FUNCTION_NOT_FOUND):
        attributes = nvml.ask("nvmlDeviceGetAttributes", handle)
    name = nvml.text("nvmlDeviceGetName", handle)
    gpu_instance = nvml.count("nvmlDeviceGetGpuInstanceId", handle)
    compute_instance = nvml.count("nvmlDeviceGetComputeInstanceId", handle)
    if not isinstance(attributes, NotKnown):
        slices, memory_mib = int(attributes.gpuInstanceSliceCount), int(attributes.memorySizeMB)
        if not 0 < slices < _MOST_SLICES or not 0 < memory_mib < _MOST_MEMORY_BYTES // MIB:
            attributes = not_told("nvmlDeviceGetAttributes")
    if isinstance(attributes, NotKnown):
        return MigInstance(
            index=index,
            profile=_profile(name) or attributes,
            slices=attributes,
            memory_mib=attributes,
            multiprocessors=attributes,
            gpu_instance=gpu_instance,
            compute_instance=compute_instance,
        )
    return MigInstance(
        index=index,
        # Slurm builds its GRES type in the same way (gpu_nvml.c).
        profile=_profile(name) or f"{slices}g.{round(memory_mib / 1024)}gb",
        slices=slices,
        memory_mib=memory_mib,
        multiprocessors=told_count("nvmlDeviceGetAttributes", attributes.multiprocessorCount),
        gpu_instance=gpu_instance,
        compute_instance=compute_instance,
    )


def _profile(name: Text) -> str:
    """The profile that the name of an instance ends in: ``NVIDIA A100-SXM4-80GB MIG 3g.40gb``."""
    match = re.search(r"MIG (\S+)$", name) if isinstance(name, str) else None
    return match[1] if match else ""


def _pcie(nvml: Nvml, handle: Any) -> Pcie:
    info = nvml.ask("nvmlDeviceGetPciInfo_v3", handle)
    bus_id = info if isinstance(info, NotKnown) else bus_id_text(info)
    return Pcie(
        bus_id=bus_id or not_told("nvmlDeviceGetPciInfo_v3"),
        generation=nvml.count("nvmlDeviceGetCurrPcieLinkGeneration", handle),
        generation_max=nvml.count("nvmlDeviceGetMaxPcieLinkGeneration", handle),
        width=nvml.count("nvmlDeviceGetCurrPcieLinkWidth", handle),
        width_max=nvml.count("nvmlDeviceGetMaxPcieLinkWidth", handle),
    )


def _numa_node(nvml: Nvml, handle: Any, bus_id: Text, system: Path) -> Count:
    """From the kernel: NVML answers this only since 12.x, and for some cards never."""
    if isinstance(bus_id, str):
        # NVML writes the PCI domain with eight digits, the kernel with four.
        place = bus_id.lower().removeprefix("0000")
        found = number_in(system / "sys/bus/pci/devices" / place / "numa_node")
        if isinstance(found, int) and found >= 0:
            return found
    return nvml.count("nvmlDeviceGetNumaNodeId", handle)


def _cpus(nvml: Nvml, handle: Any) -> Text:
    words = -(-(os.cpu_count() or 1) // 64)
    answer = nvml.ask("nvmlDeviceGetCpuAffinity", handle, words)
    if isinstance(answer, NotKnown):
        return answer
    bits = sum(int(word) << (64 * position) for position, word in enumerate(answer))
    cpus = [cpu for cpu in range(64 * words) if bits >> cpu & 1]
    return cpu_list(cpus) or NotKnown(not_known="NVML names no CPU that is near this GPU")


def _ecc(nvml: Nvml, handle: Any) -> Ecc:
    answer = nvml.ask("nvmlDeviceGetEccMode", handle)
    mode: Text = answer if isinstance(answer, NotKnown) else ("on" if answer[0] else "off")
    question = "nvmlDeviceGetTotalEccErrors"
    return Ecc(
        mode=mode,
        corrected=nvml.count(question, handle, _CORRECTED, _SINCE_LOAD),
        uncorrected=nvml.count(question, handle, _UNCORRECTED, _SINCE_LOAD),
    )


def _watts(nvml: Nvml, question: str, handle: Any) -> Number:
    milliwatts = nvml.count(question, handle)
    return milliwatts if isinstance(milliwatts, NotKnown) else milliwatts / 1000


def _utilization(nvml: Nvml, handle: Any) -> Count:
    answer = nvml.ask("nvmlDeviceGetUtilizationRates", handle)
    if isinstance(answer, NotKnown):
        return answer
    percent = int(answer.gpu)
    return percent if percent <= 100 else not_told("nvmlDeviceGetUtilizationRates")


def _processes(nvml: Nvml, handle: Any) -> Count:
    """How many processes compute here; their ids and users are nobody's business."""
    answer = nvml.ask("nvmlDeviceGetComputeRunningProcesses_v3", handle)
    if is_code(answer, FUNCTION_NOT_FOUND):
        answer = nvml.ask("nvmlDeviceGetComputeRunningProcesses_v2", handle)
    return answer if isinstance(answer, NotKnown) else len(answer)


def _temperature(nvml: Nvml, handle: Any) -> Count:
    """The GPU's own sensor; the older question goes away with CUDA 14, the newer came with 12.8."""
    answer = nvml.count("nvmlDeviceGetTemperatureV", handle, _GPU_SENSOR)
    if isinstance(answer, NotKnown):
        return nvml.count("nvmlDeviceGetTemperature", handle, _GPU_SENSOR)
    return answer
