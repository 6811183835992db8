"""The probe on a node, with the real pynvml on a libnvidia-ml.so.1 of ours."""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cfslurm.adapters.environment import read_environment
from cfslurm.adapters.process import Bounded, run_bounded
from cfslurm.adapters.validated import validate_json
from cfslurm.core.hardware.probe import GpuReport, NodeProbe, NotKnown, known
from cfslurm.node.probe import SECTIONS, answer, section_of
from tests.fakenvml import EMPTY, NEW, OLD, PROFILES, build, build_driver, profile


@pytest.fixture(scope="module")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("nvml")
    return {kind: build(folder, kind) for kind in (NEW, OLD, EMPTY)}


def _probe(library: Path | None, description: Path | None = None, **more: str) -> NodeProbe:
    """What ``python -m cfslurm.node.probe`` answers, read as the collecting side reads it."""
    env = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], **more}
    if library is not None:
        env["LD_LIBRARY_PATH"] = str(library)
    if description is not None:
        env["FAKENVML"] = str(description)
    done = subprocess.run(
        [sys.executable, "-I", "-m", "cfslurm.node.probe"],
        env=env, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return validate_json(NodeProbe, json.loads(done.stdout), "the answer")


def _report(probe: NodeProbe) -> GpuReport:
    assert isinstance(probe.gpu, GpuReport), probe.gpu
    return probe.gpu


def test_structures_are_those_of_pynvml() -> None:
    import pynvml

    sizes = {
        "nvmlPciInfo_t": 68, "c_nvmlMemory_t": 24, "c_nvmlMemory_v2_t": 40,
        "c_nvmlDeviceAttributes": 40, "c_nvmlProcessInfo_v2_t": 24, "c_nvmlTemperature_v1_t": 12,
        "c_nvmlUtilization_t": 8,
    }  # fmt: skip
    assert {name: ctypes.sizeof(getattr(pynvml, name)) for name in sizes} == sizes


def test_hgx_h100(libraries: dict[str, Path]) -> None:
    report = _report(_probe(libraries[NEW], profile("hgx-h100")))
    assert (report.library, report.driver, report.cuda) == ("nvml", "550.90.07", "12.4")
    assert len(report.gpus) == 8
    gpu = report.gpus[5]
    assert (gpu.name, gpu.memory_mib, gpu.compute_capability) == (
        "NVIDIA H100 80GB HBM3",
        81_559,
        "9.0",
    )
    assert (gpu.memory_reserved_mib, gpu.use.memory_used_mib) == (569, 1)
    assert (gpu.mig_mode, gpu.mig) == ("off", ())
    assert (gpu.power.limit_w, gpu.power.draw_w) == (700.0, 62.5)
    assert (gpu.clocks.sm_mhz, gpu.clocks.sm_max_mhz) == (345, 1980)
    assert (gpu.ecc.mode, gpu.ecc.uncorrected) == ("on", 0)
    assert (gpu.pcie.bus_id, gpu.pcie.generation, gpu.pcie.width) == ("00000000:70:00.0", 5, 16)
    assert (gpu.numa_node, gpu.use.temperature_c, gpu.use.processes) == (1, 31, 0)
    assert report.gpus[0].cpus == "0-31"
    assert len(report.links) == 28
    assert {(link.nvlinks, link.through, link.nvlink_version, link.peer_access) for link in report.links} == {
        (18, "nvswitch", 4, "ok")
    }  # fmt: skip
    assert {(link.a, link.b): link.path for link in report.links}[(0, 1)] == "NODE"
    assert {(link.a, link.b): link.path for link in report.links}[(0, 7)] == "SYS"


def test_uuids_do_not_leave_the_node(libraries: dict[str, Path]) -> None:
    probe = _probe(libraries[NEW], profile("hgx-h100"), SLURMD_NODENAME="h1")
    assert probe.node == "h1"
    identities = {gpu.identity for gpu in probe.gpus}
    assert len(identities) == 8
    assert "GPU-" not in str(probe)
    assert identities.isdisjoint(
        gpu.identity
        for gpu in _probe(libraries[NEW], profile("hgx-h100"), SLURMD_NODENAME="h2").gpus
    )


def test_dgx_a100_with_mig(libraries: dict[str, Path]) -> None:
    report = _report(_probe(libraries[NEW], profile("dgx-a100-mig")))
    six, seven = report.gpus[6], report.gpus[7]
    assert [gpu.mig_mode for gpu in report.gpus] == ["off"] * 6 + ["on", "on"]
    assert not isinstance(six.mig, NotKnown)
    assert not isinstance(seven.mig, NotKnown)
    assert [(one.profile, one.memory_mib, one.slices) for one in six.mig] == [
        ("1g.10gb", 9728, 1)
    ] * 7
    # A driver that names instances like the card: the profile is put together as Slurm does it.
    assert [(one.index, one.profile, one.multiprocessors) for one in seven.mig] == [
        (0, "3g.39gb", 42), (3, "4g.39gb", 56),
    ]  # fmt: skip
    # By these the files below /dev/nvidia-caps are numbered.
    assert (six.minor, [one.gpu_instance for one in six.mig]) == (6, [7, 8, 9, 10, 11, 12, 13])
    assert [(one.gpu_instance, one.compute_instance) for one in seven.mig] == [(2, 0), (1, 0)]
    assert isinstance(six.use.utilization_percent, NotKnown)
    pairs = {(link.a, link.b): link.nvlinks for link in report.links}
    assert pairs[(0, 5)] == 12
    assert pairs[(5, 6)] == 0


def test_consumer_cards(libraries: dict[str, Path]) -> None:
    report = _report(_probe(libraries[NEW], profile("rtx4090")))
    assert {(link.nvlinks, link.through, link.peer_access) for link in report.links} == {
        (0, "none", "chipset not supported")
    }
    busy = report.gpus[2]
    assert (busy.use.memory_used_mib, busy.use.utilization_percent, busy.use.processes) == (
        20_480,
        97,
        2,
    )
    assert busy.ecc.mode == "off"
    # What the card cannot do is not zero: it is not known, with NVML's own words.
    assert busy.ecc.corrected == NotKnown(not_known="Not Supported (NVML 3)")
    assert busy.mig_mode == NotKnown(not_known="Not Supported (NVML 3)")
    assert (busy.power.limit_w, busy.power.default_limit_w) == (350.0, 450.0)


def test_a_broken_card_costs_only_its_own_facts(libraries: dict[str, Path]) -> None:
    report = _report(_probe(libraries[NEW], profile("broken")))
    whole, gone, lost, counting = report.gpus
    assert (whole.memory_mib, whole.use.temperature_c) == (46_068, 31)
    assert isinstance(gone.name, NotKnown)
    assert gone.name.not_known == "GPU is lost (NVML 15)"
    assert "Drain the node" in gone.name.remedy
    assert lost.name == "NVIDIA A40"
    assert isinstance(lost.memory_mib, NotKnown)
    assert isinstance(lost.clocks.sm_mhz, NotKnown)
    assert lost.clocks.sm_max_mhz == 1740
    assert (counting.ecc.corrected, counting.ecc.uncorrected) == (12, 3)
    assert isinstance(counting.identity, NotKnown)
    links = {(link.a, link.b): link for link in report.links}
    assert links[(0, 3)].nvlinks == 0
    assert isinstance(links[(0, 1)].path, NotKnown)
    assert isinstance(links[(0, 2)].nvlinks, NotKnown)
    assert links[(2, 3)].peer_access == NotKnown(
        not_known="GPU is lost (NVML 15)", remedy=gone.name.remedy
    )


def test_an_old_driver(libraries: dict[str, Path]) -> None:
    report = _report(_probe(libraries[OLD], profile("old-driver-v100")))
    assert (report.driver, report.cuda) == ("450.51.06", "11.0")
    gpu = report.gpus[0]
    assert (gpu.memory_mib, gpu.use.memory_used_mib, gpu.use.processes) == (32_510, 11, 1)
    assert gpu.use.temperature_c == 31
    assert isinstance(gpu.memory_reserved_mib, NotKnown)
    assert "Function Not Found" in gpu.memory_reserved_mib.not_known
    assert "newer driver" in gpu.memory_reserved_mib.remedy
    links = {(link.a, link.b): link for link in report.links}
    assert (links[(0, 1)].nvlinks, links[(0, 1)].through, links[(0, 1)].path) == (
        2,
        "direct",
        "SYS",
    )
    assert links[(2, 3)].nvlinks == 2


@pytest.mark.parametrize(
    ("code", "said", "remedy"),
    [
        ("!18", "mismatch", "reboot the node"),
        ("!9", "Driver Not Loaded", "kernel module"),
        ("!4", "Insufficient Permissions", "ask Slurm for GPUs"),
    ],
)  # fmt: skip
def test_nvml_that_does_not_open(
    libraries: dict[str, Path], tmp_path: Path, code: str, said: str, remedy: str
) -> None:
    (tmp_path / "p").write_text(f"system.init = {code}\n")
    gpu = _probe(libraries[NEW], tmp_path / "p").gpu
    assert isinstance(gpu, NotKnown)
    assert said in gpu.not_known
    assert remedy in gpu.remedy


def test_no_library_and_a_library_that_is_none(libraries: dict[str, Path]) -> None:
    missing, other = _probe(None).gpu, _probe(libraries[EMPTY]).gpu
    assert isinstance(missing, NotKnown)
    assert "Shared Library Not Found" in missing.not_known
    assert isinstance(other, NotKnown)
    assert "another library of that name" in other.not_known
    assert "LD_LIBRARY_PATH" in other.remedy


def test_the_wrong_pynvml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cfslurm.adapters.nvml import open_nvml

    # What the old package of that name has, as far as the probe looks; one of no relation; one of Python 2.
    for text, said in (
        ("class NVMLError(Exception): pass\ndef nvmlInit(): pass\n", "is not nvidia-ml-py"),
        ("", "is not nvidia-ml-py"),
        ("print 'NVML'\n", "cannot be imported"),
    ):
        (tmp_path / "pynvml.py").write_text(text)
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.delitem(sys.modules, "pynvml", raising=False)
        with open_nvml() as nvml:
            assert isinstance(nvml, NotKnown)
            assert said in nvml.not_known
            assert "nvidia-ml-py" in nvml.remedy
    monkeypatch.delitem(sys.modules, "pynvml", raising=False)


def test_a_driver_that_crashes_or_prints_without_end(
    libraries: dict[str, Path], tmp_path: Path
) -> None:
    (tmp_path / "crash").write_text("gpus = !crash\n")
    probe = _probe(libraries[NEW], tmp_path / "crash")
    assert isinstance(probe.gpu, NotKnown)
    assert "killed by signal 6" in probe.gpu.not_known
    assert not isinstance(probe.machine, NotKnown)
    # 100 MiB on standard output by a library: they are not the answer, and are not kept.
    (tmp_path / "noise").write_text("gpus = !noise\nsystem.driver = 1\n")
    noisy = _probe(libraries[NEW], tmp_path / "noise").gpu
    assert noisy == NotKnown(not_known="Unknown Error (NVML 999)")


def test_a_driver_that_hangs_costs_the_gpus_and_nothing_else(
    libraries: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "hang").write_text("gpus = !hang\n")
    monkeypatch.setenv("LD_LIBRARY_PATH", str(libraries[NEW]))
    monkeypatch.setenv("FAKENVML", str(tmp_path / "hang"))
    found = answer(read_environment(), deadlines={**SECTIONS, "gpu": 1.0})
    probe = validate_json(NodeProbe, found, "the answer")
    assert isinstance(probe.gpu, NotKnown)
    assert probe.gpu.not_known == "reading gpu gave no answer within 1 s"
    assert not isinstance(probe.machine, NotKnown)


def test_a_child_that_hangs_floods_or_talks_rubbish(tmp_path: Path) -> None:
    def child(code: str, deadline_s: float = 30.0) -> Bounded:
        return run_bounded(
            (sys.executable, "-I", "-c", code), deadline_s=deadline_s, most_bytes=10_000
        )

    hung = child("import time; time.sleep(600)", deadline_s=0.3)
    assert hung.problem == "gave no answer within 0.3 s"
    assert hung.returncode == -9
    flood = child("while True: print('x' * 1000)")
    assert (flood.problem, flood.output) == ("printed more than 10000 bytes", b"")
    silent = child("import os, time; os.close(1); os.close(2); time.sleep(600)", deadline_s=0.3)
    assert "closed its output" in silent.problem
    marker = tmp_path / "alive"
    grandchild = f"import time, pathlib; time.sleep(1.5); pathlib.Path({str(marker)!r}).touch()"
    child(f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {grandchild!r}])", 0.5)
    subprocess.run(["sleep", "2"], check=True)
    assert not marker.exists()


