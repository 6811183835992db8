"""Nodes tell what they have, through real jobs; their GPUs are those of a description file."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.fakenvml import build, profile
from tests.slurm.user import User


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("nvml"))


@pytest.fixture
def machines(tmp_path: Path) -> Path:
    """What the driver of each node says: a100-1 has cards of 40 GB, whatever Slurm calls them."""
    folder = tmp_path / "machines"
    folder.mkdir()
    hgx, box = profile("hgx-h100").read_text(), profile("rtx4090").read_text()
    (folder / "a100-1.txt").write_text(
        hgx + "gpus = 4\ngpu.*.name = NVIDIA A100-SXM4-40GB\ngpu.*.memory_mib = 40960\n"
        "gpu.*.compute_capability = 8.0\ngpu.*.nvlinks = 12\n"
    )
    (folder / "rtx4090-1.txt").write_text(
        box
        + "gpus = 8\n"
        + "".join(f"gpu.{i}.bus_id = 00000000:0{i + 1}:00.0\n" for i in range(4, 8))
    )
    (folder / "ada-1.txt").write_text(
        box + "gpus = 2\ngpu.*.name = NVIDIA RTX 6000 Ada Generation\ngpu.*.memory_mib = 46068\n"
    )
    (folder / "ada-2.txt").write_text((folder / "ada-1.txt").read_text())
    return folder


@pytest.fixture
def probe(user: User, library: Path, machines: Path) -> Callable[..., Any]:
    """Type ``cfslurm harvest --probe`` with words of one's own; the site lets FAKENVML through."""
    site = user.folder / "site.yaml"
    site.write_text("schema: cfslurm.site/1\nsubmit: {export: [FAKENVML]}\n")

    def run(*words: str, **variables: str) -> Any:
        given = {"CFSLURM_SITE": str(site), "FAKENVML": str(machines), **variables}
        return user.cfslurm("harvest", *words, LD_LIBRARY_PATH=str(library), **given)

    return run


def _probes(user: User) -> Path:
    return user.runs / f".probes-{os.getuid()}"


def _nodes(text: str) -> dict[str, dict[str, Any]]:
    return {node["name"]: node for node in json.loads(text)["nodes"]}


def test_one_node_of_each_class_answers_for_it(user: User, probe: Callable[..., Any]) -> None:
    before = _nodes(probe().stdout)
    assert before["a100-1"]["gpus"][0]["facts"]["memory_mib"] == 81_920
    done = probe("--probe", "-o", "hardware.json")
    assert done.returncode == 0, done.stderr
    assert "a100-1 (a100_80-x4): asks for 4 of 4 GPUs" in done.stderr
    assert "4 x NVIDIA A100-SXM4-40GB (40960 MiB), 12 NVLinks, driver 550.90.07" in done.stderr
    nodes = _nodes((user.folder / "hardware.json").read_text())
    a100 = nodes["a100-1"]
    assert (a100["probe"]["gpus_asked"], len(a100["probe"]["gpu"]["links"])) == (4, 6)
    facts = {name: node["gpus"][0]["facts"] for name, node in nodes.items() if node["gpus"]}
    assert {
        name: (one["key"], one["memory_mib"], one["source"]) for name, one in facts.items()
    } == {
        "a100-1": ("a100_40", 40_960, "probe"),
        "rtx4090-1": ("rtx4090", 24_564, "probe"),
        "ada-1": ("rtx6000ada", 46_068, "probe"),
        "ada-2": ("rtx6000ada", 46_068, "probe"),
    }
    assert (facts["ada-2"]["note"], nodes["ada-2"]["probe"]) == ("probed on ada-1", None)
    assert nodes["cpu-1"]["probe"]["gpus_asked"] == 0
    # Nothing of it is left but the answers, which later calls take from the cache.
    assert user.jobs() == []
    assert list(_probes(user).iterdir()) == []
    later = json.loads(probe().stdout)
    assert _nodes(json.dumps(later))["a100-1"]["gpus"][0]["facts"]["memory_mib"] == 40_960
    assert [warning for warning in later["warnings"] if "a100-1" in warning] == [
        "a100-1: GPU type 'a100_80' is a100_80 by its name, but A100 SXM4 40GB by its driver, and that counts"
    ]


