"""The C side, built once for a session."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

_SPANK = Path(__file__).parents[2] / "spank"


@pytest.fixture(scope="session")
def manifest_lookup() -> Path:
    """The program that reads a node manifest as the plugin does."""
    for program in ("make", "cc"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed: the reader of node manifests is not compiled")
    done = subprocess.run(
        ["make", "-C", str(_SPANK), "build/manifest_lookup"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return _SPANK / "build" / "manifest_lookup"
