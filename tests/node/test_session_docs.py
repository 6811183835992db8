"""What the documentation of sessions shows is run as it stands there."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cfslurm import Session
from cfslurm.core.session.layout import ABOUT, NAMED_DATASETS

DOCS = Path(__file__).parents[2] / "docs"
FORMAT = DOCS / "reference" / "session-format.md"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)


@pytest.fixture(autouse=True)
def in_own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def run(code: str, folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def example() -> Path:
    with Session.open("coder") as session:
        session["weights"] = np.ones(9000)
        session.append({"role": "user"})
        session.checkpoint()  # the next one refers to its weights
    return Path("sessions/coder").absolute()


def test_how_to_runs_from_top_to_bottom(tmp_path: Path) -> None:
    blocks = BLOCK.findall((DOCS / "how-to" / "sessions.md").read_text())
    assert len(blocks) >= 6
    for block in blocks:
        run(block, tmp_path)
        run(block, tmp_path)  # as after a requeue
    assert Session.read("sessions/coder").state == {"total": sum(range(500)), "step": 500}
    assert Session.read("sessions/oracle").state["answers"] == ["42"] * 3


def test_format_is_read_without_cfslurm() -> None:
    folder = example()
    [block] = BLOCK.findall(FORMAT.read_text())
    assert "cfslurm" not in block
    check = "assert weights.sum() == 9000 and events == [{'role': 'user'}]"
    run(block + check, folder)
    assert (folder / "g0001-000000000003.h5").stat().st_size < 9000
    run(block.replace("000002.h5", "000003.h5") + check, folder)


def test_events_are_written_for_jq(tmp_path: Path) -> None:
    h5dump = shutil.which("h5dump")
    if h5dump is None:
        pytest.skip("h5dump is not installed (Debian: hdf5-tools)")
    folder = example()
    subprocess.run(
        [h5dump, "-d", "/events/000000000000", "-b", "LE", "-o", "events.jsonl", "g0001-000000000002.h5"],
        cwd=folder, capture_output=True, check=True,
    )  # fmt: skip
    assert (folder / "events.jsonl").read_text().split() == ['{"role":"user"}']


def test_every_dataset_is_documented() -> None:
    text = FORMAT.read_text()
    assert all(f"`/{name}`" in text for name in (*NAMED_DATASETS, ABOUT))
