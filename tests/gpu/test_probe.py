"""What the probe says of a real GPU is what NVIDIA's own tool says; the same checks hold for our library.

Where no GPU is, the first test says why, and the second runs on the library that stands in for NVIDIA's.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cfslurm.adapters.validated import validate_json
from cfslurm.core.hardware.gpus import Source
from cfslurm.core.hardware.probe import GpuReport, NodeProbe, known
from cfslurm.core.hardware.probed import card_of
from tests.builders import CATALOGUE
from tests.fakenvml import build, profile

_ASKED = (
    "index", "name", "memory.total", "memory.reserved", "compute_cap", "pci.bus_id", "driver_version",
    "pcie.link.gen.max", "pcie.link.width.max", "clocks.max.sm", "power.default_limit",
)  # fmt: skip


def _probe(**variables: str) -> GpuReport:
    done = subprocess.run(
        [sys.executable, "-I", "-m", "cfslurm.node.probe"],
        env={**os.environ, **variables}, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = validate_json(NodeProbe, json.loads(done.stdout), "the answer").gpu
    assert isinstance(report, GpuReport), report
    return report


def _contract(report: GpuReport) -> None:
    """What holds for any driver that answers, real or not."""
    assert report.library == "nvml"
    assert str(report.driver)[0].isdigit()
    assert [gpu.index for gpu in report.gpus] == list(range(len(report.gpus)))
    assert len({known(gpu.identity) for gpu in report.gpus}) == len(report.gpus)
    assert "GPU-" not in str(report)
    assert len(report.links) == len(report.gpus) * (len(report.gpus) - 1) // 2
    for gpu in report.gpus:
        total, used = known(gpu.memory_mib), known(gpu.use.memory_used_mib)
        assert total is not None
        assert used is not None
        assert 0 <= used <= total
        now, highest = known(gpu.clocks.sm_mhz), known(gpu.clocks.sm_max_mhz)
        assert now is None or highest is None or 0 < now <= highest
        assert known(gpu.power.limit_w) is None or 10 < (known(gpu.power.limit_w) or 0) < 3000
        assert known(gpu.pcie.width_max) in (None, 1, 2, 4, 8, 16)
        assert card_of(gpu, CATALOGUE).source is Source.PROBE


def test_a_real_gpu() -> None:
    if shutil.which("nvidia-smi") is None:
        pytest.skip("no GPU here: nvidia-smi is not on PATH")
    asked = subprocess.run(
        ["nvidia-smi", f"--query-gpu={','.join(_ASKED)}", "--format=csv,noheader,nounits"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    if asked.returncode != 0:
        pytest.skip(f"no GPU that answers here: {asked.stdout.strip() or asked.stderr.strip()}")
    report = _probe()
    _contract(report)
    rows = [line.split(", ") for line in asked.stdout.strip().splitlines()]
    assert len(rows) == len(report.gpus)
    for row, gpu in zip(rows, report.gpus, strict=True):
        told = dict(zip(_ASKED, row, strict=True))
        assert told["name"] == gpu.name
        assert told["memory.total"] == str(gpu.memory_mib)
        assert told["compute_cap"] == gpu.compute_capability
        assert told["pci.bus_id"].upper() == gpu.pcie.bus_id
        assert told["driver_version"] == report.driver
        for name, fact in (
            ("pcie.link.gen.max", gpu.pcie.generation_max),
            ("pcie.link.width.max", gpu.pcie.width_max),
            ("clocks.max.sm", gpu.clocks.sm_max_mhz),
        ):
            if told[name].isdigit():
                assert told[name] == str(fact), name


@pytest.mark.parametrize("machine", ["hgx-h100", "dgx-a100-mig", "rtx4090"])
def test_the_same_of_the_library_that_stands_in(tmp_path: Path, machine: str) -> None:
    library = build(tmp_path)
    _contract(_probe(LD_LIBRARY_PATH=str(library), FAKENVML=str(profile(machine))))
