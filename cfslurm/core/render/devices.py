"""GPUs as device files: where each vendor's driver puts them, and the three files of a MIG instance."""

from __future__ import annotations

from collections.abc import Sequence

from cfslurm.core.render.node_lines import GresDevice

# The driver's minor numbers are counted over all GPUs: 15 GPU instances of 9 files (the instance and
# its 8 compute instances) each, behind `config` and `monitor`.
# Source: NVIDIA MIG User Guide, "Device Nodes and Capabilities": /proc/driver/nvidia-caps/mig-minors.
_FIRST_MINOR = 3
_FILES_PER_INSTANCE = 9
_INSTANCES_PER_GPU = 15

# The ids that the driver gives to the GPU instances of a profile when only those are made, by the
# slices of the profile. Source: NVIDIA MIG User Guide, outputs of `nvidia-smi mig -lgi`.
_FIRST_INSTANCE = {"7": 0, "4": 1, "3": 1, "2": 3, "1": 7}

FIRST_RENDER = 128  # Source: Linux, Documentation/gpu/drm-uapi.rst, "Render nodes"
FAMILIES = ("nvidia", "mig", "amd", "intel", "other")


def family_of(vendor: str, mig_profile: str) -> str:
    """The template that writes a GPU's lines."""
    if mig_profile:
        return "mig"
    return vendor if vendor in ("nvidia", "amd", "intel") else "other"


def device_file(family: str, number: int) -> str:
    """The file of a whole GPU.

    AMD's and Intel's drivers are reached through render nodes, whose minor numbers begin at 128.
    Source: Linux, Documentation/gpu/drm-uapi.rst, "Render nodes"; gres.conf(5), AutoDetect.

    >>> device_file("nvidia", 3), device_file("amd", 0)
    ('/dev/nvidia3', '/dev/dri/renderD128')
    """
    if family in ("amd", "intel"):
        return f"/dev/dri/renderD{FIRST_RENDER + number}"
    return f"/dev/nvidia{number}"


def mig_device(gpu: int, gpu_instance: int, compute_instance: int = 0) -> GresDevice:
    """A MIG instance: the GPU, the GPU instance's capability, the compute instance's.

    >>> mig_device(0, 7).files
    ('/dev/nvidia0', '/dev/nvidia-caps/nvidia-cap66', '/dev/nvidia-caps/nvidia-cap67')
    """
    instance = gpu * _INSTANCES_PER_GPU + gpu_instance
    minor = _FIRST_MINOR + instance * _FILES_PER_INSTANCE
    return GresDevice(
        files=(
            f"/dev/nvidia{gpu}",
            f"/dev/nvidia-caps/nvidia-cap{minor}",
            f"/dev/nvidia-caps/nvidia-cap{minor + 1 + compute_instance}",
        )
    )


def assumed_mig_devices(profile: str, count: int, cards: Sequence[int]) -> tuple[GresDevice, ...]:
    """Instances of one profile, evenly on some GPUs, with the ids that the driver usually gives."""
    first = _FIRST_INSTANCE.get(profile[:1], 0)
    each = -(-count // len(cards))
    numbered = [(card, first + index) for card in cards for index in range(each)]
    return tuple(mig_device(card, instance) for card, instance in numbered[:count])


def even_links(count: int, each: int) -> tuple[str, ...]:
    """One row of gres.conf's Links= for each GPU of a node where every pair is joined alike.

    >>> even_links(3, 6)
    ('-1,6,6', '6,-1,6', '6,6,-1')
    """
    return tuple(
        ",".join("-1" if other == gpu else str(each) for other in range(count))
        for gpu in range(count)
    )


def core_ranges(sockets: int, cores_per_socket: int) -> tuple[str, ...]:
    """Slurm's logical cores of each socket.

    >>> core_ranges(2, 32)
    ('0-31', '32-63')
    """
    return tuple(
        range_text(socket * cores_per_socket, (socket + 1) * cores_per_socket - 1)
        for socket in range(sockets)
    )


def range_text(first: int, last: int) -> str:
    """``0-31``, or ``5`` where both are the same."""
    return str(first) if first == last else f"{first}-{last}"
