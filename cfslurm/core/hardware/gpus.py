"""The GPU catalogue: what the cards that HPC sites have can do, and the names sites give them."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import lru_cache

from cfslurm.core.documents import STRICT
from cfslurm.core.hardware.mig import DRIVER_PART, MigName, MigProfile, find_profile, mig_name

# ``80gb``, ``80g``, ``vram80``, ``gpu_mem_80gb``, ``gpumem:80g``; a bare number says nothing.
_MEMORY_WORD = re.compile(r"(?:(?:vram|gpu_?mem)[_:]?(\d+)(?:g(?:i?b)?)?|(?:gpu_?)?(\d+)g(?:i?b)?)")
_ESTIMATED = "memory estimated until probed"
_MEMORY_IN_NAME = re.compile(r"_?(?<!\d)(\d+)g(?:i?b)?(?=_|$)")


class Source(StrEnum):
    """Where a fact comes from, best first."""

    PROBE = "probe"  # asked of the driver, on the node or on one of its class
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
    """Cards by key, keys by every name they go by (as `plain_name` writes it), and the GB on the box.

    ``driver_names`` are what the driver calls a card, letter by letter.
    """

    cards: Mapping[str, GpuFacts]
    names: Mapping[str, tuple[str, ...]]
    box_gb: Mapping[str, int] = field(default_factory=dict)
    driver_names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def read_catalogue(text: str) -> GpuCatalogue:
    """Read the catalogue's CSV text; ``#`` lines are remarks.

    A card goes by its key, by what its driver calls it (which is what Slurm's AutoDetect makes a GRES
    type of), and by its aliases: what sites write.
    """
    rows = csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))
    cards: dict[str, GpuFacts] = {}
    names: dict[str, set[str]] = {}
    box_gb: dict[str, int] = {}
    driver_names: dict[str, tuple[str, ...]] = {}
    for row in rows:
        facts = _card(row)
        cards[facts.key] = facts
        box_gb[facts.key] = int(row["mem_gb"])
        driver_names[facts.key] = tuple(row["nvml_or_smi_name"].split(";"))
        aliases = (*driver_names[facts.key], *row["gres_aliases"].split("|"))
        for name in {facts.key, *aliases}:
            names.setdefault(plain_name(name), set()).add(facts.key)
    return GpuCatalogue(
        cards=cards,
        names={name: tuple(sorted(keys)) for name, keys in sorted(names.items())},
        box_gb=box_gb,
        driver_names=driver_names,
    )


@lru_cache(maxsize=4096)
def plain_name(name: str) -> str:
    """A name without what sites and drivers write differently.

    >>> plain_name("NVIDIA A100-SXM4-80GB")
    'nvidia_a100_sxm4_80gb'
    """
    return re.sub(r"[\s_-]+", "_", name.strip().lower())


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


def identify(gpu_type: str, features: Sequence[str], catalogue: GpuCatalogue) -> GpuFacts:
    """Find the card, or the MIG instance of a card, behind a GRES type.

    The name is read in this order: a name that the catalogue has; a MIG profile at its end; a memory
    size in it (``a100-80g``); the longest known name that is a part of it. A GRES without a type is
    looked for among the features. A name that several cards share (bare ``a100`` is 40, 64 or 80 GB)
    is settled by a feature that names one of them, then by one that names their memory (``80gb``,
    ``vram80``); otherwise the card with the least memory is taken and marked ambiguous.

    >>> identify("h900", (), GpuCatalogue(cards={}, names={})).source
    <Source.UNKNOWN: 'unknown'>
    """
    instance = None if cards_named(gpu_type, catalogue) else mig_name(gpu_type)
    if instance is not None:
        return _identify_instance(gpu_type, instance, features, catalogue)
    candidates = possible_cards(gpu_type, catalogue)
    if not candidates and not gpu_type:
        named = [cards_named(feature, catalogue) for feature in features]
        candidates = next((keys for keys in named if keys), ())
    found = _settled(gpu_type, candidates, features, catalogue)
    if found.source is Source.TABLE and gpu_type and not cards_named(gpu_type, catalogue):
        return replace(
            found, note=f"{gpu_type!r} is taken for {found.key}: it is a part of the name"
        )
    return found


def cards_named(name: str, catalogue: GpuCatalogue) -> tuple[str, ...]:
    """The keys of the cards that go by exactly this name."""
    return catalogue.names.get(plain_name(name), ())


def possible_cards(name: str, catalogue: GpuCatalogue) -> tuple[str, ...]:
    """The keys of the cards that a name without MIG profile may mean."""
    if found := cards_named(name, catalogue):
        return found
    plain = plain_name(name)
    for size in _MEMORY_IN_NAME.finditer(plain):
        rest = plain[: size.start()] + plain[size.end() :]
        box_gb = int(size[1])
        fitting = [k for k in _longest_part(rest, catalogue) if catalogue.box_gb.get(k) == box_gb]
        if fitting:
            return tuple(fitting)
    return _longest_part(plain, catalogue)


def _longest_part(plain: str, catalogue: GpuCatalogue) -> tuple[str, ...]:
    """The cards of the longest name that stands in this one between ``_``."""
    words = plain.split("_")
    for length in range(len(words), 0, -1):
        parts = ("_".join(words[at : at + length]) for at in range(len(words) - length + 1))
        found = [(len(part), keys) for part in parts if (keys := catalogue.names.get(part))]
        if found:
            return max(found)[1]
    return ()


def _settled(
    name: str, candidates: Sequence[str], features: Sequence[str], catalogue: GpuCatalogue
) -> GpuFacts:
    if not candidates:
        return replace(UNKNOWN_GPU, key=name or "gpu", product=f"unknown GPU {name!r}")
    cards = [catalogue.cards[key] for key in _by_features(candidates, features, catalogue)]
    if len(cards) == 1:
        return cards[0]
    smallest = min(cards, key=lambda card: (card.memory_mib, card.key))
    others = ", ".join(sorted(card.key for card in cards))
    return replace(smallest, source=Source.AMBIGUOUS, note=f"{name!r} can be {others}")


def _by_features(
    candidates: Sequence[str], features: Sequence[str], catalogue: GpuCatalogue
) -> Sequence[str]:
    """Those of the candidates that the features leave: by name first, by memory then."""
    if len(candidates) == 1:
        return candidates
    named = {key for feature in features for key in cards_named(feature, catalogue)}
    if len(left := [key for key in candidates if key in named]) == 1:
        return left
    sizes = {size for feature in features if (size := _memory_word(feature))}
    kept = left or candidates
    return [key for key in kept if catalogue.box_gb.get(key) in sizes] or kept


def _memory_word(feature: str) -> int:
    match = _MEMORY_WORD.fullmatch(plain_name(feature))
    return int(match[1] or match[2]) if match else 0


def _identify_instance(
    name: str, instance: MigName, features: Sequence[str], catalogue: GpuCatalogue
) -> GpuFacts:
    """The card is one of those that the name or a feature allows and that have such a profile."""
    allowed: Sequence[str] = possible_cards(instance.card, catalogue) if instance.card else ()
    if not allowed:
        named = [cards_named(feature, catalogue) for feature in features]
        allowed = next((keys for keys in named if keys), ()) or tuple(catalogue.cards)
    instances = {
        key: instance_facts(catalogue.cards[key], profile)
        for key in allowed
        if (profile := find_profile(key, instance.slices, instance.memory_gb))
    }
    # Cards whose instances of this profile are equal need not be told apart: links do not matter here.
    alike = {
        (one.memory_mib, one.bandwidth_gbs, one.fp16_tflops, one.fp8_tflops): key
        for key, one in sorted(instances.items(), reverse=True)
    }
    card = _settled(name, sorted(alike.values()), features, catalogue)
    if card.key not in instances:
        return card
    note = card.note if card.source is Source.AMBIGUOUS else _ESTIMATED
    return replace(instances[card.key], source=card.source, note=note)


def instance_facts(card: GpuFacts, profile: MigProfile) -> GpuFacts:
    """What an instance can do: its shares of the card, the driver's part of the memory taken off.

    Instances have no NVLink, and none reaches another's memory. Source: NVIDIA, Multi-Instance GPU User
    Guide, "Application Considerations".
    """
    return replace(
        card,
        key=f"{card.key}_{profile.name}",
        product=f"{card.product} MIG {profile.name}",
        memory_mib=int(card.memory_mib * profile.memory_share * (1 - DRIVER_PART)),
        bandwidth_gbs=round(card.bandwidth_gbs * profile.memory_share, 1),
        fp16_tflops=round(card.fp16_tflops * profile.compute_share, 1),
        fp8_tflops=round(card.fp8_tflops * profile.compute_share, 1),
        link="MIG",
        link_gbs=0.0,
        note=_ESTIMATED,
    )
