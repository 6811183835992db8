"""What nodes say of themselves, joined to what Slurm and the site say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from cfslurm.core.hardware.diff import Kind, diff, matters
from cfslurm.core.hardware.gpus import GpuFacts, Source
from cfslurm.core.hardware.graph import HardwareGraph, Node
from cfslurm.core.hardware.probe import Ecc, GpuReport, NodeProbe, NotKnown
from cfslurm.core.hardware.probed import BOOT_TOLERANCE_S, GpuNames, is_current, with_probes
from cfslurm.core.site.model import GpuOverride
from tests.builders import CATALOGUE, graph, node
from tests.probes import BOOT_S, UNREAD, hgx, mig, node_probe, probed_gpu


def _nodes(*gres: str, features: tuple[str, ...] = ()) -> tuple[Node, ...]:
    records = [node(f"n{i}", text, features=features) for i, text in enumerate(gres)]
    return tuple(replace(one, boot_time=BOOT_S) for one in graph(records).nodes)


def _join(
    nodes: tuple[Node, ...],
    *probes: NodeProbe,
    overrides: Mapping[str, GpuOverride] | None = None,
) -> tuple[list[GpuFacts], tuple[str, ...]]:
    names = GpuNames(catalogue=CATALOGUE, overrides=overrides or {})
    joined, warnings = with_probes(nodes, {probe.node: probe for probe in probes}, names)
    return [one.facts for each in joined for one in each.gpus], warnings


def test_a_probe_settles_an_ambiguous_name() -> None:
    nodes = _nodes("gpu:a100:4", "gpu:v100:4")
    assert {one.facts.source for each in nodes for one in each.gpus} == {Source.AMBIGUOUS}
    probe = node_probe(
        "n0", [probed_gpu(i, "NVIDIA A100-SXM4-40GB", memory_mib=40_536) for i in range(4)]
    )
    (card, other), warnings = _join(nodes, probe)
    assert (card.key, card.memory_mib, card.source) == ("a100_40", 40_536, Source.PROBE)
    assert other.source is Source.AMBIGUOUS
    assert warnings == ()


def test_one_name_of_two_cards_is_settled_by_memory() -> None:
    probe = node_probe(
        "n0", [probed_gpu(0, "NVIDIA H100", memory_mib=65_247, compute_capability="9.0")]
    )
    (card,), _ = _join(_nodes("gpu:h100_64:1"), probe)
    assert card.key == "h100_64"


def test_one_answer_speaks_for_its_class_until_another_differs() -> None:
    nodes = _nodes("gpu:h100:8", "gpu:h100:8", "gpu:h100:8", "gpu:h100:4")
    (first, second, third, alone), _ = _join(nodes, hgx("n1"))
    assert [one.key for one in (first, second, third)] == ["h100"] * 3
    assert [one.note == "probed on n1" for one in (first, second, third)] == [True, False, True]
    assert alone.source is Source.AMBIGUOUS  # four, not eight: another class
    pcie = [probed_gpu(i, "NVIDIA H100 PCIe", memory_mib=81_559) for i in range(8)]
    (_, _, third, _), _ = _join(nodes, hgx("n1"), node_probe("n2", pcie))
    assert third.key == "h100_pcie"


@pytest.mark.parametrize(
    ("boot_time", "holds"),
    [
        (BOOT_S, True), (BOOT_S + BOOT_TOLERANCE_S, True), (BOOT_S - BOOT_TOLERANCE_S - 1, False),
        (BOOT_S + 86_400, False), (None, True),
    ],
)  # fmt: skip
def test_an_answer_holds_until_the_next_boot(boot_time: int | None, holds: bool) -> None:
    nodes = (replace(_nodes("gpu:h100:8")[0], boot_time=boot_time),)
    names = GpuNames(catalogue=CATALOGUE, overrides={})
    (joined,), _ = with_probes(nodes, {"n0": hgx("n0")}, names)
    assert is_current(hgx("n0"), boot_time) is holds
    assert (joined.probe is not None) is holds
    assert (joined.gpus[0].facts.source is Source.PROBE) is holds


def test_an_answer_without_a_boot_does_not_hold() -> None:
    probe = hgx("n0")
    assert not isinstance(probe.machine, NotKnown)
    assert not is_current(replace(probe, machine=UNREAD), BOOT_S)
    assert not is_current(
        replace(probe, machine=replace(probe.machine, boot_time_s=UNREAD)), BOOT_S
    )


def test_the_driver_is_believed_before_the_site_about_the_card() -> None:
    overrides = {"h100": GpuOverride(catalog="h100_pcie")}
    (card,), warnings = _join(_nodes("gpu:h100:8"), hgx("n0"), overrides=overrides)
    assert (card.key, card.source) == ("h100", Source.PROBE)
    assert warnings == (
        "n0: GPU type 'h100' is h100_pcie by the site config, but H100 SXM5 80GB by its driver, and that counts",
    )


def test_a_number_of_the_site_is_taken_and_contradicted_where_it_promises_too_much() -> None:
    less = {"h100": GpuOverride(memory_mib=70_000, note="10 GiB are for the display wall")}
    (card,), warnings = _join(_nodes("gpu:h100:8"), hgx("n0"), overrides=less)
    assert (card.memory_mib, card.source, card.note) == (
        70_000,
        Source.SITE,
        "10 GiB are for the display wall",
    )
    assert warnings == ()
    more = {"h100": GpuOverride(memory_mib=94_000)}
    (card,), warnings = _join(_nodes("gpu:h100:8"), hgx("n0"), overrides=more)
    assert card.memory_mib == 94_000
    assert "94000 MiB, its driver 81559 MiB" in warnings[0]


def test_types_of_one_node_are_told_apart() -> None:
    cards = [
        probed_gpu(0),
        probed_gpu(1, "NVIDIA A40", memory_mib=46_068, compute_capability="8.6"),
    ]
    (a100, a40), warnings = _join(_nodes("gpu:a100:1,gpu:a40:1"), node_probe("n0", cards))
    assert (a100.key, a100.memory_mib, a40.key, a40.memory_mib) == (
        "a100_80",
        81_920,
        "a40",
        46_068,
    )
    assert warnings == ()
    _, warnings = _join(_nodes("gpu:v100:1,gpu:a40:1"), node_probe("n0", cards))
    assert warnings == ("n0: GPU 0 is NVIDIA A100-SXM4-80GB, which no GPU type of Slurm's means",)


def test_the_smallest_of_unequal_cards_speaks_for_the_type() -> None:
    cards = [probed_gpu(0), probed_gpu(1, "NVIDIA A100-SXM4-40GB", memory_mib=40_960)]
    (card,), _ = _join(_nodes("gpu:a100:2"), node_probe("n0", cards))
    assert card.key == "a100_40"


def test_mig_instances_have_the_memory_that_the_driver_gives() -> None:
    instances = [mig(i, "1g.10gb", 9728) for i in range(7)]
    halves = [mig(0, "3g.39gb", 40_192), mig(1, "4g.39gb", 40_192)]
    cards = [probed_gpu(0, mig=instances), probed_gpu(1, mig=halves)]
    gres = "gpu:nvidia_a100_1g.10gb:7,gpu:nvidia_a100_3g.39gb:1"
    (small, half), warnings = _join(_nodes(gres), node_probe("n0", cards))
    assert (small.key, small.memory_mib, small.source) == ("a100_80_1g.10gb", 9728, Source.PROBE)
    assert (half.key, half.memory_mib) == ("a100_80_3g.40gb", 40_192)
    assert warnings == ()
    # A site that does not name the profile in its type.
    (card,), _ = _join(_nodes("gpu:a100:7"), node_probe("n0", [probed_gpu(0, mig=instances)]))
    assert (card.key, card.memory_mib) == ("a100_80_1g.10gb", 9728)


def test_whole_cards_beside_instances_keep_their_memory() -> None:
    instances = [mig(i, "1g.10gb", 9728) for i in range(7)]
    cards = [probed_gpu(0), probed_gpu(1, mig=instances)]
    (small, whole), _ = _join(_nodes("gpu:a100_80:1,gpu:1g.10gb:7"), node_probe("n0", cards))
    assert (small.key, small.memory_mib) == ("a100_80_1g.10gb", 9728)
    assert (whole.key, whole.memory_mib) == ("a100_80", 81_920)
    assert (small.source, whole.source) == (Source.PROBE, Source.PROBE)


def test_a_card_in_no_table_keeps_its_memory() -> None:
    odd = probed_gpu(0, "NVIDIA XYZ 9000", memory_mib=400_000, compute_capability="13.0")
    (card,), _ = _join(_nodes("gpu:xyz:1"), node_probe("n0", [odd]))
    assert (card.product, card.memory_mib, card.bandwidth_gbs) == ("NVIDIA XYZ 9000", 400_000, 0)
    assert "not known" in card.note
    # The name of a card, but half of its memory: not that card.
    half = probed_gpu(0, "NVIDIA L4", memory_mib=11_500, compute_capability="8.9")
    (card,), warnings = _join(_nodes("gpu:l4:1"), node_probe("n0", [half]))
    assert (card.key, card.memory_mib) == ("nvidia_l4", 11_500)
    assert "but NVIDIA L4 by its driver" in warnings[0]


def test_a_node_that_saw_no_gpu_changes_nothing() -> None:
    nodes = _nodes("gpu:a100:4")
    names = GpuNames(catalogue=CATALOGUE, overrides={})
    (joined,), warnings = with_probes(nodes, {"n0": node_probe("n0")}, names)
    assert joined.gpus == nodes[0].gpus
    assert joined.probe is not None
    assert warnings == ()


def test_broken_cards_are_told_to_the_user() -> None:
    lost = replace(
        probed_gpu(1), name=NotKnown(not_known="GPU is lost (NVML 15)"), memory_mib=UNREAD
    )
    counting = replace(probed_gpu(2), ecc=Ecc(mode="on", corrected=9, uncorrected=3))
    probe = replace(node_probe("n0", [probed_gpu(0), lost, counting]), gpus_asked=4)
    (card,), warnings = _join(_nodes("gpu:a100_80:4"), probe)
    assert card.memory_mib == 81_920
    assert warnings == (
        "n0: GPU 1 does not answer: GPU is lost (NVML 15)",
        "n0: GPU 2 has counted 3 uncorrected memory errors",
        "n0: Slurm gave the probe 4 GPUs, and its driver shows 3",
    )


def test_what_has_changed_tells_a_new_driver_and_not_a_new_temperature() -> None:
    def probed(probe: NodeProbe | None) -> HardwareGraph:
        whole = graph([node("n0", "gpu:h100:8")])
        return replace(whole, nodes=tuple(replace(one, probe=probe) for one in whole.nodes))

    probe = hgx("n0")
    assert isinstance(probe.gpu, GpuReport)
    warm = replace(probe.gpus[0], use=replace(probe.gpus[0].use, temperature_c=80))
    warmer = replace(probe, probed_at="later", gpu=replace(probe.gpu, gpus=(warm, *probe.gpus[1:])))
    updated = replace(probe, gpu=replace(probe.gpu, driver="580.1"))
    assert not matters(diff(probed(probe), probed(warmer)))
    assert diff(probed(probe), probed(warmer))
    assert not matters(diff(probed(None), probed(probe)))
    (change,) = [
        one for one in diff(probed(probe), probed(updated)) if one.kind is Kind.CONFIGURATION
    ]
    assert (change.field, change.old, change.new) == ("probe.gpu.driver", "550.90.07", "580.1")
