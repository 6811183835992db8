"""Slurm's files for a site, compared whole; what this Slurm does not know; what AutoDetect would miss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from cfslurm.adapters.profile_file import read_profile
from cfslurm.adapters.resources import shipped_text
from cfslurm.adapters.site_templates import site_templates
from cfslurm.core.hardware.graph import HardwareGraph
from cfslurm.core.hardware.probe import NotKnown
from cfslurm.core.render.detection import with_autodetect
from cfslurm.core.render.graph_lines import graph_lines
from cfslurm.core.render.late_features import with_late_features
from cfslurm.core.render.node_lines import BlockLines, ClusterLines, GresDevice, Origin
from cfslurm.core.render.profile_lines import profile_lines
from cfslurm.core.render.site_files import SiteSettings, render_site
from cfslurm.core.slurm.records import Block, Topology
from cfslurm.errors import UserInputError
from tests.builders import CATALOGUE, graph, node
from tests.pictured import hgx, hostile
from tests.probes import mig, node_probe, probed_gpu

_GOLDEN_FOLDER = Path(__file__).parents[2] / "golden" / "gres"
_GOLDEN = {
    str(path.relative_to(_GOLDEN_FOLDER)): path.read_text() for path in _GOLDEN_FOLDER.glob("*/*")
}
_TEMPLATES = site_templates()
_KINDS = read_profile(shipped_text("gres_templates/profiles/kinds.yaml").encode(), "kinds.yaml")


def _kinds() -> ClusterLines:
    return with_late_features(profile_lines(_KINDS, CATALOGUE), CATALOGUE)


def _ambiguous() -> ClusterLines:
    """Types that Slurm or the table cannot settle, MIG under its driver's name, other GRES."""
    records = (
        node("amb-1", "gpu:a100:4(S:0)"),
        node("old-1", "gpu:zx81:1,nic:2"),
        node("mig-1", "gpu:a100_1g.10gb:14(S:0-1)"),
        node("four-1", "gpu:h100:4(S:0-1),shard:h100:16", features=("rack=7",)),
    )
    return with_late_features(graph_lines(graph(records)), CATALOGUE)


def _block() -> ClusterLines:
    made = hgx(4)
    blocks = (
        Block(name="b1", node_names=("hgx-01", "hgx-02"), size=2),
        Block(name="b2", node_names=("hgx-03", "hgx-04"), size=2),
        Block(name="b[1-2]", node_names=(), size=4, blocks=("b1", "b2")),
    )
    topology = Topology(name="default", kind="block", is_default=True, blocks=blocks)
    return with_late_features(graph_lines(replace(made, topologies=(topology,))), CATALOGUE)


_CASES: dict[str, tuple[Callable[[], ClusterLines], tuple[int, int]]] = {
    "kinds-22.05": (_kinds, (22, 5)),
    "kinds-26.05-autodetect": (lambda: with_autodetect(_kinds(), CATALOGUE), (26, 5)),
    "ambiguous-24.11": (_ambiguous, (24, 11)),
    "probed-24.11": (lambda: with_late_features(graph_lines(hgx()), CATALOGUE), (24, 11)),
    "block-24.11": (_block, (24, 11)),
    "block-26.05": (_block, (26, 5)),
}


def _rendered(case: str) -> dict[str, str]:
    make, version = _CASES[case]
    settings = SiteSettings(slurm_version=version, by="cfslurm site render")
    return render_site(make(), settings, _TEMPLATES)


@pytest.mark.parametrize("case", _CASES)
def test_files_are_the_golden_ones(case: str) -> None:
    expected = {
        name.partition("/")[2]: text
        for name, text in _GOLDEN.items()
        if name.partition("/")[0] == case
    }
    assert _rendered(case) == expected


def test_every_golden_folder_is_compared_with_something() -> None:
    assert {name.partition("/")[0] for name in _GOLDEN} == set(_CASES)


def test_a_gpu_that_can_be_several_adds_no_feature() -> None:
    line = next(
        text for text in _rendered("ambiguous-24.11")["nodes.conf"].splitlines() if "amb-1 " in text
    )
    assert "Feature=" not in line


def test_links_that_are_not_known_are_not_written() -> None:
    made = hgx(1)
    probe = made.nodes[0].probe
    assert probe is not None
    assert not isinstance(probe.gpu, NotKnown)
    first, *others = probe.gpu.links
    broken = replace(first, nvlinks=NotKnown(not_known="driver too old"))
    report = replace(probe.gpu, links=(broken, *others))
    nodes = (replace(made.nodes[0], probe=replace(probe, gpu=report)),)
    [lines] = graph_lines(replace(made, nodes=nodes)).nodes
    assert {device.links for device in lines.gpus[0].devices} == {""}
    assert {device.cores for device in lines.gpus[0].devices} == {"0-55", "56-111"}


def _split() -> HardwareGraph:
    """One whole GPU as /dev/nvidia5, one in seven as /dev/nvidia2, as the driver tells."""
    small = [mig(number, "1g.10gb", 9728) for number in range(7)]
    cards = [
        replace(probed_gpu(0), minor=5),
        replace(probed_gpu(1, mig=small), minor=2, cpus="32-63"),
    ]
    made = graph([node("m", "gpu:a100_80:1(S:0),gpu:1g.10gb:7(S:1)")])
    return replace(made, nodes=(replace(made.nodes[0], probe=node_probe("m", cards)),))