def test_all_nodes_a_few_at_once(user: User, probe: Callable[..., Any], library: Path) -> None:
    command = [
        sys.executable, "-I", "-m", "cfslurm.cli", "harvest", "--probe", "--all-nodes", "--at-once", "2",
        "--gpus", "one", "-o", "all.json",
    ]  # fmt: skip
    env = {**user.slurm.env, "CFSLURM_RUNS": str(user.runs), **user.variables}
    most = 0
    with subprocess.Popen(command, env=env, cwd=user.folder, stderr=subprocess.DEVNULL) as client:
        while client.poll() is None:
            most = max(most, len(user.jobs()))
            time.sleep(0.02)
    assert client.returncode == 0
    nodes = _nodes((user.folder / "all.json").read_text())
    assert {name: node["probe"]["gpus_asked"] for name, node in nodes.items()} == {
        "a100-1": 1, "rtx4090-1": 1, "ada-1": 1, "ada-2": 1, "cpu-1": 0, "cpu-2": 0,
    }  # fmt: skip
    assert 1 <= most <= 2


def test_a_busy_node_is_told_with_slurms_reason(user: User, probe: Callable[..., Any]) -> None:
    busy = user.slurm.submit("--gres=gpu:a100_80:2", "--nodelist=a100-1", script="sleep 120")
    user.eventually(lambda: user.slurm.job_state(busy) == "RUNNING")
    shown = probe("--probe", "--dry-run")
    assert "a100-1 (a100_80-x4): asks for 2 of 4 GPUs" in shown.stderr
    assert "#SBATCH --gres=gpu:a100_80:2" in shown.stdout
    assert "links to others stay unknown" in shown.stderr
    done = probe("--probe", "--gpus", "all", "--timeout", "6s", "-o", "hardware.json")
    assert done.returncode == 0, done.stderr
    said = (
        "no answer within 6.0s; of its job Slurm says: it is next, and waits until enough of what"
    )
    assert f"a100-1: {said} it asks for is free (Resources)" in done.stderr
    assert "try: Wait longer (--timeout)" in done.stderr
    nodes = _nodes((user.folder / "hardware.json").read_text())
    assert nodes["a100-1"]["probe"] is None
    assert nodes["rtx4090-1"]["probe"] is not None
    assert [name for name in user.jobs() if name.startswith("probe-")] == []


def test_rubbish_and_silence_are_told_node_by_node(
    user: User, probe: Callable[..., Any], tmp_path: Path
) -> None:
    python = tmp_path / "python"
    python.write_text(
        "#!/bin/bash\n"
        'case "$SLURMD_NODENAME" in\n'
        '  a100-1) echo "{\\"schema\\": \\"cfslurm.probe/1\\"}" > "${@: -1}" ;;\n'
        '  rtx4090-1) head -c 9000000 /dev/zero > "${@: -1}" ;;\n'
        '  cpu-1) echo "no such interpreter" >&2; exit 3 ;;\n'
        f'  *) exec {sys.executable} "$@" ;;\n'
        "esac\n"
    )
    python.chmod(0o755)
    site = user.folder / "odd.yaml"
    site.write_text(
        f"schema: cfslurm.site/1\nsubmit: {{export: [FAKENVML], node_python: '{python}'}}\n"
    )
    done = probe("--probe", "-o", "hardware.json", CFSLURM_SITE=str(site))
    assert done.returncode == 0, done.stderr
    assert "the answer of a100-1 cannot be used: gpu: the key 'gpu' is missing" in done.stderr
    assert "rtx4090-1.json is no file of a sane size" in done.stderr
    assert (
        "ended as FAILED (NonZeroExitCode) without an answer; it printed: no such interpreter"
        in done.stderr
    )
    nodes = _nodes((user.folder / "hardware.json").read_text())
    assert {name for name, node in nodes.items() if node["probe"]} == {"ada-1"}


def test_a_node_that_slurm_refuses_costs_the_others_nothing(
    user: User, probe: Callable[..., Any], tmp_path: Path
) -> None:
    real = shutil.which("sbatch", path=user.slurm.env["PATH"])
    (tmp_path / "bin").mkdir()
    wrapper = tmp_path / "bin" / "sbatch"
    wrapper.write_text(
        "#!/bin/bash\nscript=$(cat)\n"
        'if [[ $script == *--nodelist=cpu-1* ]]; then echo "sbatch: error: Batch job submission failed: '
        'Invalid account or account/partition combination specified" >&2; exit 1; fi\n'
        f'exec {real} "$@" <<<"$script"\n'
    )
    wrapper.chmod(0o755)
    path = f"{tmp_path / 'bin'}:{user.variables['PATH']}"
    done = probe("--probe", "-o", "hardware.json", PATH=path)
    assert done.returncode == 0, done.stderr
    assert "cpu-1: Slurm refused job 1 of 1 (cpu-1): Batch job submission failed" in done.stderr
    assert "try: Name another partition or account: --partition, --account." in done.stderr
    nodes = _nodes((user.folder / "hardware.json").read_text())
    assert {name for name, node in nodes.items() if node["probe"]} == {
        "a100-1",
        "ada-1",
        "rtx4090-1",
    }
    done = probe("--probe", "--partition", "cpu", PATH=path)
    assert done.returncode == 69, done.stderr
    assert "x4: not asked, a100-1 is in no partition" in done.stderr
    assert "error: no node has answered" in done.stderr


