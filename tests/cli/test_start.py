"""What a command imports and how often it asks the filesystem: asserted, because both are what a
login node with a slow shared filesystem feels; times are in benchmarks/startup."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = (
    "numpy",
    "h5py",
    "pydantic",
    "pulp",
    "highspy",
    "huggingface_hub",
    "rich",
    "jinja2",
    "pynvml",
    "pyslurm",
)

_PROBE = """
import json, sys
from cfslurm.cli.main import main
code = main(sys.argv[1:])
sys.stderr.write("\\nMODULES " + json.dumps(sorted(sys.modules)))
sys.exit(code)
"""


def _modules(*argv: str, env: dict[str, str]) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-I", "-c", _PROBE, *argv],
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    return set(json.loads(done.stderr.rpartition("MODULES ")[2]))


@pytest.fixture
def fake_slurm(tmp_path: Path) -> dict[str, str]:
    """An empty queue, so that nothing but our own work is counted."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("squeue", "scontrol"):
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(0o755)
    return {
        **os.environ,
        "PATH": f"{folder}:{os.environ['PATH']}",
        "CFSLURM_RUNS": str(tmp_path / "runs"),
    }


@pytest.mark.parametrize(
    "argv",
    [
        ("--help",),
        ("--version",),
        ("queue", "--json"),
        ("queue",),
        ("status",),
        ("logs",),
        ("config", "show"),
    ],
)
def test_light_commands_import_nothing_heavy(
    fake_slurm: dict[str, str], argv: tuple[str, ...]
) -> None:
    assert not _modules(*argv, env=fake_slurm) & set(HEAVY)


def test_help_imports_no_command(fake_slurm: dict[str, str]) -> None:
    ours = {name for name in _modules("--help", env=fake_slurm) if name.startswith("cfslurm.")}
    assert ours == {
        "cfslurm.cli",
        "cfslurm.cli.commands",
        "cfslurm.cli.failures",
        "cfslurm.cli.lazy",
        "cfslurm.cli.main",
        "cfslurm.cli.options",
        "cfslurm.errors",
    }


def test_importing_cfslurm_imports_nothing_of_it() -> None:
    probe = "import cfslurm, sys; print([m for m in sys.modules if m.startswith('cfslurm.')])"
    done = subprocess.run(
        [sys.executable, "-I", "-c", probe], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("role", ["array", "gang", "component"])
def test_node_side_needs_nothing_but_the_standard_library(role: str) -> None:
    module = {"array": "array", "gang": "gang", "component": "component"}[role]
    probe = f"import cfslurm.node.{module}, sys; print(*sorted({{m.split('.')[0] for m in sys.modules}}))"
    done = subprocess.run(
        [sys.executable, "-I", "-c", probe], capture_output=True, text=True, check=True
    )
    foreign = set(done.stdout.split()) - set(sys.stdlib_module_names) - {"cfslurm", "__main__"}
    # What .pth files of an environment and the distribution import before any program.
    foreign -= {"sitecustomize", "usercustomize"}
    assert {name for name in foreign if not name.startswith("_")} == set()


def _file_operations(*argv: str, env: dict[str, str], tmp_path: Path) -> int:
    """Calls that name a path, of this process alone (not of the Slurm programs that it starts)."""
    trace = tmp_path / "trace"
    subprocess.run(
        ["strace", "-qq", "-e", "trace=%file", "-o", trace, sys.executable, "-I", *argv],
        env=env, capture_output=True, check=False,
    )  # fmt: skip
    return sum('""' not in line for line in trace.read_text(errors="replace").splitlines())


@pytest.mark.parametrize(
    ("argv", "most"),
    [
        # Beyond those of `import click`, which every command pays: a Python that looks at more
        # folders must not fail the test, a library that slips in must.
        (("--help",), 190),
        (("--version",), 140),
        (("queue", "--json"), 430),
        (("status",), 430),
    ],
)
def test_file_operations_stay_in_their_budget(
    fake_slurm: dict[str, str], tmp_path: Path, argv: tuple[str, ...], most: int
) -> None:
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    click = _file_operations("-c", "import click", env=fake_slurm, tmp_path=tmp_path)
    if click < 100:
        pytest.skip("strace may not trace here")
    ours = _file_operations("-m", "cfslurm.cli", *argv, env=fake_slurm, tmp_path=tmp_path)
    assert ours - click <= most
