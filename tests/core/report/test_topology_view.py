"""What is drawn, before anybody draws it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cfslurm.core.hardware.graph import HardwareGraph
from cfslurm.core.hardware.probe import NotKnown
from cfslurm.core.report.gpu_links import links_of
from cfslurm.core.report.topology_view import Mark, NodeBox, NodeMark, folded, view
from cfslurm.core.slurm.records import Block, Topology
from cfslurm.errors import UserInputError
from tests.builders import graph, node
from tests.pictured import hgx, large, report


def _box(made: HardwareGraph, name: str) -> NodeBox:
    return next(one for one in view(made).nodes if one.name == name)


def test_used_gpus_are_those_that_slurm_names() -> None:
    made = graph([node("n", "gpu:a100_80:4", used="gpu:a100_80:2(IDX:1,3)")])
    marks = [(cell.mark, cell.is_numbered) for cell in _box(made, "n").cells]
    assert marks == [
        (Mark.FREE, True), (Mark.USED, True), (Mark.FREE, True), (Mark.USED, True),
    ]  # fmt: skip


def test_where_slurm_names_none_the_first_stand_for_them() -> None:
    made = graph([node("n", "gpu:a100_80:4", used="gpu:a100_80:1")])
    cells = _box(made, "n").cells
    assert [cell.mark for cell in cells] == [Mark.USED, Mark.FREE, Mark.FREE, Mark.FREE]
    assert not any(cell.is_numbered for cell in cells)


def test_shards_in_use_are_neither_free_nor_used() -> None:
    made = graph([node("n", "gpu:l40s:4", used="gpu:l40s:1(IDX:0)")])
    [only] = made.nodes
    shared = replace(only, gpus=(replace(only.gpus[0], used=3, shared=2),))
    marks = [cell.mark for cell in _box(replace(made, nodes=(shared,)), "n").cells]
    assert marks == [Mark.USED, Mark.SHARED, Mark.SHARED, Mark.FREE]


def test_with_several_types_nobody_knows_which_gpu_is_meant() -> None:
    """Slurm counts over all types, in the order of files that it does not tell."""
    made = graph([node("n", "gpu:rtx6000ada:2,gpu:t4:1", used="gpu:rtx6000ada:0,gpu:t4:1(IDX:2)")])
    cells = _box(made, "n").cells
    assert [(cell.gpu_type, cell.mark) for cell in cells] == [
        ("rtx6000ada", Mark.FREE), ("rtx6000ada", Mark.FREE), ("t4", Mark.USED),
    ]  # fmt: skip
    assert not any(cell.is_numbered for cell in cells)


def test_a_reserved_node_says_by_what() -> None:
    made = graph([node("n", "gpu:l40s:4")])
    reserved = replace(made, nodes=(replace(made.nodes[0], reservations=("maint",)),))
    box = _box(reserved, "n")
    assert (box.mark, box.reason) == (NodeMark.CLOSED, "reserved: maint")


def test_a_billion_gpus_are_told_and_not_drawn() -> None:
    box = _box(graph([node("n", "gpu:l40s:1000000000")]), "n")
    assert box.cells == ()
    assert box.what == "1000000000 x l40s 45 GiB (too many to draw)"


def test_gpus_of_a_drained_node_are_not_free() -> None:
    box = _box(hgx(), "hgx-05")
    assert {cell.mark for cell in box.cells} == {Mark.CLOSED}
    assert box.mark is NodeMark.CLOSED
    assert box.reason == "GPU 3: ECC errors"
    assert "0 of 8 GPUs free" in box.title


@pytest.mark.parametrize(
    ("name", "mark"),
    [("hgx-01", NodeMark.FULL), ("hgx-02", NodeMark.PART), ("hgx-03", NodeMark.FREE)],
)
def test_nodes_are_marked_by_what_jobs_could_get(name: str, mark: NodeMark) -> None:
    assert _box(hgx(), name).mark is mark


def test_every_node_is_drawn_once_and_counted() -> None:
    seen = view(large())
    assert len(seen.nodes) == 500
    assert seen.summary.startswith("500 nodes · ")


def test_a_node_a_switch_and_a_block_can_be_chosen() -> None:
    made = hgx()
    assert [one.name for one in view(made, only="hgx-03").nodes] == ["hgx-03"]
    assert len(view(made, only="leaf-2").nodes) == 5
    blocks = (Block(name="b1", node_names=("hgx-01", "hgx-02"), size=2),)
    topology = Topology(name="default", kind="block", is_default=True, blocks=blocks)
    blocked = replace(made, topologies=(topology,))
    assert [one.name for one in view(blocked, only="b1").nodes] == ["hgx-01", "hgx-02"]
    assert len(view(blocked).nodes) == 10


def test_a_name_that_is_not_there_is_answered_with_the_nearest() -> None:
    with pytest.raises(UserInputError, match="no node, switch or block 'leaf-9'") as caught:
        view(hgx(), only="leaf-9")
    assert "leaf-" in caught.value.remedy


def test_links_that_nobody_probed_are_said_to_be_not_known() -> None:
    box = _box(graph([node("n", "gpu:a100_80:4")]), "n")
    assert box.links is None
    assert box.links_text == "links not known (table: NVLink3 600 GB/s)"


def test_one_answer_stands_for_nodes_that_are_alike_and_says_whose_it_is() -> None:
    made = hgx(3)
    nodes = (made.nodes[0], *(replace(one, probe=None) for one in made.nodes[1:]))
    box = _box(replace(made, nodes=nodes), "hgx-03")
    assert box.links is not None
    assert box.links_text == "NV18 through NVSwitch (probed, as hgx-01 told)"


def test_only_nvlinks_pass_the_nvswitch() -> None:
    """A MIG GPU gives its NVLinks up."""
    made = hgx(1)
    probe = made.nodes[0].probe
    assert probe is not None
    assert not isinstance(probe.gpu, NotKnown)
    links = tuple(
        replace(link, nvlinks=0, through="none") if link.b == 7 else link
        for link in probe.gpu.links
    )
    one = replace(made.nodes[0], probe=replace(probe, gpu=replace(probe.gpu, links=links)))
    box = _box(replace(made, nodes=(one,)), "hgx-01")
    assert box.links_text == "NV18 through NVSwitch · NODE · SYS (probed)"


def test_the_matrix_is_that_of_nvidia_smi() -> None:
    probe = report("n", count=4, nvlinks=0, through="none", cpus=("0-3", "4-7"))
    links = links_of(probe)
    assert links is not None
    assert links.matrix == (
        ("GPU0", "X", "NODE", "SYS", "SYS", "0"),
        ("GPU1", "NODE", "X", "SYS", "SYS", "0"),
        ("GPU2", "SYS", "SYS", "X", "NODE", "1"),
        ("GPU3", "SYS", "SYS", "NODE", "X", "1"),
    )
    assert "SYS: the link between sockets" in links.legend


def test_a_pair_that_could_not_be_read_is_a_question_mark() -> None:
    probe = report("n", count=3, nvlinks=4, through="direct", cpus=("0", "1", "1"))
    assert not isinstance(probe.gpu, NotKnown)
    first, second, _ = probe.gpu.links
    broken = replace(first, nvlinks=NotKnown(not_known="x"), path=NotKnown(not_known="x"))
    links = links_of(replace(probe, gpu=replace(probe.gpu, links=(broken, second))))
    assert links is not None
    assert [pair.label for pair in links.pairs] == ["?", "NV4", "?"]


def test_nodes_that_look_alike_are_folded() -> None:
    rows = {names: first.mark for first, names in folded(view(hgx(), only="leaf-1").nodes)}
    assert rows == {
        ("hgx-01",): NodeMark.FULL,
        ("hgx-02",): NodeMark.PART,
        ("hgx-03", "hgx-04"): NodeMark.FREE,
        ("hgx-05",): NodeMark.CLOSED,
    }
