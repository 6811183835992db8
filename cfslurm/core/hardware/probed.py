"""What nodes said of themselves, joined to what Slurm and the site say of them.

Who is believed: which card it is, the driver before the site's config, and that before features and
names. A number that the site config gives (``gpu_types: a100: memory_mib: …``) is taken as it is given:
the site may keep a part of a card for itself. Every contradiction is a warning.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from cfslurm.core.hardware.class_probes import likeness
from cfslurm.core.hardware.gpus import (
    UNKNOWN_GPU,
    GpuCatalogue,
    GpuFacts,
    Source,
    cards_named,
    instance_facts,
    plain_name,
    possible_cards,
)
from cfslurm.core.hardware.graph import GpuSet, Node
from cfslurm.core.hardware.mig import find_profile, mig_name
from cfslurm.core.hardware.probe import NodeProbe, NotKnown, ProbedGpu, known
from cfslurm.core.site.model import GpuOverride

# slurmd counts the boot from the uptime, the kernel from the clock: an NTP step parts them a little.
BOOT_TOLERANCE_S = 120
# Drivers of different years differ by 1 %, error correction takes a sixteenth of GDDR memory (RTX 6000 Ada:
# 49,140 MiB without, 46,068 with it); the cards of a family differ by 14 % and more.
_MEMORY_TOLERANCE = 0.08


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuNames:
    """How names of GPUs are read here: the catalogue, and the site's own words by GRES type."""

    catalogue: GpuCatalogue
    overrides: Mapping[str, GpuOverride]


def is_current(probe: NodeProbe, boot_time: int | None) -> bool:
    """True if the node has not been booted since it answered.

    ``boot_time`` is what Slurm says, in seconds since the epoch; None while the node does not register.
    """
    if isinstance(probe.machine, NotKnown):
        return False
    booted = known(probe.machine.boot_time_s)
    if booted is None:
        return False
    return boot_time is None or abs(boot_time - booted) <= BOOT_TOLERANCE_S


def with_probes(
    nodes: Sequence[Node], probes: Mapping[str, NodeProbe], names: GpuNames
) -> tuple[tuple[Node, ...], tuple[str, ...]]:
    """The nodes with the answers that still hold, and what contradicts them.

    A node without an answer takes the GPU facts of one that Slurm describes in the same way: one
    probe stands for a class until another member answers otherwise.
    """
    told: dict[str, Node] = {}
    warnings: list[str] = []
    if not probes:
        return tuple(nodes), ()
    for node in nodes:
        probe = probes.get(node.name)
        if probe is not None and is_current(probe, node.boot_time):
            measured = _measured(node, probe, names)
            warnings += _contradictions(node, measured, names)
            told[node.name] = _with_site(measured, names)
    likes: dict[tuple[object, ...], tuple[GpuFacts | None, ...]] = {}
    for node in nodes:
        if node.name in told:
            likes.setdefault(likeness(node), _facts_for_others(told[node.name]))
    joined = tuple(told.get(node.name) or _like(node, likes.get(likeness(node))) for node in nodes)
    return joined, tuple(warnings)


def _facts_for_others(node: Node) -> tuple[GpuFacts | None, ...]:
    """What a node that has answered tells of others like it; None where its driver told nothing."""
    return tuple(
        replace(one.facts, note=f"probed on {node.name}")
        if one.facts.source is Source.PROBE
        else None
        for one in node.gpus
    )


def _like(node: Node, facts: tuple[GpuFacts | None, ...] | None) -> Node:
    if not facts:
        return node
    gpus = tuple(
        replace(mine, facts=theirs) if theirs else mine
        for mine, theirs in zip(node.gpus, facts, strict=True)
    )
    return replace(node, gpus=gpus)


def _measured(node: Node, probe: NodeProbe, names: GpuNames) -> Node:
    gpus = tuple(_set(gpu_set, node, probe, names) for gpu_set in node.gpus)
    return replace(node, gpus=gpus, probe=probe)


