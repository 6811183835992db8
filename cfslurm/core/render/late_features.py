"""The node features by which one array can ask for several kinds of GPUs at once."""

from __future__ import annotations

import re
from dataclasses import replace

from cfslurm.core.hardware.gpus import GpuCatalogue, GpuFacts, Source
from cfslurm.core.render.node_lines import ClusterLines, NodeLines, Origin

_SURE = {
    Source.PROBE: Origin.PROBE,
    Source.SITE: Origin.DESCRIBED,
    Source.TABLE: Origin.TABLE,
}

# Source: NVIDIA, "CUDA GPU Compute Capability"; AMD, "Accelerator and GPU hardware specifications".
_GENERATIONS = {
    "6.0": "pascal", "6.1": "pascal", "7.0": "volta", "7.5": "turing", "8.0": "ampere",
    "8.6": "ampere", "8.7": "ampere", "8.9": "ada", "9.0": "hopper", "10.0": "blackwell",
    "10.3": "blackwell", "12.0": "blackwell", "12.1": "blackwell", "gfx906": "gcn5",
    "gfx908": "cdna1", "gfx90a": "cdna2", "gfx942": "cdna3", "gfx950": "cdna4",
}  # fmt: skip


def with_late_features(lines: ClusterLines, catalogue: GpuCatalogue) -> ClusterLines:
    """The same with the features that late binding needs added to those that the nodes have.

    A GPU that could be one of several, or that nobody knows, adds none; nor does a MIG instance,
    since its node has no whole GPU to offer.
    """
    return replace(lines, nodes=tuple(_node(node, catalogue) for node in lines.nodes))


def _node(node: NodeLines, catalogue: GpuCatalogue) -> NodeLines:
    found: dict[str, Origin] = {}
    for gpus in node.gpus:
        if gpus.card is not None and gpus.card.source in _SURE and gpus.family != "mig":
            for word in late_binding_features(gpus.card, catalogue):
                found.setdefault(word, _SURE[gpus.card.source])
    added = {word: origin for word, origin in found.items() if word not in node.features}
    return replace(node, features=(*node.features, *added), origins={**node.origins, **added})


def late_binding_features(facts: GpuFacts, catalogue: GpuCatalogue) -> tuple[str, ...]:
    """GPU, memory, generation and NVLink of a card, as far as they are known.

    An array that may run on several kinds of nodes asks for them with ``a100_80|rtx4090``, or for
    enough memory with ``vram80|vram96``.
    """
    if facts.key not in catalogue.box_gb:
        return ()
    found = [facts.key, f"vram{catalogue.box_gb[facts.key]}"]
    generation = _GENERATIONS.get(facts.compute_capability)
    if generation:
        found.append(generation)
    if facts.has_nvlink and "bridge" not in facts.link:
        found.append("nvlink" if facts.vendor == "nvidia" else "xgmi")
    return tuple(re.sub(r"[^A-Za-z0-9_.-]", "_", word) for word in found)
