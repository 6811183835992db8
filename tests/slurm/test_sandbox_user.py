"""The sandbox of an ordinary user, and ordinary users in the sandbox of root."""

from __future__ import annotations

import os
import pwd
import shutil
import site
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import cfslurm
from cfslurm.sandbox import processes

Completed = subprocess.CompletedProcess[str]
_CLI = "import sys; from cfslurm.cli.main import main; sys.exit(main(sys.argv[1:]))"


@dataclass(frozen=True)
class User:
    """Somebody who is not root, with a home of their own and a Python that can import cfslurm."""

    name: str
    uid: int
    home: Path
    python: str

    def run(self, *argv: str, **more: str) -> Completed:
        environment = {
            "HOME": str(self.home),
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "PYTHONPATH": f"{Path(cfslurm.__file__).parents[1]}:{':'.join(site.getsitepackages())}",
            "PYTHONDONTWRITEBYTECODE": "1",
            **more,
        }
        return subprocess.run(
            ["setpriv", f"--reuid={self.uid}", f"--regid={self.uid}", "--clear-groups", *argv],
            env=environment, cwd=self.home, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    def cfslurm(self, *argv: str) -> Completed:
        return self.run(self.python, "-c", _CLI, *argv)


@pytest.fixture(scope="module")
def user(slurm_programs: None) -> Iterator[User]:
    if os.getuid() != 0:
        pytest.skip(
            "only root can become somebody else; as an ordinary user all tests are this one"
        )
    if shutil.which("setpriv") is None:
        pytest.skip("setpriv is not installed")
    entry = next((e for e in pwd.getpwall() if e.pw_name in ("tess", "nobody")), None)
    if entry is None:
        pytest.skip("this machine has no ordinary user to become")
    home = Path(tempfile.mkdtemp(prefix="u", dir="/tmp"))
    os.chown(home, entry.pw_uid, entry.pw_gid)
    try:
        yield User(
            name=entry.pw_name, uid=entry.pw_uid, home=home, python=_python(entry.pw_uid, home)
        )
    finally:
        shutil.rmtree(home)


def _python(uid: int, home: Path) -> str:
    """A Python that this user may run and that can import cfslurm."""
    same = f"python{sys.version_info.major}.{sys.version_info.minor}"
    why = ""
    for python in (sys.executable, f"/usr/bin/{same}"):
        one = User(name="", uid=uid, home=home, python=python)
        done = one.cfslurm("--version")
        if done.returncode == 0:
            return python
        why = (done.stderr.strip().splitlines() or ["no reason"])[-1]
    pytest.skip(f"no Python that an ordinary user may run can import cfslurm: {why}")


@pytest.fixture(scope="module")
def users_sandbox(user: User) -> Iterator[Path]:
    done = user.cfslurm("sandbox", "up")
    assert done.returncode == 0, done.stderr
    yield user.home / ".local/state/cfslurm/sandbox/default"
    user.cfslurm("sandbox", "down")


def test_user_sandbox_runs_as_the_user(user: User, users_sandbox: Path) -> None:
    done = user.cfslurm("sandbox", "shell", "--", "srun", "--mem=10", "id", "-u")
    assert done.stdout == f"{user.uid}\n"


def test_srun_of_a_user_sets_cuda_visible_devices(user: User, users_sandbox: Path) -> None:
    argv = ("srun", "--mem=10", "--gres=gpu:a100_80:2", "printenv", "CUDA_VISIBLE_DEVICES")
    assert user.cfslurm("sandbox", "shell", "--", *argv).stdout == "0,1\n"


def test_sbatch_of_a_user_sets_cuda_visible_devices(
    user: User, users_sandbox: Path, eventually: Callable[..., Any]
) -> None:
    out = user.home / "out"
    argv = ("sbatch", "--mem=10", "--gres=gpu:rtx4090:3", f"--output={out}", "--wrap")
    script = "echo $CUDA_VISIBLE_DEVICES $SLURM_JOB_GPUS"
    assert user.cfslurm("sandbox", "shell", "--", *argv, script).returncode == 0
    assert eventually(lambda: out.exists() and out.read_text()) == "0,1,2 0,1,2\n"


def test_user_sandbox_is_closed_to_others(user: User, users_sandbox: Path) -> None:
    assert users_sandbox.stat().st_mode & 0o777 == 0o700
    assert (users_sandbox / "secret/munge.key").stat().st_mode & 0o777 == 0o600


def test_user_sandbox_is_gone_after_down(
    user: User, users_sandbox: Path, eventually: Callable[..., Any]
) -> None:
    script = "setsid sleep 613 & disown; sleep 614"
    argv = ("sbatch", "--mem=10", "--output=/dev/null", "--wrap", script)
    user.cfslurm("sandbox", "shell", "--", *argv)
    eventually(lambda: user.run("pgrep", "-f", "sleep 61[34]").stdout.count("\n") >= 2)
    done = user.cfslurm("sandbox", "down")
    assert done.stdout == "down; nothing is left\n", done.stderr
    assert user.run("pgrep", "-f", "sleep 61[34]").stdout == ""
    assert not (user.home / ".local").exists()
    mine = processes.with_variables({"CFSLURM_SANDBOX_DAEMON": None})
    assert [p.pid for p in mine if Path(f"/proc/{p.pid}").stat().st_uid == user.uid] == []


def test_folder_of_somebody_else_is_no_bug_of_ours(user: User, tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    for command in ("up", "status", "down"):
        done = user.cfslurm("sandbox", command, "--dir", str(tmp_path / "box"))
        assert done.returncode == 69, done.stderr
        assert "you may not look into" in done.stderr


def test_root_sandbox_takes_jobs_of_other_users(
    user: User, start_slurm: Callable[..., Any]
) -> None:
    folder = Path(tempfile.mkdtemp(prefix="r", dir="/tmp"))
    folder.chmod(0o755)
    try:
        one = start_slurm(folder / "box")
        script = 'echo $CUDA_VISIBLE_DEVICES; touch "$(dirname "$CFSLURM_SITE")/runs/mine"'
        variables = {name: one.env[name] for name in ("SLURM_CONF", "CFSLURM_SITE")}
        done = user.run("srun", "--mem=10", "--gres=gpu:2", "sh", "-c", script, **variables)
        assert done.stdout == "0,1\n", done.stderr
        assert (one.path / "runs/mine").stat().st_uid == user.uid
    finally:
        user_box = folder / "box"
        if user_box.exists():
            _down(user_box)
        folder.rmdir()


def _down(folder: Path) -> None:
    from cfslurm.adapters.clock import SystemClock
    from cfslurm.adapters.environment import read_environment
    from cfslurm.sandbox.down import down

    down(folder, environment=read_environment(), clock=SystemClock())
