"""`cfslurm site render` and real slurmd: what is written is what Slurm understands, there and back again."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cfslurm.adapters.clock import SystemClock
from cfslurm.adapters.environment import read_environment
from cfslurm.adapters.site_folder import read_rendered
from cfslurm.adapters.site_templates import site_templates
from cfslurm.core.render.graph_lines import graph_lines
from cfslurm.core.render.node_lines import BlockLines, ClusterLines
from cfslurm.core.render.site_files import SiteSettings, render_site
from cfslurm.core.render.slurm_conf import profile_of_files
from cfslurm.sandbox.programs import find_programs, slurm_version
from cfslurm.sandbox.up import Request, up
from tests.pictured import hgx
from tests.slurm.conftest import Slurm, start, stop


@pytest.fixture(scope="module")
def kinds(slurm_programs: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    """One node of every kind that Slurm can have."""
    folder = tmp_path_factory.mktemp("k") / "kinds"
    try:
        yield start(folder, profile="kinds")
    finally:
        stop(folder)


@pytest.fixture(scope="module")
def rendered(kinds: Slurm, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that `site render` writes from a harvest of it."""
    folder = tmp_path_factory.mktemp("r")
    _cfslurm(kinds, "harvest", "-o", str(folder / "hardware.json"))
    _cfslurm(
        kinds, "site", "render", "--hardware", str(folder / "hardware.json"),
        "-o", str(folder / "files"),
    )  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def again(rendered: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    """A Slurm made of these files."""
    folder = tmp_path_factory.mktemp("a") / "again"
    files = read_rendered(rendered / "files")
    request = Request(
        name="again", folder=folder, profile=profile_of_files(files, "rendered"), files=files
    )
    try:
        done = up(request, environment=read_environment(), clock=SystemClock(), tell=lambda _: None)
        yield Slurm(state=done.state, env={**_plain(), **done.state.variables})
    finally:
        stop(folder)


def _plain() -> dict[str, str]:
    from cfslurm.adapters.process import client_environment

    return {
        name: value
        for name, value in client_environment({}).items()
        if not name.startswith(("SLURM_", "CFSLURM_", "HF_", "XDG_"))
    }


def _cfslurm(slurm: Slurm, *words: str) -> str:
    # Without the sandbox' site file: its GPUs are then what their types and features say, as anywhere.
    command = (str(Path(sys.executable).parent / "cfslurm"), *words)
    done = slurm.run(*command, extra={"CFSLURM_SITE": "", "HOME": str(slurm.path / "runs")})
    assert done.returncode == 0, done.stderr
    return done.stdout


def _classes(slurm: Slurm) -> dict[str, Any]:
    topo = json.loads(_cfslurm(slurm, "topo", "--json"))
    keep = ("gpu_type", "gpu_count", "cpus", "real_memory_mib", "partitions", "node_names")
    return {one["name"]: {key: one[key] for key in keep} for one in topo["classes"]}


def _nodes(slurm: Slurm) -> dict[str, Any]:
    nodes = json.loads(_cfslurm(slurm, "harvest"))["nodes"]
    return {
        node["name"]: (
            [(g["gpu_type"], g["count"], g["sockets"], g["facts"]["key"]) for g in node["gpus"]],
            [(g["name"], g["type"], g["count"]) for g in node["gres"]],
            (node["sockets"], node["cores_per_socket"], node["threads_per_core"], node["weight"]),
        )
        for node in nodes
    }


def _slurmd(slurm: Slurm, node: str) -> list[str]:
    done = slurm.run("/usr/sbin/slurmd", "-N", node, "-G")
    return [line for line in (done.stdout + done.stderr).splitlines() if "Gres Name=" in line]


def test_a_slurm_of_rendered_files_has_the_same_classes(kinds: Slurm, again: Slurm) -> None:
    before, after = _classes(kinds), _classes(again)
    assert len(before) >= 7
    assert after == before


def test_a_slurm_of_rendered_files_has_the_same_gres_and_cores(kinds: Slurm, again: Slurm) -> None:
    assert _nodes(again) == _nodes(kinds)


def test_features_for_late_binding_are_added_and_none_is_lost(kinds: Slurm, again: Slurm) -> None:
    def features(slurm: Slurm) -> Mapping[str, set[str]]:
        nodes = json.loads(_cfslurm(slurm, "harvest"))["nodes"]
        return {node["name"]: set(node["features"]) for node in nodes}

    before, after = features(kinds), features(again)
    assert all(before[name] <= after[name] for name in before)
    assert after["plain-1"] - before["plain-1"] == {"ampere"}


@pytest.mark.parametrize("made_of", ["profile", "files"])
def test_slurmd_understands_every_kind(made_of: str, kinds: Slurm, again: Slurm) -> None:
    slurm = kinds if made_of == "profile" else again
    mig = _slurmd(slurm, "mig-1")
    small = " ".join(line for line in mig if "Type=1g.10gb " in line)
    assert len(set(re.findall(r"nvidia-cap\d+", small))) == 14  # two for each of seven instances
    whole = [line for line in mig if "Type=a100_80 " in line]
    assert len(whole) == 2
    assert all("Cores=0-31 " in line for line in whole)
    amd = "\n".join(_slurmd(slurm, "amd-1"))
    assert amd.count("Type=mi300x") == 8
    assert "/dev/dri/renderD135" in amd
    shards = [line for line in _slurmd(slurm, "shard-1") if "Name=shard" in line]
    assert len(shards) == 4
    assert all("Count=8" in line for line in shards)
    assert "Type=(null)" in "\n".join(_slurmd(slurm, "plain-1"))


def test_described_links_reach_slurmd(kinds: Slurm) -> None:
    lines = _slurmd(kinds, "hgx-1")
    assert any("Links=-1,18,18,18,18,18,18,18" in line for line in lines)
    assert len([line for line in lines if "Cores=0-55" in line]) == 4


@pytest.mark.parametrize(
    ("ask", "variable", "seen"),
    [
        ("gpu:1g.10gb:1", "SLURM_GPUS_ON_NODE", "1"),
        ("gpu:mi300x:2", "ROCR_VISIBLE_DEVICES", "0,1"),
        ("shard:4", "CUDA_VISIBLE_DEVICES", "0"),
    ],
)
def test_jobs_get_every_kind(again: Slurm, ask: str, variable: str, seen: str) -> None:
    done = again.run("srun", "--mem=10", f"--gres={ask}", "printenv", variable)
    assert (done.returncode, done.stdout.strip()) == (0, seen), done.stderr


def test_a_job_on_amd_sees_no_cuda_devices(again: Slurm) -> None:
    done = again.run("srun", "--mem=10", "--gres=gpu:mi300x:1", "printenv", "CUDA_VISIBLE_DEVICES")
    assert done.returncode == 1


def _slurm_of(folder: Path, lines: ClusterLines) -> Slurm:
    """A Slurm of lines that no cluster has told."""
    _, version = slurm_version(find_programs(accounting=False))
    settings = SiteSettings(slurm_version=version, by="a test")
    files = render_site(lines, settings, site_templates())
    profile = profile_of_files(files, "rendered")
    request = Request(name=folder.name, folder=folder, profile=profile, files=files)
    done = up(request, environment=read_environment(), clock=SystemClock(), tell=lambda _: None)
    return Slurm(state=done.state, env={**_plain(), **done.state.variables})


def test_probed_cores_and_links_reach_slurmd(slurm_programs: None, tmp_path: Path) -> None:
    folder = tmp_path / "probed"
    try:
        slurm = _slurm_of(folder, graph_lines(hgx(2)))
        lines = _slurmd(slurm, "hgx-02")
    finally:
        stop(folder)
    assert len(lines) == 8
    assert sum("Cores=56-111 " in line for line in lines) == 4
    assert "Links=18,-1,18,18,18,18,18,18" in lines[1]


def test_blocks_reach_slurmctld(slurm_programs: None, tmp_path: Path) -> None:
    _, version = slurm_version(find_programs(accounting=False))
    if version < (23, 11):
        pytest.skip("blocks are known from Slurm 23.11 on")
    folder = tmp_path / "blocks"
    blocks = (
        BlockLines(name="b1", node_names=("hgx-01", "hgx-02")),
        BlockLines(name="b2", node_names=("hgx-03", "hgx-04")),
    )
    lines = replace(graph_lines(hgx(4)), switches=(), blocks=blocks, block_sizes=(2, 4))
    try:
        seen = _slurm_of(folder, lines).run("scontrol", "show", "topology").stdout
    finally:
        stop(folder)
    assert "BlockName=b1 BlockIndex=0 Nodes=hgx-[01-02] BlockSize=2" in seen
    assert "BlockName=b2" in seen


def test_files_that_differ_are_not_replaced_unasked(kinds: Slurm, rendered: Path) -> None:
    command = (str(Path(sys.executable).parent / "cfslurm"), "site", "render")
    target = rendered / "own"
    target.mkdir()
    (target / "gres.conf").write_text("# mine\n")
    words = (*command, "--hardware", str(rendered / "hardware.json"), "-o", str(target))
    refused = kinds.run(*words)
    assert refused.returncode == 2
    assert "gres.conf in" in refused.stderr
    assert [path.name for path in target.iterdir()] == ["gres.conf"]
    tried = kinds.run(*words, "--dry-run")
    assert tried.returncode == 0
    assert "gres.conf: differs" in tried.stderr
    assert [path.name for path in target.iterdir()] == ["gres.conf"]
    assert kinds.run(*words, "--force").returncode == 0
    assert (target / "nodes.conf").is_file()
    assert "# mine" not in (target / "gres.conf").read_text()
