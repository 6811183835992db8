"""AutoDetect: which nodes' GPUs slurmd can find by itself, and which it would find under another name."""

from __future__ import annotations

from dataclasses import replace

from cfslurm.core.hardware.gpus import GpuCatalogue
from cfslurm.core.render.node_lines import ClusterLines, GpuLines, NodeLines

# Source: gres.conf(5), AutoDetect.
_LIBRARIES = {"nvidia": "nvml", "mig": "nvml", "amd": "rsmi", "intel": "oneapi"}


def with_autodetect(lines: ClusterLines, catalogue: GpuCatalogue) -> ClusterLines:
    """The same with AutoDetect wherever it would work; the other nodes say why they keep their lines.

    slurmd gives a GPU the name that the driver has for it, in lower case and with underscores, and
    takes a Type of slurm.conf only if that name contains it. Source: gres.conf(5), Type.
    """
    return replace(lines, nodes=tuple(_node(node, catalogue) for node in lines.nodes))


def _node(node: NodeLines, catalogue: GpuCatalogue) -> NodeLines:
    obstacles = [reason for gpus in node.gpus if (reason := obstacle(gpus, catalogue))]
    libraries = {_LIBRARIES.get(gpus.family, "") for gpus in node.gpus}
    if not obstacles and len(libraries) > 1:
        obstacles = ["GPUs of several vendors on one node"]
    if obstacles:
        why = f"not detected: {obstacles[0]}"
        return replace(node, gpus=tuple(replace(gpus, why=why) for gpus in node.gpus))
    gpus = tuple(replace(g, detect=_LIBRARIES[g.family], why="") for g in node.gpus)
    return replace(node, gpus=gpus)


def obstacle(gpus: GpuLines, catalogue: GpuCatalogue) -> str:
    """Why slurmd could not detect these GPUs by their type; empty if it can."""
    if gpus.family not in _LIBRARIES:
        return "no table knows this GPU"
    if not gpus.gpu_type or gpus.family == "mig":
        return ""
    names = detected_names(gpus, catalogue)
    if any(gpus.gpu_type.lower() in name for name in names):
        return ""
    called = f"slurmd would call it {names[0]}" if names else "its driver's name is not known"
    return f"{called}, which does not contain {gpus.gpu_type}"


def detected_names(gpus: GpuLines, catalogue: GpuCatalogue) -> tuple[str, ...]:
    """What slurmd would call them: the driver's names of the card, in lower case, blanks as ``_``."""
    if gpus.card is None:
        return ()
    names = catalogue.driver_names.get(gpus.card.key, ())
    return tuple(name.strip().lower().replace(" ", "_") for name in names if name.strip())
