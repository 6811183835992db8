"""What nodes have told, in a line; and where the numbers of a table are from."""

from __future__ import annotations

from dataclasses import replace

from cfslurm.core.hardware.gpus import Source
from cfslurm.core.hardware.graph import HardwareGraph
from cfslurm.core.hardware.probe import NotKnown
from cfslurm.core.hardware.probe_targets import GpuAsk, LeftOut, ProbeTarget
from cfslurm.core.report.cluster_table import info_text
from cfslurm.core.report.probe_text import asks_text, fencing_text, probe_text, remedy_text
from tests.builders import graph, node
from tests.probes import UNREAD, all_links, hgx, mig, node_probe, probed_gpu


def _target(name: str, asked: int, total: int) -> ProbeTarget:
    return ProbeTarget(
        node=name, node_class="k", partition="gpu", gres="", gpus_asked=asked, gpus_total=total,
        time_limit_s=300,
    )  # fmt: skip


def test_who_is_asked_for_what() -> None:
    left = LeftOut(name="big-x8", why="b1 is DOWN")
    whole = asks_text([_target("a1", 4, 4), _target("c1", 0, 0)], [left], GpuAsk.FREE)
    assert whole == (
        "a1 (k): asks for 4 of 4 GPUs\nc1 (k): has no GPUs\nbig-x8: not asked, b1 is DOWN"
    )
    assert "links to others stay unknown" in asks_text([_target("a1", 3, 4)], [], GpuAsk.FREE)
    assert "links to others" not in asks_text([_target("a1", 0, 4)], [], GpuAsk.NONE)


def test_an_answer_in_a_line() -> None:
    assert probe_text(hgx("h1")) == (
        "h1: 8 x NVIDIA H100 80GB HBM3 (81559 MiB), 18 NVLinks, driver 550.90.07"
    )
    cut = node_probe("a1", [probed_gpu(0, mig=[mig(0, "3g.40gb", 40_192)])])
    assert "(81920 MiB, 1 MIG instances), one GPU in sight" in probe_text(cut)
    pairs = node_probe("p1", [probed_gpu(i) for i in range(4)], all_links(4, nvlinks={(0, 1): 4}))
    assert "0 to 4 NVLinks" in probe_text(pairs)
    unread = replace(pairs.links[0], nvlinks=UNREAD)
    unsure = node_probe("u1", [probed_gpu(i) for i in range(2)], [unread])
    assert "NVLinks not known between all" in probe_text(unsure)
    lost = replace(probed_gpu(0), name=UNREAD, memory_mib=UNREAD)
    assert probe_text(node_probe("l1", [lost])).startswith("l1: 1 x ? (? MiB)")
    assert probe_text(node_probe("c1")) == (
        "c1: no GPU facts: NVML Shared Library Not Found; AMD EPYC 7763 64-Core Processor, 64 cores, "
        "257000 MiB"
    )
    broken = replace(node_probe("c1"), machine=NotKnown(not_known="x"))
    assert probe_text(broken) == "c1: no GPU facts: NVML Shared Library Not Found"


def test_jobs_that_see_more_than_they_hold_need_hold_none() -> None:
    assert fencing_text([hgx("h1"), node_probe("c1")]) == ""
    unfenced = replace(hgx("h2"), gpus_asked=1)
    assert fencing_text([hgx("h1"), unfenced]) == (
        "h2 showed 8 GPUs to a job that held 1: nothing fences them here, and `--gpus none` is enough."
    )
    assert fencing_text([replace(unfenced, gpus_asked=UNREAD)]) == ""


def test_each_advice_stands_once_with_the_nodes_that_need_it() -> None:
    silent = [
        replace(node_probe(name), gpu=NotKnown(not_known="no NVML", remedy="Install it."))
        for name in ("g1", "g2")
    ]
    assert remedy_text([*silent, hgx("h1")]) == "  try, g[1-2]: Install it."
    assert remedy_text([hgx("h1")]) == ""


def _from(*sources: Source) -> HardwareGraph:
    whole = graph([node(f"n{i}", "gpu:l4:1") for i in range(len(sources))])
    return replace(
        whole,
        nodes=tuple(
            replace(
                one, gpus=tuple(replace(g, facts=replace(g.facts, source=source)) for g in one.gpus)
            )
            for one, source in zip(whole.nodes, sources, strict=True)
        ),
    )


def test_a_table_says_where_its_memory_is_from() -> None:
    probed, table, site = Source.PROBE, Source.TABLE, Source.SITE
    assert "no node has told its GPUs" in info_text(_from(table))
    assert "no node has told its GPUs" in info_text(_from(site, table))
    assert "built-in" not in info_text(_from(probed, probed))
    assert "no node of that kind has told its GPUs" in info_text(_from(probed, table))
    assert "* from the site's config" in info_text(_from(probed, site))
