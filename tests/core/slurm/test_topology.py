"""Topologies as Slurm prints them; expectations by hand from the topology.conf and topology.yaml behind them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from cfslurm.core.documents import Json
from cfslurm.core.slurm.command import Command, Completed
from cfslurm.core.slurm.scontrol_topoconf import read_topoconf
from cfslurm.core.slurm.scontrol_topology import read_topology
from cfslurm.errors import SlurmOutputError, SlurmUnavailableError


def _done(text: str) -> Completed:
    command = Command(argv=("scontrol", "show", "topology"))
    return Completed(command=command, returncode=0, stdout=text, stderr="")


@pytest.mark.parametrize("version", ["24.11", "26.05"])
def test_blocks_and_what_is_aggregated_of_them(corpus: Path, version: str) -> None:
    (found,) = read_topology(
        _done((corpus / f"slurm-{version}" / "topology_block.txt").read_text())
    )
    assert (found.kind, found.switches) == ("block", ())
    assert [(b.name, b.node_names, b.size, b.blocks) for b in found.blocks] == [
        ("b1", ("a1", "g1"), 2, ()),
        ("b2", ("g2", "g3"), 2, ()),
        ("b[1-2]", ("a1", "g1", "g2", "g3"), 4, ("b1", "b2")),
    ]


def test_all_topologies_of_topology_yaml(corpus: Path) -> None:
    text = (corpus / "slurm-26.05" / "topoconf.txt").read_text()
    tree, block, flat = read_topoconf(yaml.safe_load(text))
    assert [(t.name, t.kind, t.is_default) for t in (tree, block, flat)] == [
        ("ttree", "tree", True),
        ("tblk", "block", False),
        ("tflat", "flat", False),
    ]
    assert [(b.name, b.node_names, b.size) for b in block.blocks] == [
        ("b1", ("a1", "g1"), 2),
        ("b2", ("g2", "g3"), 2),
    ]
    # The default one as `show topology` of the same Slurm prints it.
    (printed,) = read_topology(_done((corpus / "slurm-26.05" / "topology_yaml.txt").read_text()))
    assert tree.switches == printed.switches


def test_topology_conf_leaves_topoconf_without_content(corpus: Path) -> None:
    text = (corpus / "slurm-26.05" / "topoconf_none.txt").read_text()
    assert read_topoconf(yaml.safe_load(text)) == ()


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (None, "no list"),
        ([{"topology": "t"}], "entry 1 has no"),
        ([{"topology": "t", "cluster_default": True, "tree": {"leaves": []}}], "no list switches:"),
        (
            [{"topology": "t", "cluster_default": True, "tree": {"switches": [{"switch": "a", "children": "a"}]}}],
            "switch a is below itself",
        ),
    ],
)  # fmt: skip
def test_another_answer_is_refused(data: Json, what: str) -> None:
    with pytest.raises(SlurmOutputError, match=what):
        read_topoconf(data)


def test_silence_is_no_cluster_without_topology() -> None:
    silent = replace(
        _done(""), returncode=1, stderr="slurm_load_topo error: Unable to contact slurm controller"
    )
    with pytest.raises(SlurmUnavailableError):
        read_topology(silent)
    assert read_topology(replace(silent, stderr="")) == ()
