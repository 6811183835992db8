"""How the GPUs of a node reach each other, in the words of `nvidia-smi topo -m`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cfslurm.core.hardware.graph import Node
from cfslurm.core.hardware.probe import GpuLink, NodeProbe, known

UNKNOWN = "?"
_PATHS = {
    "PIX": "one PCIe bridge",
    "PXB": "several PCIe bridges",
    "PHB": "a PCIe host bridge",
    "NODE": "host bridges of one NUMA node",
    "SYS": "the link between sockets",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two GPUs, by their index: ``label`` is ``NV18``, ``PIX`` … or ``?``; ``nvlinks`` 0 without NVLink."""

    a: int
    b: int
    label: str
    nvlinks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """The links of a node's GPUs.

    ``asked`` is the node that told of them, perhaps another one of the class. ``numa`` has a NUMA
    node for each index, None where it is not known. ``has_switch`` is true where NVLinks pass a
    switch, so that every GPU reaches every other one at full rate.
    """

    asked: str
    indices: tuple[int, ...]
    numa: tuple[int | None, ...]
    pairs: tuple[Pair, ...]
    has_switch: bool

    def label(self, a: int, b: int) -> str:
        """What stands in the matrix for two indices."""
        if a == b:
            return "X"
        low, high = min(a, b), max(a, b)
        return next((pair.label for pair in self.pairs if (pair.a, pair.b) == (low, high)), UNKNOWN)

    @property
    def matrix(self) -> tuple[tuple[str, ...], ...]:
        """A row for each GPU: its name, its links, its NUMA node."""
        return tuple(
            (
                f"GPU{one}",
                *(self.label(one, other) for other in self.indices),
                UNKNOWN if numa is None else str(numa),
            )
            for one, numa in zip(self.indices, self.numa, strict=True)
        )

    @property
    def header(self) -> tuple[str, ...]:
        """The head of `matrix`."""
        return ("", *(f"GPU{index}" for index in self.indices), "NUMA")

    @property
    def legend(self) -> tuple[str, ...]:
        """What the labels that occur mean."""
        found = sorted({pair.label for pair in self.pairs})
        return tuple(f"{label}: {_meaning(label)}" for label in found)


def _meaning(label: str) -> str:
    if label.startswith("NV"):
        return f"{label[2:]} NVLinks"
    return _PATHS.get(label, "not known")


def links_of(probe: NodeProbe) -> Links | None:
    """The links that a probe saw; None where it saw fewer than two GPUs."""
    if len(probe.gpus) < 2:
        return None
    indices = tuple(gpu.index for gpu in probe.gpus)
    by_pair = {(min(link.a, link.b), max(link.a, link.b)): link for link in probe.links}
    pairs = tuple(
        _pair(a, b, by_pair.get((a, b)))
        for position, a in enumerate(sorted(indices))
        for b in sorted(indices)[position + 1 :]
    )
    return Links(
        asked=probe.node,
        indices=indices,
        numa=tuple(known(gpu.numa_node) for gpu in probe.gpus),
        pairs=pairs,
        has_switch=any(known(link.through) == "nvswitch" for link in probe.links),
    )


def _pair(a: int, b: int, link: GpuLink | None) -> Pair:
    if link is None:
        return Pair(a=a, b=b, label=UNKNOWN, nvlinks=0)
    nvlinks = known(link.nvlinks)
    if nvlinks:
        return Pair(a=a, b=b, label=f"NV{nvlinks}", nvlinks=nvlinks)
    path = known(link.path)
    return Pair(a=a, b=b, label=path if path in _PATHS else UNKNOWN, nvlinks=0)


def links_text(node: Node, links: Links | None) -> str:
    """One line: what is known of the links, and from whom."""
    if not node.gpus:
        return ""
    if links is None:
        return " · ".join(_from_table(node))
    labels = sorted({pair.label for pair in links.pairs})
    nvlinks = " · ".join(label for label in labels if label.startswith("NV"))
    if nvlinks and links.has_switch:
        nvlinks += " through NVSwitch"
    others = [label for label in labels if not label.startswith("NV")]
    found = " · ".join([*([nvlinks] if nvlinks else []), *others])
    whose = "" if links.asked == node.name else f", as {links.asked} told"
    return f"{found} (probed{whose})"


def _from_table(node: Node) -> Iterator[str]:
    for gpus in node.gpus:
        if gpus.mig_profile:  # instances cannot reach each other
            continue
        if gpus.count > 1 and gpus.facts.link:
            rate = f" {gpus.facts.link_gbs:g} GB/s" if gpus.facts.link_gbs else ""
            yield f"links not known (table: {gpus.facts.link}{rate})"
        elif gpus.count > 1:
            yield "links not known"