def test_files_of_mig_instances_are_those_that_the_driver_numbers() -> None:
    small, whole = graph_lines(_split()).nodes[0].gpus
    assert whole.devices == (GresDevice(files=("/dev/nvidia5",), cores="0-31"),)
    assert small.devices[0] == GresDevice(
        files=("/dev/nvidia2", "/dev/nvidia-caps/nvidia-cap336", "/dev/nvidia-caps/nvidia-cap337"),
        cores="32-63",
    )
    assert {gpus.origins["File"] for gpus in (small, whole)} == {Origin.PROBE}


def test_instances_that_are_not_as_many_as_slurms_stay_assumed() -> None:
    made = _split()
    fewer = graph([node("m", "gpu:a100_80:1(S:0),gpu:1g.10gb:6(S:1)")]).nodes[0]
    lines = graph_lines(replace(made, nodes=(replace(fewer, probe=made.nodes[0].probe),)))
    small, whole = lines.nodes[0].gpus
    assert (small.origins["File"], whole.origins["File"]) == (Origin.ASSUMED, Origin.PROBE)


def test_amd_cards_are_reached_through_the_render_nodes_that_they_name() -> None:
    made = graph([node("a", "gpu:mi300x:2(S:0-1)")])
    cards = [replace(probed_gpu(number), minor=136 - 8 * number) for number in range(2)]
    nodes = (replace(made.nodes[0], probe=node_probe("a", cards)),)
    [gpus] = graph_lines(replace(made, nodes=nodes)).nodes[0].gpus
    assert [device.files for device in gpus.devices] == [
        ("/dev/dri/renderD136",), ("/dev/dri/renderD128",),
    ]  # fmt: skip


def test_a_probe_that_saw_fewer_gpus_is_not_taken_for_all() -> None:
    made = hgx(1)
    fewer = graph([node("hgx-01", "gpu:h100:4")]).nodes[0]
    [lines] = graph_lines(replace(made, nodes=(replace(fewer, probe=made.nodes[0].probe),))).nodes
    assert {(device.cores, device.links) for device in lines.gpus[0].devices} == {("", "")}


def test_cores_within_a_socket_are_widened_to_it() -> None:
    """Slurm takes only whole sockets."""
    made = hgx(1)
    probe = made.nodes[0].probe
    assert probe is not None
    assert not isinstance(probe.gpu, NotKnown)
    gpus = tuple(replace(gpu, cpus="60-70,172-175") for gpu in probe.gpu.gpus)
    one = replace(
        made.nodes[0],
        cpus=224,
        threads_per_core=2,
        probe=replace(probe, gpu=replace(probe.gpu, gpus=gpus)),
    )
    [lines] = graph_lines(replace(made, nodes=(one,))).nodes
    assert {device.cores for device in lines.gpus[0].devices} == {"56-111"}


def test_one_probe_stands_for_all_nodes_like_it() -> None:
    made = hgx(10)
    others = (
        replace(
            one, probe=None, gpus=(replace(gpus, facts=replace(gpus.facts, note="of another")),)
        )
        for one in made.nodes[1:]
        for gpus in one.gpus
    )
    [lines] = graph_lines(replace(made, nodes=(made.nodes[0], *others))).nodes
    assert len(lines.names) == 10
    assert lines.gpus[0].devices[1].links == "18,-1,18,18,18,18,18,18"
    assert lines.gpus[0].why == "asked: hgx-01"


def test_equal_nodes_share_their_lines() -> None:
    assert [len(lines.names) for lines in graph_lines(hgx(10)).nodes] == [10]


def test_a_node_of_a_billion_gpus_is_refused() -> None:
    with pytest.raises(UserInputError, match=r"n has 1000000000 GPUs, and gres\.conf takes 1024"):
        graph_lines(graph([node("n", "gpu:l40s:1000000000")]))


def test_text_of_a_harvest_cannot_write_lines_of_its_own() -> None:
    settings = SiteSettings(slurm_version=(24, 11), by="x")
    with pytest.raises(UserInputError, match="cannot be written into Slurm's files"):
        render_site(graph_lines(hostile()), settings, _TEMPLATES)


@pytest.mark.parametrize(
    ("lines", "version", "message"),
    [
        (_kinds(), (20, 11), "Slurm 20.11 knows no MIG instances"),
        (
            graph_lines(graph([node("n", "gpu:l40s:2,shard:l40s:8")])),
            (21, 8),
            "Slurm 21.08 knows no shards",
        ),
        (
            replace(graph_lines(hgx(1)), blocks=(BlockLines(name="b", node_names=("n",)),)),
            (22, 5),
            "Slurm 22.05 knows no blocks",
        ),
    ],
)
def test_what_this_slurm_does_not_know_is_refused(
    lines: ClusterLines, version: tuple[int, int], message: str
) -> None:
    with pytest.raises(UserInputError, match=message):
        render_site(lines, SiteSettings(slurm_version=version, by="x"), _TEMPLATES)
