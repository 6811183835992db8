"""A sandbox with cfslurm's SPANK plugin, a run and a model cache that it may look into."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from cfslurm.core.run.manifest import VariantPlace
from cfslurm.core.run.node_manifest import ClassLine, ModelLine, NodeManifest, node_manifest_text
from tests.slurm.conftest import Completed, Slurm, start, stop

SPANK = Path(__file__).parents[2] / "spank"
REPO = "acme/tiny"
FULL, AWQ = "1" * 40, "2" * 40
RUN = "study-1"
CLASSES = {
    "a100-1": "a100_80-x4",
    "rtx4090-1": "rtx4090-x8",
    "ada-1": "rtx6000ada-x2",
    "ada-2": "rtx6000ada-x2",
    "cpu-1": "cpu-32",
    "cpu-2": "cpu-32",
}
_GPUS = {
    "a100_80-x4": ("a100_80", 4, 81920),
    "rtx4090-x8": ("rtx4090", 8, 24564),
    "rtx6000ada-x2": ("rtx6000ada", 2, 49140),
    "cpu-32": ("", 0, 0),
}


@dataclass(frozen=True)
class World:
    """The sandbox; ``folder`` and what lies in it may be reached by all users."""

    slurm: Slurm
    folder: Path

    @property
    def plugstack(self) -> Path:
        return self.folder / "plugstack.conf"

    @property
    def plugin(self) -> Path:
        return self.folder / "cfslurm.so"

    @property
    def runs(self) -> Path:
        return self.folder / "runs"

    @property
    def models(self) -> Path:
        return self.folder / "models"

    @property
    def run(self) -> Path:
        return self.runs / RUN

    def configure(self, arguments: str = "", *, strictness: str = "optional") -> None:
        """Write plugstack.conf; the next job sees it."""
        known = f"cache={self.models} runs={self.runs}"
        self.plugstack.write_text(f"{strictness} {self.plugin} {known} {arguments}\n")

    def switch_off(self) -> None:
        """A plugstack.conf without the plugin."""
        self.plugstack.write_text("")

    def srun(self, *argv: str, **variables: str) -> Completed:
        """One step; the options of srun come first."""
        return self.slurm.run("srun", "--mem=10", "--quiet", *argv, extra=variables)

    def environment(self, *options: str, **variables: str) -> dict[str, str]:
        """What a task finds in its environment."""
        done = self.srun(*options, "/usr/bin/env", "-0", **variables)
        assert done.returncode == 0, done.stderr
        return _read(done.stdout)

    def batch_environment(self, out: Path, *options: str) -> dict[str, str]:
        """What a batch script finds in its environment."""
        script = f"#!/bin/sh\n/usr/bin/env -0 > {out}"
        self.wait(self.slurm.submit("--output=/dev/null", *options, script=script))
        return read_environment(out)

    def wait(self, job: str) -> None:
        """Until a job has left the queue."""
        self.slurm.run("srun", "--mem=10", f"--dependency=afterany:{job}", "true")

    def publish(self, repo: str = REPO, commit: str = FULL, *, owner: int | None = None) -> Path:
        """A published variant of two files."""
        folder = self.models / "store" / repo.replace("/", "--") / commit
        folder.mkdir(parents=True)
        for name, data in (("config.json", b"{}"), ("model.safetensors", bytes(1000))):
            (folder / name).write_bytes(data)
        (folder / "cfslurm.lock.json").write_text('{"schema": "cfslurm.variant/1"}')
        for path in (*folder.iterdir(), folder):
            path.chmod(0o755 if path.is_dir() else 0o444)
            if owner is not None:
                os.chown(path, owner, owner)
        return folder

    def write_run(self, *, owner: int | None = None) -> Path:
        """The run's directory with a node manifest for all nodes; its file."""
        self.run.mkdir(mode=0o700, parents=True, exist_ok=True)
        text = node_manifest_text(self.manifest())
        assert text is not None
        file = self.run / "node_manifest"
        file.unlink(missing_ok=True)
        file.touch(mode=0o600)
        file.write_text(text)
        if owner is not None:
            os.chown(self.run, owner, owner)
            os.chown(file, owner, owner)
        return file

    def manifest(self) -> NodeManifest:
        """The unquantized variant on a100, the AWQ one on all other GPUs, none without."""
        return NodeManifest(
            run_id=RUN,
            run_dir=str(self.run),
            nodes=CLASSES,
            classes=tuple(
                ClassLine(name=name, gpu_type=kind, gpu_count=count, gpu_memory_mib=memory)
                for name, (kind, count, memory) in _GPUS.items()
            ),
            models=tuple(
                ModelLine(
                    key="eval", node_class=name, model=REPO, place=self._place(name), files=2,
                    total_bytes=1002,
                )
                for name in _GPUS
                if name != "cpu-32"
            ),
        )  # fmt: skip

    def _place(self, node_class: str) -> VariantPlace:
        if node_class == "a100_80-x4":
            repo, commit, quantization = REPO, FULL, "none"
        else:
            repo, commit, quantization = f"{REPO}-AWQ", AWQ, "awq"
        return VariantPlace(
            variant=f"{repo}@{quantization}", repo_id=repo, revision=commit,
            quantization=quantization, tensor_parallel_size=1, max_model_len=4096,
            path=str(self.models / "store" / repo.replace("/", "--") / commit),
        )  # fmt: skip

    def drained(self) -> list[str]:
        """Nodes that no longer take jobs."""
        rows = self.slurm.run("sinfo", "-h", "-N", "-o", "%N %T").stdout.splitlines()
        return sorted({row for row in rows if "drain" in row or "down" in row})