def test_mistakes_on_the_command_line(user: User, probe: Callable[..., Any]) -> None:
    done = probe("--probe", "--partition", "cpu", "--account", "no such one")
    assert done.returncode == 2
    assert "cannot be written into an #SBATCH line" in done.stderr
    done = probe("--probe", "--partition", "night")
    assert (done.returncode, "no partition 'night'" in done.stderr) == (2, True)
    done = probe("--gpus", "all")
    assert (done.returncode, "--gpus belongs to --probe" in done.stderr) == (2, True)


def test_a_slurmctld_that_is_silent_for_a_while_costs_nothing(
    user: User, probe: Callable[..., Any], tmp_path: Path
) -> None:
    real = shutil.which("squeue", path=user.slurm.env["PATH"])
    (tmp_path / "bin").mkdir()
    wrapper, calls = tmp_path / "bin" / "squeue", tmp_path / "calls"
    calls.touch()
    # From the moment on at which the jobs are released, up to two calls are not answered.
    wrapper.write_text(
        "#!/bin/bash\n"
        f"if grep -qs released {_probes(user)}/*/*/ledger/*.jsonl && (( $(wc -l < {calls}) < 2 )); then\n"
        f'  echo >> {calls}; echo "slurm_load_jobs error: Unable to contact slurm controller '
        '(connect failure)" >&2; exit 1\nfi\n'
        f'exec {real} "$@"\n'
    )
    wrapper.chmod(0o755)
    done = probe(
        "--probe", "-o", "hardware.json", PATH=f"{wrapper.parent}:{user.variables['PATH']}"
    )
    assert done.returncode == 0, done.stderr
    nodes = _nodes((user.folder / "hardware.json").read_text())
    assert {name for name, node in nodes.items() if node["probe"]} == {
        "a100-1", "ada-1", "cpu-1", "rtx4090-1",
    }  # fmt: skip
    assert calls.read_text(), "no call went unanswered"  # one, where the nodes were quick


def test_ctrl_c_leaves_nothing_in_the_queue(user: User, probe: Callable[..., Any]) -> None:
    busy = user.slurm.submit("--gres=gpu:a100_80:4", "--nodelist=a100-1", script="sleep 120")
    user.eventually(lambda: user.slurm.job_state(busy) == "RUNNING")
    command = [sys.executable, "-I", "-m", "cfslurm.cli", "harvest", "--probe", "--gpus", "all"]
    env = {**user.slurm.env, "CFSLURM_RUNS": str(user.runs), **user.variables}
    with subprocess.Popen(
        command, env=env, cwd=user.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as client:
        user.eventually(lambda: any(name.endswith(".a100-1") for name in user.jobs()))
        client.send_signal(signal.SIGINT)
        assert client.wait(30) == 130
    assert [name for name in user.jobs() if name.startswith("probe-")] == []


def test_what_a_killed_client_left_is_ended_and_used(user: User, probe: Callable[..., Any]) -> None:
    busy = user.slurm.submit("--gres=gpu:a100_80:4", "--nodelist=a100-1", script="sleep 120")
    user.eventually(lambda: user.slurm.job_state(busy) == "RUNNING")
    command = [sys.executable, "-I", "-m", "cfslurm.cli", "harvest", "--probe", "--gpus", "all"]
    env = {**user.slurm.env, "CFSLURM_RUNS": str(user.runs), **user.variables}
    with subprocess.Popen(
        command, env=env, cwd=user.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as client:
        user.eventually(lambda: list(_probes(user).glob("probe-*/probe-*/answers/cpu-1.json")))
        user.eventually(
            lambda: (
                [name.split(".")[-1] for name in user.jobs() if name[:6] == "probe-"] == ["a100-1"]
            )
        )
        client.kill()
    done = probe("--probe", "--gpus", "all", "--timeout", "2s", "--partition", "gpu")
    assert "ending 1 job(s) of a probe that was cut off" in done.stderr
    assert [name for name in user.jobs() if name.startswith("probe-")] == []
    assert list(_probes(user).iterdir()) == []
    # cpu-1 is not in the partition "gpu": its answer is the one to the client that was killed.
    assert _nodes(probe().stdout)["cpu-1"]["probe"] is not None
