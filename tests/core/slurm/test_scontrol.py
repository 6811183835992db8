"""Readers of scontrol against real outputs of four Slurm versions; expectations are hand-written."""

from __future__ import annotations

from pathlib import Path

import pytest

from cfslurm.core.slurm.command import Command, Completed
from cfslurm.core.slurm.scontrol import read_config
from cfslurm.core.slurm.scontrol_nodes import read_nodes
from cfslurm.core.slurm.scontrol_partitions import read_partitions
from cfslurm.core.slurm.scontrol_topology import read_topology
from cfslurm.errors import SlurmOutputError, SlurmRejectedError, SlurmUnavailableError

VERSIONS = ["22.05", "24.11", "25.11", "26.05"]


def _done(text: str, *, code: int = 0, error: str = "") -> Completed:
    """An answer, with the line break at its end that every answer of scontrol has."""
    return Completed(
        command=Command(argv=("scontrol", "-o", "show", "nodes")),
        returncode=code,
        stdout=text if not text or text.endswith("\n") else f"{text}\n",
        stderr=error,
    )


def _one_line(path: Path) -> str:
    """The -o form of a record-per-paragraph output: scontrol joins the lines with blanks."""
    records = path.read_text().strip().split("\n\n")
    return "\n".join(" ".join(line.strip() for line in record.splitlines()) for record in records)


@pytest.mark.parametrize("version", VERSIONS)
def test_nodes_of_every_version(corpus: Path, version: str) -> None:
    nodes = read_nodes(_done(_one_line(corpus / f"slurm-{version}" / "nodes_plain.txt")))
    assert [node.name for node in nodes] == ["n1", "n2", "n3", "n4", "n5"]
    first, fourth = nodes[0], nodes[3]
    assert (first.state, first.state_flags) == ("MIXED", ())
    assert first.features == ("a100", "vram80", "nvlink")
    assert [(g.type, g.count) for g in first.gres] == [("a100", 4)]
    assert (first.cpus, first.cpus_allocated, first.real_memory_mib) == (64, 8, 512_000)
    assert (first.memory_allocated_mib, first.weight, first.sockets) == (16_384, 50, 64)
    assert (first.cpus_usable, first.tmp_disk_mib, first.available_features) == (
        64,
        0,
        first.features,
    )
    assert first.alloc_tres == {"cpu": 8, "mem": 16_384, "gres/gpu": 2, "gres/gpu:a100": 2}
    assert first.partitions == ("gpu",)
    assert first.address == "127.0.0.1"
    assert first.slurm_version.startswith(version)
    assert [(g.type, g.count) for g in fourth.gres] == [("v100", 2), ("t4", 2)]
    assert fourth.partitions == ("gpu", "short")


@pytest.mark.parametrize("version", VERSIONS)
def test_partitions_of_every_version(corpus: Path, version: str) -> None:
    partitions = read_partitions(
        _done(_one_line(corpus / f"slurm-{version}" / "partitions_plain.txt"))
    )
    gpu, short = (next(p for p in partitions if p.name == name) for name in ("gpu", "short"))
    assert (gpu.is_default, gpu.max_time_s, gpu.preempt_mode, gpu.state) == (
        True,
        None,
        "OFF",
        "UP",
    )
    assert gpu.node_names == ("n1", "n2", "n3", "n4", "n5")
    assert (short.is_default, short.max_time_s) == (False, 3600)
    assert (gpu.allow_accounts, gpu.max_nodes, gpu.priority_tier) == ((), None, 1)


@pytest.mark.parametrize("version", VERSIONS)
def test_topology_of_every_version(corpus: Path, version: str) -> None:
    (topology,) = read_topology(
        _done((corpus / f"slurm-{version}" / "topology_plain.txt").read_text())
    )
    assert (topology.name, topology.kind, topology.is_default) == ("default", "tree", True)
    switches = topology.switches
    assert [(s.name, s.level) for s in switches] == [("leaf1", 0), ("leaf2", 0), ("spine", 1)]
    assert switches[1].node_names == ("n3", "n4", "n5")
    assert switches[2].switches == ("leaf1", "leaf2")


@pytest.mark.parametrize("version", VERSIONS)
def test_config_of_every_version(corpus: Path, version: str) -> None:
    settings = read_config(_done((corpus / f"slurm-{version}" / "config_plain.txt").read_text()))
    assert settings["MaxArraySize"] == "10001"
    assert settings["SchedulerType"] == "sched/backfill"
    assert settings["SLURM_VERSION"].startswith(version)
    assert settings["KillWait"] == "3 sec"


def test_no_topology_is_an_empty_answer() -> None:
    assert read_topology(_done("", code=1)) == ()


def test_comment_cannot_pretend_to_be_a_field() -> None:
    text = (
        "NodeName=n1 CPUTot=4 CPUAlloc=0 Gres=(null) RealMemory=10 Sockets=1 State=DOWN+DRAIN "
        "Comment=ok State=IDLE CPUTot=999 Reason=disk gone [root@2026-11-20T10:00:00]"
    )
    (node,) = read_nodes(_done(text))
    assert (node.state, node.state_flags, node.cpus) == ("DOWN", ("DRAIN",), 4)
    assert (node.reason, node.reason_user, node.reason_time) == ("disk gone", "root", None)


@pytest.mark.parametrize(
    ("state", "base", "flags"),
    [
        ("IDLE", "IDLE", ()),
        ("IDLE*", "IDLE", ("NOT_RESPONDING",)),
        ("DOWN*+DRAIN", "DOWN", ("DRAIN", "NOT_RESPONDING")),
        ("MIXED+PLANNED", "MIXED", ("PLANNED",)),
        ("IDLE~", "IDLE", ("POWERED_DOWN",)),
    ],
)
def test_state_marks(state: str, base: str, flags: tuple[str, ...]) -> None:
    text = f"NodeName=n1 CPUTot=4 CPUAlloc=0 Gres=(null) RealMemory=10 Sockets=1 State={state}"
    (node,) = read_nodes(_done(text))
    assert (node.state, node.state_flags) == (base, flags)


@pytest.mark.parametrize(
    "text",
    [
        "NodeName=n1 CPUTot=4",
        "slurm_load_nodes error",
        "NodeName=n1 CPUTot=vier CPUAlloc=0 Gres=(null) RealMemory=10 Sockets=1 State=IDLE",
        "",
    ],
)
def test_output_that_cannot_be_read_says_so(text: str) -> None:
    with pytest.raises(SlurmOutputError):
        read_nodes(_done(text))


def test_silence_is_told_from_refusal() -> None:
    with pytest.raises(SlurmUnavailableError, match="could not reach Slurm"):
        read_nodes(
            _done("", code=1, error="slurm_load_node error: Unable to contact slurm controller")
        )
    with pytest.raises(SlurmRejectedError, match="exited 1: no such option"):
        read_nodes(_done("", code=1, error="no such option"))
