"""What docs/how-to/agent-frameworks.md shows is run as it stands there, twice, as after a requeue."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cfslurm import Session
from tests.docs.pages import ROOT, blocks

BLOCKS = [
    block
    for block in blocks(ROOT / "docs" / "how-to" / "agent-frameworks.md")
    if block.kind == "python"
]
SAID = {
    "graph": ("{'total': 5}\n", "{'total': 5}\n"),
    "conversation": ("1\n", "2\n"),
    "notes": ("['ON SLURM.']\n", "[]\n"),
    "training": ("300\n", "300\n"),
}


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_runs_and_goes_on(block: object, tmp_path: Path) -> None:
    text = block.text  # type: ignore[attr-defined]
    if "import torch" in text:
        pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")
    name = next(name for name in SAID if f'Session.open("{name}")' in text)
    for expected in SAID[name]:
        done = subprocess.run(
            [sys.executable, "-c", text],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout == expected
    assert len(Session.read(tmp_path / "sessions" / name).state) > 0


def test_every_framework_is_shown() -> None:
    assert len(BLOCKS) == len(SAID)
