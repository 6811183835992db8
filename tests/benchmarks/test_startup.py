"""The benchmark runs and says what it should; how fast anything is, no test asserts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import world
from cfslurm.errors import SetupError
from cfslurm.sandbox.programs import find_programs


@pytest.mark.slurm
@pytest.mark.timeout(300)
def test_quick_run_gives_every_figure_with_unit_and_aim(tmp_path: Path) -> None:
    try:
        find_programs(accounting=False)
    except SetupError as error:
        pytest.skip(error.message)
    path = tmp_path / "found.json"
    options = ("--quick", "--json", str(path), "--peers", str(tmp_path / "none"))
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.startup", *options],
        cwd=world.REPOSITORY, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode in (0, 1), done.stderr
    found = json.loads(path.read_text())
    aims = {name: (figure["aim"], figure["unit"]) for name, figure in found["figures"].items()}
    assert aims == {
        "help": (80, "ms"),
        "queue_beyond_slurm": (150, "ms"),
        "plan_demo": (1, "s"),
        "sandbox_up": (5, "s"),
    }
    for figure in found["figures"].values():
        assert figure["value"] > 0
        assert figure["holds"] == (figure["value"] <= figure["aim"])
    assert done.returncode == (not all(figure["holds"] for figure in found["figures"].values()))
    commands, starts = found["tables"]
    assert {row["COMMAND"] for row in commands["rows"]} >= {
        "python -c pass", "cfslurm --help", "cfslurm queue --json", "squeue, as queue calls it",
    }  # fmt: skip
    assert len(starts["rows"]) == 1
    assert "not installed, so not measured: submitit" in done.stdout
