"""The GPU catalogue: what the cards that HPC sites have can do, and the names sites give them."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from cfslurm.core.documents import STRICT


class Source(StrEnum):
    """Where a fact comes from, best first."""

    PROBE = "probe"  # measured on the node by NVML
    SITE = "site"  # the site's configuration
    TABLE = "table"  # the built-in catalogue, found by the card's name
    AMBIGUOUS = "ambiguous"  # several cards go by this name; the smallest is assumed
    UNKNOWN = "unknown"  # no card goes by this name


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuFacts:
    """What one GPU can do.

    Units: ``memory_mib`` is what the driver reports, not what the box says; ``bandwidth_gbs`` is
        10^9 bytes/s of GPU memory; ``*_tflops`` are dense tensor rates with FP32 accumulation;
        ``link_gbs`` is all links of one GPU together for NVLink and xGMI, one direction for PCIe.
    Source: ``core/hardware/gpus.csv``, one source per row.
    """

    __pydantic_config__ = STRICT

    key: str
    product: str
    vendor: str
    compute_capability: str
    memory_mib: int
    bandwidth_gbs: float
    fp16_tflops: float
    fp8_tflops: float
    link: str
    link_gbs: float
    source: Source
    note: str = ""

    @property
    def has_nvlink(self) -> bool:
        """True where GPUs of a node reach each other faster than over PCIe."""
        return self.link.startswith(("NVLink", "xGMI"))


UNKNOWN_GPU = GpuFacts(
    key="unknown",
    product="unknown GPU",
    vendor="",
    compute_capability="",
    memory_mib=0,
    bandwidth_gbs=0.0,
    fp16_tflops=0.0,
    fp8_tflops=0.0,
    link="",
    link_gbs=0.0,
    source=Source.UNKNOWN,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuCatalogue:
    """Cards by key, and keys by every name they go by, lower case."""

    cards: Mapping[str, GpuFacts]
    names: Mapping[str, tuple[str, ...]]


def read_catalogue(text: str) -> GpuCatalogue:
    """Read the catalogue's CSV text; ``#`` lines are remarks."""
    rows = csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))
    cards: dict[str, GpuFacts] = {}
    names: dict[str, list[str]] = {}
    for row in rows:
        facts = _card(row)
        cards[facts.key] = facts
        for name in {facts.key, *row["gres_aliases"].split("|")}:
            names.setdefault(name.lower(), []).append(facts.key)
    return GpuCatalogue(
        cards=cards, names={name: tuple(sorted(keys)) for name, keys in sorted(names.items())}
    )


def _card(row: Mapping[str, str]) -> GpuFacts:
    return GpuFacts(
        key=row["key"],
        product=row["product"],
        vendor=row["vendor"],
        compute_capability=row["cc_or_gfx"],
        memory_mib=int(row["mem_mib_visible"]),
        bandwidth_gbs=float(row["mem_bw_gbs"]),
        fp16_tflops=float(row["fp16_tflops"]),
        fp8_tflops=float(row["fp8_tflops"] or 0),
        link=row["link"],
        link_gbs=float(row["link_gbs"]),
        source=Source.TABLE,
        note=row["notes"],
    )


def identify(gpu_type: str, features: tuple[str, ...], catalogue: GpuCatalogue) -> GpuFacts:
    """Find the card behind a GRES type, or behind a node's features where the GRES has no type.

    A name that several cards share (bare ``a100`` is 40, 64 or 80 GB) is settled by a feature that
    names one of them or their memory (``a100_80``, ``80gb``, ``vram80``); otherwise the card with
    the least memory is taken and marked ambiguous.

    >>> identify("h900", (), GpuCatalogue(cards={}, names={})).source
    <Source.UNKNOWN: 'unknown'>
    """
    candidates = _candidates(gpu_type, catalogue)
    if not candidates and not gpu_type:
        named = [_candidates(feature, catalogue) for feature in features]
        candidates = next((keys for keys in named if keys), ())
    if not candidates:
        return replace(UNKNOWN_GPU, key=gpu_type or "gpu", product=f"unknown GPU {gpu_type!r}")
    cards = [catalogue.cards[key] for key in candidates]
    if len(cards) > 1:
        settled = [card for card in cards if _is_named_by(card, features, catalogue)]
        cards = settled or cards
    if len(cards) == 1:
        return cards[0]
    smallest = min(cards, key=lambda card: (card.memory_mib, card.key))
    others = ", ".join(sorted(card.key for card in cards))
    return replace(smallest, source=Source.AMBIGUOUS, note=f"{gpu_type!r} can be {others}")


def _candidates(name: str, catalogue: GpuCatalogue) -> tuple[str, ...]:
    lowered = name.lower().replace(" ", "_")
    found = catalogue.names.get(lowered, ())
    return found or catalogue.names.get(lowered.replace("-", "_"), ())


def _is_named_by(card: GpuFacts, features: tuple[str, ...], catalogue: GpuCatalogue) -> bool:
    box_gb = re.search(r"_(\d+)$", card.key)
    memory_words = {f"{box_gb[1]}gb", f"{box_gb[1]}g", f"vram{box_gb[1]}"} if box_gb else set()
    for feature in features:
        lowered = feature.lower()
        if lowered in memory_words or catalogue.names.get(lowered) == (card.key,):
            return True
    return False
