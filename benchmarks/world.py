"""What benchmarks run on: a private Slurm and a private Hub, started like a user's, gone at the end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
# The lab's partition of all six nodes.
_JOB_ON_ALL_NODES = ("srun", "--partition=preempt", "--nodes=6", "--mem=10", "--quiet", "true")
_FOREIGN = ("CFSLURM_", "SLURM_", "SBATCH_", "SQUEUE_", "SINFO_", "HF_", "XDG_", "PYTHON")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A sandbox that runs; how long it took until all nodes were idle, and until a job had run on all."""

    env: Mapping[str, str]
    idle_s: float
    first_job_s: float
    slurm_version: str


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder of one's own, deleted at the end."""
    with tempfile.TemporaryDirectory(prefix="cfslurm-bench-") as folder:
        yield Path(folder)


def clean_environment(home: Path) -> dict[str, str]:
    """The environment of a user with an empty home, who has our programs on PATH."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    home.mkdir(exist_ok=True)
    return {
        **kept,
        "HOME": str(home),
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "NO_COLOR": "1",
    }


@contextmanager
def cluster(folder: Path, environment: Mapping[str, str], *options: str) -> Iterator[Cluster]:
    """Start the lab's sandbox with `cfslurm sandbox up`, and take it down."""
    where = ("--dir", str(folder))
    words = ("cfslurm", "sandbox", "up", *where, "--profile", "lab", "--json", *options)
    began = time.perf_counter()
    answer = read_json(words, environment)
    idle_s = time.perf_counter() - began
    env = {**environment, **answer["sandbox"]["environment"]}
    try:
        run(_JOB_ON_ALL_NODES, env)
        yield Cluster(
            env=env,
            idle_s=idle_s,
            first_job_s=time.perf_counter() - began,
            slurm_version=answer["sandbox"]["slurm_version"],
        )
    finally:
        run(("cfslurm", "sandbox", "down", *where), environment)


@contextmanager
def hub(folder: Path, environment: Mapping[str, str]) -> Iterator[str]:
    """The demo's Hub on the loopback device; yields its address."""
    python = (sys.executable, "-m")
    run((*python, "tests.hub.repos", str(folder), "--set", "demo"), environment)
    port_file = folder.with_suffix(".port")
    server = subprocess.Popen(
        (*python, "tests.hub.server", str(folder), "--port-file", str(port_file)),
        cwd=REPOSITORY, env=dict(environment), stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 30
        while not (port_file.exists() and port_file.read_text().strip()):
            if time.monotonic() > deadline or server.poll() is not None:
                raise RuntimeError("the Hub does not start")
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port_file.read_text().strip()}"
    finally:
        server.terminate()
        server.wait()


def run(words: tuple[str, ...], environment: Mapping[str, str]) -> str:
    """What a command prints.

    Raises:
        RuntimeError: it ended with an error.
    """
    done = subprocess.run(
        words, env=dict(environment), cwd=REPOSITORY, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)} ended with {done.returncode}: {done.stderr[-2000:]}")
    return done.stdout


def read_json(words: tuple[str, ...], environment: Mapping[str, str]) -> dict[str, Any]:
    """What a command prints as JSON."""
    data: dict[str, Any] = json.loads(run(words, environment))
    return data