@contextmanager
def world() -> Iterator[World]:
    """Compile the plugin, start a sandbox with it; all gone at the end."""
    plugin = build()
    folder = Path(tempfile.mkdtemp(prefix="spank-", dir="/tmp"))
    folder.chmod(0o755)
    try:
        shutil.copy(plugin, folder / "cfslurm.so")
        for name in ("runs", "models"):
            (folder / name).mkdir()
            (folder / name).chmod(0o755)
        plugstack = folder / "plugstack.conf"
        plugstack.write_text("")
        one = World(slurm=start(folder / "lab", plugstack=plugstack), folder=folder)
        one.configure()
        one.publish()
        one.publish(f"{REPO}-AWQ", AWQ)
        one.write_run()
        yield one
    finally:
        stop(folder / "lab")
        shutil.rmtree(folder)


def build() -> Path:
    """The compiled plugin; skips where it cannot be compiled."""
    if shutil.which("cc") is None or shutil.which("make") is None:
        pytest.skip("no C compiler: the plugin cannot be built")
    if not Path("/usr/include/slurm/spank.h").exists():
        pytest.skip("Slurm's headers are not installed (libslurm-dev): the plugin cannot be built")
    done = subprocess.run(["make", "-C", str(SPANK)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return SPANK / "build" / "cfslurm.so"


@dataclass(frozen=True)
class Other:
    """Somebody who is not root."""

    uid: int
    name: str

    def run(self, slurm: Slurm, *argv: str, **variables: str) -> Completed:
        """Run a program as this user."""
        words = (f"--reuid={self.uid}", f"--regid={self.uid}", "--clear-groups", *argv)
        return slurm.run("setpriv", *words, cwd=Path("/"), extra={"HOME": "/", **variables})


def somebody_else() -> Other:
    """A second user of this machine."""
    if os.getuid() != 0:
        pytest.skip("only root can become somebody else")
    if shutil.which("setpriv") is None:
        pytest.skip("setpriv is not installed")
    entry = next((e for e in pwd.getpwall() if e.pw_name in ("tess", "nobody")), None)
    if entry is None:
        pytest.skip("this machine has no ordinary user to become")
    return Other(uid=entry.pw_uid, name=entry.pw_name)


def read_environment(file: Path) -> dict[str, str]:
    """What ``env -0`` has written."""
    return _read(file.read_text())


def _read(text: str) -> dict[str, str]:
    return dict(entry.split("=", 1) for entry in text.split("\0") if entry)


def steady(one: Mapping[str, str], two: Mapping[str, str]) -> dict[str, str]:
    """What two environments agree in: everything but ids, ports and times."""
    return {name: value for name, value in one.items() if two.get(name) == value}
