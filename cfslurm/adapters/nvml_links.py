"""How the GPUs of a node reach each other, as NVML tells it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cfslurm.adapters.nvml import Nvml, not_told
from cfslurm.core.hardware.probe import Count, GpuLink, NotKnown, Text

_MOST_LINKS = 36  # NVML_NVLINK_MAX_LINKS; the cards of today have 18 at the most
_INVALID_ARGUMENT = "(NVML 2)"  # the answer for a link number that the card does not have
_NOT_SUPPORTED = "(NVML 3)"  # the answer of a card without NVLink
_TO_GPU, _TO_SWITCH = 0, 2  # nvmlIntNvLinkDeviceType_t
# nvmlGpuTopologyLevel_t, in the words of `nvidia-smi topo -m`.
_PATHS = {0: "PIX", 10: "PIX", 20: "PXB", 30: "PHB", 40: "NODE", 50: "SYS"}
# nvmlGpuP2PStatus_t
_PEER_ACCESS = {
    0: "ok",
    1: "chipset not supported",
    2: "GPU not supported",
    3: "not across these I/O hubs",
    4: "disabled by the driver",
    5: "not supported",
}
# Literally, because nvidia-ml-py writes `NVML_P2P_CAPS_INDEX_READ = 0,`: a tuple.
_READ = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ends:
    """Where the active NVLinks of one GPU end: at GPUs (by PCI bus id), switches, or who knows."""

    gpus: Counter[str]
    switches: int
    unknown: NotKnown | None
    version: Count


def read_links(nvml: Nvml, handles: Mapping[int, Any]) -> tuple[GpuLink, ...]:
    """Every pair of GPUs once."""
    bus_ids = {index: _bus_id(nvml, handle) for index, handle in handles.items()}
    near = frozenset(bus_ids.values()) - {""}
    ends = {index: _ends(nvml, handle, near) for index, handle in handles.items()}
    indices = sorted(handles)
    return tuple(
        _link(nvml, (a, b), handles, bus_ids, ends) for a in indices for b in indices if a < b
    )


def _bus_id(nvml: Nvml, handle: Any) -> str:
    if isinstance(handle, NotKnown):
        return ""
    info = nvml.ask("nvmlDeviceGetPciInfo_v3", handle)
    return "" if isinstance(info, NotKnown) else bus_id_text(info)


def bus_id_text(info: Any) -> str:
    """``00000000:81:00.0`` of an nvmlPciInfo_t; nvidia-ml-py gives bytes or text, by its version."""
    bus_id = info.busId
    text = bus_id.decode("ascii", "replace") if isinstance(bus_id, bytes) else str(bus_id)
    return text.upper()


def _ends(nvml: Nvml, handle: Any, near: frozenset[str]) -> _Ends | NotKnown:
    """The ends of a GPU's active links; NotKnown if even their states cannot be read."""
    if isinstance(handle, NotKnown):
        return handle
    gpus: Counter[str] = Counter()
    switches, unknown, version = 0, None, NotKnown(not_known="no active NVLink")
    versions: list[Count] = []
    for link in range(_MOST_LINKS):
        state = nvml.ask("nvmlDeviceGetNvLinkState", handle, link)
        if isinstance(state, NotKnown):
            if state.not_known.endswith((_INVALID_ARGUMENT, _NOT_SUPPORTED)):
                break
            return state
        if not state:
            continue
        versions.append(nvml.count("nvmlDeviceGetNvLinkVersion", handle, link))
        end = _end(nvml, handle, link, near)
        if isinstance(end, NotKnown):
            unknown = end
        elif end:
            gpus[end] += 1
        else:
            switches += 1
    return _Ends(
        gpus=gpus,
        switches=switches,
        unknown=unknown,
        version=versions[0] if versions else version,
    )


def _end(nvml: Nvml, handle: Any, link: int, near: frozenset[str]) -> str | NotKnown:
    """The bus id of the GPU at the other end, "" for a switch."""
    kind = nvml.count("nvmlDeviceGetNvLinkRemoteDeviceType", handle, link)
    if kind == _TO_SWITCH:
        return ""
    info = nvml.ask("nvmlDeviceGetNvLinkRemotePciInfo", handle, link)
    if isinstance(info, NotKnown):
        return info
    bus_id = bus_id_text(info)
    if not bus_id:
        return not_told("nvmlDeviceGetNvLinkRemotePciInfo")
    # An old driver cannot tell what is there: a GPU if it is one of ours, else anything.
    if kind == _TO_GPU or bus_id in near:
        return bus_id
    if isinstance(kind, NotKnown):
        return kind
    return NotKnown(not_known=f"the NVLink ends at a device of kind {kind}")


def _link(
    nvml: Nvml,
    pair: tuple[int, int],
    handles: Mapping[int, Any],
    bus_ids: Mapping[int, str],
    ends: Mapping[int, _Ends | NotKnown],
) -> GpuLink:
    a, b = pair
    nvlinks, version, through = _nvlinks(ends[a], ends[b], bus_ids[b])
    return GpuLink(
        a=a,
        b=b,
        path=_word(nvml, "nvmlDeviceGetTopologyCommonAncestor", _PATHS, handles[a], handles[b]),
        nvlinks=nvlinks,
        nvlink_version=version,
        through=through,
        peer_access=_word(
            nvml, "nvmlDeviceGetP2PStatus", _PEER_ACCESS, handles[a], handles[b], _READ
        ),
    )


def _nvlinks(
    first: _Ends | NotKnown, second: _Ends | NotKnown, second_bus_id: str
) -> tuple[Count, Count, Text]:
    """Links between two GPUs: direct ones, else as many as both have to switches."""
    if isinstance(first, NotKnown):
        return first, first, first
    if isinstance(second, NotKnown):
        return second, second, second
    if direct := first.gpus[second_bus_id]:
        return direct, first.version, "direct"
    if through_switch := min(first.switches, second.switches):
        return through_switch, first.version, "nvswitch"
    if first.unknown is not None:
        return first.unknown, first.version, first.unknown
    return 0, first.version, "none"


def _word(nvml: Nvml, question: str, words: Mapping[int, str], *arguments: Any) -> Text:
    lost = [argument for argument in arguments if isinstance(argument, NotKnown)]
    if lost:
        return lost[0]
    number = nvml.count(question, *arguments)
    if isinstance(number, NotKnown):
        return number
    return words.get(number) or NotKnown(not_known=f"{question} answered {number}")
