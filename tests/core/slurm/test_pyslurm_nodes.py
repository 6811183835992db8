"""Nodes as pyslurm 22.5.3 gave them, in both of its interfaces, beside scontrol's of the same second."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cfslurm.core.slurm.command import Command, Completed
from cfslurm.core.slurm.pyslurm_nodes import read_answer, read_gres_rows, read_nodes
from cfslurm.core.slurm.records import NodeRecord
from cfslurm.core.slurm.scontrol_nodes import read_nodes as read_text
from cfslurm.errors import SlurmOutputError


def _done(path: Path) -> Completed:
    command = Command(argv=("python", "-m", "pyslurm"))
    return Completed(command=command, returncode=0, stdout=path.read_text(), stderr="")


def _untracked(record: NodeRecord) -> NodeRecord:
    """Without AllocTRES, which only later versions of pyslurm tell."""
    return replace(record, alloc_tres={})


@pytest.mark.parametrize("interface", ["get", "load"])
def test_both_interfaces_say_what_scontrol_says(corpus: Path, interface: str) -> None:
    folder = corpus / "slurm-22.05" / "pyslurm"
    gres = read_gres_rows(_done(folder / "gres.txt"))
    nodes = read_nodes(read_answer(_done(folder / f"{interface}.json")), gres)
    text = read_text(_done(folder / "nodes.txt"))
    assert [_untracked(node) for node in nodes] == [_untracked(node) for node in text]
    assert [node.state for node in nodes] == ["MIXED", "MIXED", "IDLE", "IDLE"]


def test_node_that_sinfo_does_not_know_is_refused(corpus: Path) -> None:
    answer = read_answer(_done(corpus / "slurm-22.05" / "pyslurm" / "load.json"))
    with pytest.raises(SlurmOutputError, match=r"nodes\[0\] \(a1\): name is 'a1', not a node that"):
        read_nodes(answer, {})


def test_tres_of_later_versions_are_taken(corpus: Path) -> None:
    folder = corpus / "slurm-22.05" / "pyslurm"
    answer = read_answer(_done(folder / "load.json"))
    tracked = {**answer[0].fields, "allocated_tres": {"cpu": "2", "gres/gpu": "2", "mem": "100M"}}
    nodes = read_nodes(
        (replace(answer[0], fields=tracked),), read_gres_rows(_done(folder / "gres.txt"))
    )
    assert nodes[0].alloc_tres == {"cpu": 2, "gres/gpu": 2}
