"""The benchmark of the SPANK plugin runs and says what it should; how fast anything is, no test asserts."""

from __future__ import annotations

import json
import shutil
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
    if shutil.which("cc") is None or not Path("/usr/include/slurm/spank.h").exists():
        pytest.skip("no C compiler, or no headers of Slurm (libslurm-dev)")
    path = tmp_path / "found.json"
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.spank", "--quick", "--json", str(path)],
        cwd=world.REPOSITORY, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode in (0, 1), done.stderr
    found = json.loads(path.read_text())
    aims = {name: (figure["aim"], figure["unit"]) for name, figure in found["figures"].items()}
    assert aims == {
        "loaded_ms": (2, "ms"),
        "loaded_percent": (3, "%"),
        "chooses_ms": (2, "ms"),
        "chooses_percent": (3, "%"),
        "resident": (200, "KiB"),
        "chooses_resident": (200, "KiB"),
    }
    times, memory = found["tables"]
    names = [row["COMMAND"] for row in times["rows"]]
    assert len(names) == 5
    assert [row["COMMAND"] for row in memory["rows"]] == names
    assert float(memory["rows"][0]["RESIDENT"]) > 1000
    assert done.returncode == (not all(figure["holds"] for figure in found["figures"].values()))
