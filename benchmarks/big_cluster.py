"""A cluster as large as the largest: one real slurmctld with thousands of configured nodes, and no slurmd.

Settings and munged are those of a sandbox; nodes, partitions and switches are written here, since each node
of a sandbox is a daemon. Nodes are idle for slurmctld: it is told not to ask them (SlurmdTimeout=0).
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import world
from cfslurm.adapters.process import which
from cfslurm.core.slurm.hostlist import fold
from cfslurm.sandbox.ports import reserved

_LEAF_NODES = 40
_DRAINED = 50  # every so manieth node is drained, for a reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Equal nodes: ``share`` of the cluster's."""

    prefix: str
    share: float
    gres: str
    features: str
    cpus: int
    memory_mib: int

    def names(self, nodes: int) -> tuple[str, ...]:
        """The names of this group's nodes in a cluster of so many."""
        return tuple(f"{self.prefix}-{i:04}" for i in range(1, round(nodes * self.share) + 1))


GROUPS = (
    Group(prefix="h100", share=0.08, gres="gpu:h100:8", features="h100,vram80,nvlink",
          cpus=112, memory_mib=2_000_000),
    Group(prefix="a100", share=0.12, gres="gpu:a100_80:4", features="a100_80,vram80,nvlink",
          cpus=64, memory_mib=512_000),
    Group(prefix="mig", share=0.02, gres="gpu:1g.10gb:7,gpu:3g.40gb:2", features="a100_80,mig",
          cpus=64, memory_mib=512_000),
    Group(prefix="gaming", share=0.13, gres="gpu:rtx4090:8", features="rtx4090,vram24",
          cpus=64, memory_mib=256_000),
    Group(prefix="ada", share=0.15, gres="gpu:rtx6000ada:2", features="rtx6000ada,vram48",
          cpus=32, memory_mib=256_000),
    Group(prefix="thin", share=0.40, gres="", features="cpu,avx512", cpus=128, memory_mib=256_000),
    Group(prefix="fat", share=0.10, gres="", features="cpu,avx512,fat", cpus=128, memory_mib=4_000_000),
)  # fmt: skip
_PARTITIONS = {
    "gpu": (("h100", "a100", "gaming", "ada"), "MaxTime=2-00:00:00 PriorityTier=10 Default=YES"),
    "mig": (("mig",), "MaxTime=08:00:00 PriorityTier=10"),
    "cpu": (("thin", "fat"), "MaxTime=4-00:00:00 PriorityTier=5"),
    "preempt": (
        tuple(g.prefix for g in GROUPS),
        "MaxTime=7-00:00:00 PreemptMode=REQUEUE GraceTime=60",
    ),
}
_OWN = (
    "Include ", "NodeName=", "PartitionName=", "SlurmctldPort=", "StateSaveLocation=", "SlurmctldPidFile=",
    "SlurmctldLogFile=", "SlurmdTimeout=", "MessageTimeout=", "TopologyPlugin=", "ClusterName=",
)  # fmt: skip


def config_texts(settings: str, folder: Path, port: int, *, nodes: int) -> dict[str, str]:
    """slurm.conf and topology.conf of the large cluster; ``settings`` is a sandbox' slurm.conf."""
    kept = [
        line for line in settings.splitlines() if line.strip() and not line.startswith(("#", *_OWN))
    ]
    own = [
        "ClusterName=large", f"SlurmctldPort={port}", f"StateSaveLocation={folder}/state",
        f"SlurmctldPidFile={folder}/slurmctld.pid", f"SlurmctldLogFile={folder}/slurmctld.log",
        "SlurmdTimeout=0", "TopologyPlugin=topology/tree", "MessageTimeout=60",
    ]  # fmt: skip
    lines = [_node_line(group, nodes, port) for group in GROUPS]
    for name, (prefixes, options) in _PARTITIONS.items():
        members = [name for g in GROUPS if g.prefix in prefixes for name in g.names(nodes)]
        lines.append(f"PartitionName={name} Nodes={fold(members)} {options} State=UP")
    return {
        "slurm.conf": "\n".join([*own, *kept, *lines, ""]),
        "topology.conf": _topology(nodes),
    }


def _node_line(group: Group, nodes: int, port: int) -> str:
    words = [
        f"NodeName={fold(group.names(nodes))} NodeAddr=127.0.0.1 Port={port}", f"CPUs={group.cpus}",
        f"Sockets=2 CoresPerSocket={group.cpus // 2} ThreadsPerCore=1",
        f"RealMemory={group.memory_mib}", f"Feature={group.features}", "State=IDLE",
    ]  # fmt: skip
    return " ".join([*words, *([f"Gres={group.gres}"] if group.gres else [])])


def _topology(nodes: int) -> str:
    names = [name for group in GROUPS for name in group.names(nodes)]
    leaves = [names[i : i + _LEAF_NODES] for i in range(0, len(names), _LEAF_NODES)]
    lines = [f"SwitchName=leaf{i} Nodes={fold(leaf)}" for i, leaf in enumerate(leaves, 1)]
    return "\n".join([*lines, f"SwitchName=core Switches=leaf[1-{len(leaves)}]", ""])


@contextmanager
def large_cluster(folder: Path, env: Mapping[str, str], *, nodes: int) -> Iterator[dict[str, str]]:
    """Start it and yield the environment of its users; end it with everything that it needed.

    Raises:
        RuntimeError: slurmctld does not start.
    """
    sandbox = ("--dir", str(folder / "sandbox"))
    world.run(("cfslurm", "sandbox", "up", *sandbox, "--profile", "tiny"), env)
    try:
        with _slurmctld(folder / "sandbox", folder / "large", env, nodes=nodes) as large:
            drained = [n for g in GROUPS for n in g.names(nodes)[::_DRAINED]]
            words = (f"nodename={fold(drained)}", "state=drain", "reason=kernel upgrade, ticket 7")
            world.run(("scontrol", "update", *words), large)
            yield large
    finally:
        world.run(("cfslurm", "sandbox", "down", *sandbox), env)


@contextmanager
def _slurmctld(
    sandbox: Path, folder: Path, env: Mapping[str, str], *, nodes: int
) -> Iterator[dict[str, str]]:
    folder.mkdir()
    (folder / "state").mkdir(mode=0o700)
    program = which("slurmctld")
    if program is None:
        raise RuntimeError("slurmctld is not installed")
    large = {**env, "SLURM_CONF": str(folder / "slurm.conf")}
    with reserved(1) as (port,), (folder / "out").open("wb") as out:
        settings = (sandbox / "slurm.conf").read_text()
        for name, text in config_texts(settings, folder, port, nodes=nodes).items():
            (folder / name).write_text(text)
        for name in ("gres.conf", "cgroup.conf", "plugstack.conf"):
            (folder / name).write_text("")
        process = subprocess.Popen(
            (str(program), "-D"), env=large, cwd=folder, stdout=out, stderr=out
        )
    try:
        _wait(process, large, folder)
        yield large
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen[bytes], env: Mapping[str, str], folder: Path) -> None:
    deadline = time.monotonic() + 60
    while subprocess.run(
        ("sinfo", "--noheader"), env=dict(env), capture_output=True, check=False
    ).returncode:
        if process.poll() is not None or time.monotonic() > deadline:
            said = (folder / "out").read_text(errors="replace")[-2000:]
            raise RuntimeError(f"slurmctld of the large cluster does not start: {said}")
        time.sleep(0.1)
