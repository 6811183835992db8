"""The demo, as `make demo` runs it; its claims are checked here again, from the files that it leaves."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from cfslurm import Session

ROOT = Path(__file__).resolve().parents[2]
CLI = [sys.executable, "-I", "-m", "cfslurm.cli"]


@pytest.fixture(scope="module")
def shown(slurm_programs: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a demo that has run and left its runs; ``said`` in it is what it printed."""
    folder = tmp_path_factory.mktemp("d") / "demo"
    try:
        with (folder.parent / "said").open("w") as said:
            done = subprocess.run(
                [sys.executable, "-m", "examples.lab.demo", "--folder", folder, "--keep"],
                cwd=ROOT, stdout=said, stderr=subprocess.STDOUT, timeout=300, check=False,
            )  # fmt: skip
        assert done.returncode == 0, (folder.parent / "said").read_text()
        yield folder
    finally:
        subprocess.run([*CLI, "sandbox", "down", "--dir", folder / "sandbox"], check=True)
        left = subprocess.run(["pgrep", "-af", folder], capture_output=True, text=True, check=False)
        assert left.stdout == ""
        assert not (folder / "sandbox").exists()


def _run(shown: Path) -> Path:
    (run,) = (shown / "sandbox" / "runs").iterdir()
    return run


def _events(run: Path, key: str) -> list[dict[str, object]]:
    return [
        json.loads(line)
        for path in sorted((run / "outcomes" / key).glob("*.jsonl"))
        for line in path.read_text().splitlines()
    ]


def test_final_table_has_every_agent_and_item_with_node_gpu_variant_and_restarts(
    shown: Path,
) -> None:
    text = (shown.parent / "said").read_text()
    table = text.split("=== Who ran where, and the checks ===")[1]
    for line in (
        r"agent vision +a100-1 +a100_80 +lab/vision-8b@none +[1-9]",
        r"agent coder +rtx4090-1 +rtx4090 +quantlab/coder-15b-GGUF@gguf:Q8_0 +[1-9]",
        r"agent orchestrator +cpu-\d +- +- +[1-9]",
        r"atlas 0 +ada-\d +rtx6000ada +lab/atlas-30b@none +\d",
        r"evaluate \S+ +a100-1 +a100_80 +lab/judge-20b@none +\d",
        r"evaluate \S+ +rtx4090-1 +rtx4090 +quantlab/judge-20b-AWQ@awq +\d",
        r"evaluate \S+ +ada-\d +rtx6000ada +lab/judge-20b-FP8@fp8 +\d",
    ):
        assert re.search(line, table), line
    assert "FAIL" not in table
    assert text.rstrip().splitlines()[-1].startswith("demo: all checks hold")


def test_every_item_was_done_once(shown: Path) -> None:
    done = Counter(e["item"] for e in _events(_run(shown), "evaluate") if e["event"] == "done")
    assert done == dict.fromkeys(range(60), 1)


def test_no_step_of_an_agent_was_lost_or_done_twice_over_the_preemption(shown: Path) -> None:
    for name in ("vision", "coder", "orchestrator"):
        found = Session.read(_run(shown) / "sessions" / f"agents.0.{name}")
        assert [e["step"] for e in found.events if "step" in e] == list(range(60)), name
    begins = [e["began_at"] for e in found.events if "began_at" in e]
    assert begins[0] == 0
    assert begins[-1] >= 15


def test_slurm_itself_tells_of_the_preemption(shown: Path) -> None:
    log = (shown / "sandbox" / "log" / "slurmctld.log").read_text()
    (agents,) = {
        job["job_id"]
        for line in "".join(p.read_text() for p in (_run(shown) / "ledger").iterdir()).splitlines()
        if (job := json.loads(line)).get("key") == "agents" and "job_id" in job
    }
    assert re.search(rf"Requeuing JobId={agents}\+0", log)
