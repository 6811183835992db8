from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Completed = subprocess.CompletedProcess[str]
Call = Callable[..., Completed]


@pytest.fixture
def cfslurm(tmp_path: Path) -> Call:
    """Run the command line as a user would, in a process of its own, away from any Slurm."""

    def call(*argv: str, cwd: Path | None = None, **variables: str) -> Completed:
        return subprocess.run(
            [sys.executable, "-I", "-m", "cfslurm.cli", *argv],
            env={**os.environ, "CFSLURM_RUNS": str(tmp_path / "runs"), **variables},
            cwd=cwd or tmp_path, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip

    return call