def _set(gpu_set: GpuSet, node: Node, probe: NodeProbe, names: GpuNames) -> GpuSet:
    mine = _belonging(gpu_set, node, probe, names)
    if not mine:
        return gpu_set
    facts = [facts for gpu in mine for facts in _facts_of(gpu, gpu_set.gpu_type, names.catalogue)]
    if not facts:
        return gpu_set
    # What is promised must hold on each of them, so the smallest speaks for all.
    least = min(facts, key=lambda one: (one.memory_mib, one.key))
    return replace(gpu_set, facts=least)


def _facts_of(gpu: ProbedGpu, gpu_type: str, catalogue: GpuCatalogue) -> tuple[GpuFacts, ...]:
    """What jobs get of a GPU under a GRES type: the card, or its instances where it is cut up."""
    instance = mig_name(gpu_type)
    found: tuple[GpuFacts, ...]
    if instance is not None:
        found = tuple(_instances(gpu, instance.slices, instance.memory_gb, catalogue))
    elif known(gpu.mig_mode) == "on":
        found = tuple(_instances(gpu, 0, 0, catalogue))
    else:
        found = (card_of(gpu, catalogue),)
    return tuple(facts for facts in found if facts.memory_mib)


def _with_site(node: Node, names: GpuNames) -> Node:
    """The site's own numbers have the last word."""
    gpus = tuple(
        replace(gpu_set, facts=_overridden(gpu_set.facts, names.overrides[gpu_set.gpu_type]))
        if gpu_set.gpu_type in names.overrides
        else gpu_set
        for gpu_set in node.gpus
    )
    return replace(node, gpus=gpus)


def _overridden(facts: GpuFacts, override: GpuOverride) -> GpuFacts:
    given = replace(
        facts,
        memory_mib=override.memory_mib or facts.memory_mib,
        bandwidth_gbs=override.bandwidth_gbs or facts.bandwidth_gbs,
        fp16_tflops=override.fp16_tflops or facts.fp16_tflops,
        fp8_tflops=override.fp8_tflops or facts.fp8_tflops,
    )
    return given if given == facts else replace(given, source=Source.SITE, note=override.note)


def _belonging(
    gpu_set: GpuSet, node: Node, probe: NodeProbe, names: GpuNames
) -> tuple[ProbedGpu, ...]:
    """The GPUs of the answer that Slurm means with this type: all, where the node has but one type.

    Where other types of the node are MIG instances, a card that is cut up belongs to those.
    """
    readable = tuple(gpu for gpu in probe.gpus if known(gpu.name) or known(gpu.memory_mib))
    if len(node.gpus) == 1:
        return readable
    instance = mig_name(gpu_set.gpu_type)
    if instance is not None and not instance.card and gpu_set.gpu_type not in names.overrides:
        return tuple(gpu for gpu in readable if known(gpu.mig_mode) == "on")
    if instance is None and any(mig_name(other.gpu_type) for other in node.gpus):
        readable = tuple(gpu for gpu in readable if known(gpu.mig_mode) != "on")
    keys = _keys(gpu_set.gpu_type, names)
    return tuple(gpu for gpu in readable if card_of(gpu, names.catalogue).key in keys)


def _keys(gpu_type: str, names: GpuNames) -> tuple[str, ...]:
    """The cards that a GRES type may mean, by the site's words or by its own."""
    override = names.overrides.get(gpu_type)
    name = (override.catalog if override else "") or gpu_type
    instance = None if cards_named(name, names.catalogue) else mig_name(name)
    return possible_cards(instance.card if instance else name, names.catalogue)


