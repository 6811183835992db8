"""A real Slurm for tests: a sandbox, started by the same code as `cfslurm sandbox up`."""

from __future__ import annotations

import getpass
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from cfslurm.adapters.clock import SystemClock
from cfslurm.adapters.environment import read_environment
from cfslurm.adapters.process import client_environment
from cfslurm.adapters.profile_file import load_profile
from cfslurm.errors import SetupError
from cfslurm.sandbox.down import down
from cfslurm.sandbox.failing import Sandbox, fail, recover
from cfslurm.sandbox.folder import is_sandbox
from cfslurm.sandbox.programs import ACCOUNTING, SLURM, find_programs
from cfslurm.sandbox.state import State
from cfslurm.sandbox.up import Request, up

if TYPE_CHECKING:
    from tests.slurm.user import User

T = TypeVar("T")
Completed = subprocess.CompletedProcess[str]


@dataclass(frozen=True)
class Slurm:
    """A sandbox that runs. Nothing is exported globally: give ``env`` to what should see it."""

    state: State
    env: Mapping[str, str]

    @property
    def path(self) -> Path:
        return self.state.layout.folder

    @property
    def name(self) -> str:
        return self.state.name

    def run(
        self,
        *argv: str,
        stdin: str | None = None,
        cwd: Path | None = None,
        extra: Mapping[str, str] | None = None,
        timeout_s: float = 60.0,
    ) -> Completed:
        """Run a program with this sandbox in its environment; the exit code is not judged."""
        return subprocess.run(
            argv, env={**self.env, **(extra or {})}, cwd=cwd or self.path / "runs", input=stdin,
            capture_output=True, text=True, timeout=timeout_s, check=False,
        )  # fmt: skip

    def submit(self, *options: str, script: str) -> str:
        """Hand a script to sbatch; the id of the job, array or het leader."""
        text = script if script.startswith("#!") else f"#!/bin/bash\n{script}\n"
        done = self.run("sbatch", "--parsable", "--mem=10", *options, stdin=text)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip().split(";")[0]

    def job(self, job_id: str) -> dict[str, str]:
        """The first record of ``scontrol show job``; empty if slurmctld has no such job."""
        text = self.run("scontrol", "-o", "show", "job", job_id).stdout
        first = text.splitlines()[0] if text else ""
        return dict(word.split("=", 1) for word in first.split() if "=" in word)

    def job_state(self, job_id: str) -> str:
        return self.job(job_id).get("JobState", "")

    def node_state(self, node: str) -> str:
        return self.run("sinfo", "-h", "-n", node, "-N", "-o", "%T").stdout.split()[0]

    def fail(self, node: str) -> None:
        """As `cfslurm sandbox fail`."""
        fail(self._sandbox(), node)

    def recover(self, node: str) -> None:
        """As `cfslurm sandbox recover`."""
        recover(self._sandbox(), node)

    def describe(self) -> str:
        """What a failed test should show."""
        log = self.path / "log" / "slurmctld.log"
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-40:]) if log.exists() else ""
        jobs = self.run("scontrol", "show", "job").stdout
        return f"{jobs[-6000:]}\n--- slurmctld.log\n{tail}"

    def _sandbox(self) -> Sandbox:
        return Sandbox(state=self.state, environment=read_environment(), clock=SystemClock())


def start(
    folder: Path,
    *,
    profile: str = "lab",
    accounting: bool = False,
    plugstack: Path | None = None,
) -> Slurm:
    request = Request(
        name="test",
        folder=folder,
        profile=load_profile(profile),
        accounting=accounting,
        plugstack=plugstack,
    )
    done = up(request, environment=read_environment(), clock=SystemClock(), tell=lambda _: None)
    env = {
        name: value
        for name, value in client_environment({}).items()
        if not name.startswith(("SLURM_", "CFSLURM_", "HF_", "XDG_"))
    }
    return Slurm(state=done.state, env={**env, **done.state.variables})


def stop(folder: Path) -> None:
    if is_sandbox(folder):
        down(folder, environment=read_environment(), clock=SystemClock())


def _skip_without(programs: tuple[str, ...], *, accounting: bool) -> None:
    try:
        find_programs(accounting=accounting)
    except SetupError as error:
        pytest.skip(f"{error.message} (needed: {', '.join(programs)})")


@pytest.fixture(scope="session")
def slurm_programs() -> None:
    """Skip where Slurm is not installed."""
    _skip_without(SLURM, accounting=False)


@pytest.fixture(scope="session")
def accounting_programs() -> None:
    """Skip where slurmdbd or MariaDB is not installed."""
    _skip_without(ACCOUNTING, accounting=True)


@pytest.fixture(scope="session")
def slurm(slurm_programs: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    """The `lab` cluster: one for all tests of the session, who leave its nodes as they were."""
    folder = tmp_path_factory.mktemp("s") / "lab"
    try:
        yield start(folder)
    finally:
        stop(folder)


@pytest.fixture
def start_slurm(slurm_programs: None, tmp_path: Path) -> Iterator[Callable[..., Slurm]]:
    """Start sandboxes of one's own: ``start_slurm("name", profile="tiny")``; all are ended."""
    folders: list[Path] = []

    def start_one(name: str, *, profile: str = "tiny", accounting: bool = False) -> Slurm:
        folders.append(tmp_path / name)
        return start(folders[-1], profile=profile, accounting=accounting)

    yield start_one
    for folder in folders:
        stop(folder)


@pytest.fixture(scope="session")
def eventually() -> Callable[..., Any]:
    """Wait until a condition holds and return what it returned."""

    def wait(condition: Callable[[], T], within_s: float = 20.0) -> T:
        deadline = time.monotonic() + within_s
        while not (seen := condition()):
            if time.monotonic() > deadline:
                pytest.fail(f"did not happen within {within_s:g} s; last seen: {seen!r}")
            time.sleep(0.05)
        return seen

    return wait


@pytest.fixture
def user(slurm: Slurm, tmp_path: Path, eventually: Callable[..., Any]) -> Iterator[User]:
    """A user with a folder; what he leaves in the queue is cancelled."""
    from tests.slurm.user import User

    folder = tmp_path / "work"
    folder.mkdir()
    variables = {
        "HOME": str(tmp_path),
        "HF_ENDPOINT": "http://127.0.0.1:1",
        "PATH": f"{Path(sys.executable).parent}:{slurm.env['PATH']}",
    }
    yield User(
        slurm=slurm,
        folder=folder,
        runs=tmp_path / "runs",
        eventually=eventually,
        variables=variables,
    )
    slurm.run("scancel", f"--user={getpass.getuser()}")
    eventually(lambda: not slurm.run("squeue", "-h").stdout.strip(), within_s=30)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """A failed test shows the jobs and the end of slurmctld's log."""
    report = yield
    used = getattr(item, "funcargs", {}).get("slurm")
    if report.when == "call" and report.failed and isinstance(used, Slurm):
        report.sections.append(("Slurm", used.describe()))
    return report


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.slurm)