@pytest.mark.parametrize(
    "output", [b"", b"rubbish", b"\xff\xfe", b"12", b'"text"', b"[" * 100_000, b"{'a': 1}"]
)  # fmt: skip
def test_rubbish_is_a_section_that_is_not_known(output: bytes) -> None:
    said: Any = section_of("gpu", Bounded(returncode=0, output=output, errors="", problem=""))
    assert said["not_known"].startswith("reading gpu printed")
    assert said["remedy"]


def test_machine_scratch_and_network_of_this_host() -> None:
    probe = _probe(None)
    assert not isinstance(probe.machine, NotKnown)
    assert known(probe.machine.threads) == os.cpu_count()
    assert (known(probe.machine.boot_time_s) or 0) > 1_500_000_000
    assert known(probe.machine.kernel) == os.uname().release
    assert not isinstance(probe.scratch, NotKnown)
    for place in probe.scratch:
        assert not list(Path(place.path).glob(".cfslurm-probe-*"))
    assert isinstance(probe.gpus_asked, NotKnown)


def test_the_library_itself_under_sanitizers(tmp_path: Path) -> None:
    """C11 without a warning, and without an error of memory or arithmetic on good and bad calls."""
    program = build_driver(tmp_path)
    bad = tmp_path / "bad"
    bad.write_text("no equals sign\n")
    endless = tmp_path / "endless"
    endless.write_text("x" * 1000)
    many = tmp_path / "many"
    many.write_text("a = 1\n" * 2000)
    paths = [*sorted(PROFILES.glob("*.txt")), bad, endless, many, tmp_path / "none"]
    done = subprocess.run(
        [program, *paths], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("not opened") == 4
    assert len(done.stdout.splitlines()) == len(paths)
