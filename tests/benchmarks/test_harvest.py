"""The benchmark runs and says what it should; how fast anything is, no test asserts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import big_cluster, world
from cfslurm.core.slurm.hostlist import expand
from cfslurm.errors import SetupError
from cfslurm.sandbox.programs import find_programs

_SETTINGS = "# a sandbox\nClusterName=sandbox\nSlurmctldPort=1\nMaxArraySize=1001\nNodeName=n1 CPUs=1\nInclude x\n"


def test_large_cluster_has_the_settings_of_the_sandbox_and_nodes_of_its_own(tmp_path: Path) -> None:
    texts = big_cluster.config_texts(_SETTINGS, tmp_path, 7, nodes=1000)
    lines = texts["slurm.conf"].splitlines()
    assert {"ClusterName=large", "SlurmctldPort=7", "MaxArraySize=1001"} <= set(lines)
    assert not {"NodeName=n1 CPUs=1", "Include x"} & set(lines)
    hostlists = [line.split()[0].removeprefix("NodeName=") for line in lines if "NodeName=" in line]
    names = {name for hostlist in hostlists for name in expand(hostlist)}
    assert len(names) == 1000
    leaves = [line for line in texts["topology.conf"].splitlines() if "Nodes=" in line]
    assert {n for line in leaves for n in expand(line.split("Nodes=")[1])} == names


@pytest.mark.slurm
@pytest.mark.timeout(300)
def test_quick_run_gives_every_figure_with_unit_and_aim(tmp_path: Path) -> None:
    try:
        find_programs(accounting=False)
    except SetupError as error:
        pytest.skip(error.message)
    path = tmp_path / "found.json"
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.harvest", "--quick", "--nodes", "400", "--json", str(path)],
        cwd=world.REPOSITORY, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode in (0, 1), done.stderr
    found = json.loads(path.read_text())
    aims = {name: (figure["aim"], figure["unit"]) for name, figure in found["figures"].items()}
    assert aims == {
        "calls_of_a_kind": (1, "calls"),
        "calls_ratio": (1.5, "x"),
        "whole_to_calls": (1.5, "x"),
        "whole_to_sinfo": (1.5, "x"),
        "parse_build": (1, "s"),
        "memory": (300, "MiB"),
        "classes": (0.1, "s"),
    }
    assert found["figures"]["calls_of_a_kind"]["value"] == 1
    calls, beside = found["tables"]
    assert {"scontrol -d -o show nodes", "scontrol show config"} <= {
        row["CALL"] for row in calls["rows"]
    }
    assert all(float(row["MEDIAN"]) >= 0 for row in beside["rows"])
    assert "REQUEST_NODE_INFO 1" in done.stdout