def card_of(gpu: ProbedGpu, catalogue: GpuCatalogue) -> GpuFacts:
    """The card that a driver tells of, with the memory that it measured.

    Of several with one name ("NVIDIA H100") it is the one with about this memory. A card that is in no
    table keeps its name and memory; how fast it is, nobody knows.
    """
    memory_mib, name = known(gpu.memory_mib) or 0, known(gpu.name) or ""
    candidates = [catalogue.cards[key] for key in possible_cards(name, catalogue)] if name else [
        card
        for card in catalogue.cards.values()
        if card.compute_capability == known(gpu.compute_capability)
    ]  # fmt: skip
    fitting = [
        card
        for card in candidates
        if not memory_mib
        or abs(card.memory_mib - memory_mib) <= _MEMORY_TOLERANCE * card.memory_mib
    ]
    if not fitting:
        return replace(
            UNKNOWN_GPU,
            key=plain_name(name) or "gpu",
            product=name or "a GPU without a name",
            compute_capability=known(gpu.compute_capability) or "",
            memory_mib=memory_mib,
            source=Source.PROBE,
            note="in no table: its speed is not known",
        )
    nearest = min(abs(one.memory_mib - memory_mib) for one in fitting)
    alike = [one for one in fitting if abs(one.memory_mib - memory_mib) == nearest]
    card = min(alike, key=lambda one: (one.fp16_tflops, one.key))
    doubt = (
        ""
        if name or len(alike) == 1
        else f"by its chip one of {', '.join(sorted(one.key for one in alike))}"
    )
    return replace(
        card,
        memory_mib=memory_mib or card.memory_mib,
        compute_capability=known(gpu.compute_capability) or card.compute_capability,
        source=Source.PROBE,
        note=doubt or card.note,
    )


def _instances(
    gpu: ProbedGpu, slices: int, memory_gb: int, catalogue: GpuCatalogue
) -> Iterator[GpuFacts]:
    """The MIG instances of a card; only those of a profile where ``slices`` is not 0."""
    card = card_of(gpu, catalogue)
    wanted = find_profile(card.key, slices, memory_gb)
    for one in known(gpu.mig) or ():
        named = mig_name(known(one.profile) or "")
        profile = find_profile(card.key, named.slices, named.memory_gb) if named else None
        if profile is not None and (not slices or profile == wanted):
            facts = instance_facts(card, profile)
            memory_mib = known(one.memory_mib)
            measured = replace(facts, memory_mib=memory_mib, note="") if memory_mib else facts
            yield replace(measured, source=Source.PROBE)


def _contradictions(node: Node, measured: Node, names: GpuNames) -> Iterator[str]:
    """What of a node's answer somebody should look at."""
    probe = measured.probe
    assert probe is not None
    for gpu in probe.gpus:
        if isinstance(gpu.name, NotKnown):
            yield f"{node.name}: GPU {gpu.index} does not answer: {gpu.name.not_known}"
        if errors := known(gpu.ecc.uncorrected):
            yield f"{node.name}: GPU {gpu.index} has counted {errors} uncorrected memory errors"
    asked, seen = known(probe.gpus_asked) or 0, len(probe.gpus)
    is_cut = any(known(gpu.mig_mode) == "on" for gpu in probe.gpus)
    if asked > seen and not is_cut and not isinstance(probe.gpu, NotKnown):
        yield f"{node.name}: Slurm gave the probe {asked} GPUs, and its driver shows {seen}"
    types = {key for gpu_set in node.gpus for key in _keys(gpu_set.gpu_type, names)}
    for gpu in probe.gpus if len(node.gpus) > 1 else ():
        if known(gpu.name) and card_of(gpu, names.catalogue).key not in types:
            yield f"{node.name}: GPU {gpu.index} is {known(gpu.name)}, which no GPU type of Slurm's means"
    for said, found in zip(node.gpus, measured.gpus, strict=True):
        if found.facts is not said.facts:
            yield from _set_contradictions(node.name, found, names)


def _set_contradictions(node: str, found: GpuSet, names: GpuNames) -> Iterator[str]:
    facts, override = found.facts, names.overrides.get(found.gpu_type)
    card = facts.key.rpartition("_")[0] if facts.link == "MIG" else facts.key
    meant = _keys(found.gpu_type, names)
    if meant and card not in meant:
        who = "the site config" if override and override.catalog else "its name"
        yield (
            f"{node}: GPU type {found.gpu_type!r} is {' or '.join(meant)} by {who}, but "
            f"{facts.product} by its driver, and that counts"
        )
    if override and override.memory_mib > facts.memory_mib:
        yield (
            f"{node}: the site config gives GPU type {found.gpu_type!r} {override.memory_mib} MiB, "
            f"its driver {facts.memory_mib} MiB: correct gpu_types, models may not fit"
        )
