"""A user of cfslurm on a sandbox: types commands, reads what comes back."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.slurm.conftest import Slurm

Completed = subprocess.CompletedProcess[str]


@dataclass(frozen=True)
class User:
    """Works in a folder of his own, with runs of his own."""

    slurm: Slurm
    folder: Path
    runs: Path
    eventually: Callable[..., Any]
    variables: Mapping[str, str]

    def cfslurm(self, *argv: str, **variables: str) -> Completed:
        """Type a command."""
        return subprocess.run(
            [sys.executable, "-I", "-m", "cfslurm.cli", *argv],
            env={**self.slurm.env, "CFSLURM_RUNS": str(self.runs), **self.variables, **variables},
            cwd=self.folder, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip

    def json(self, *argv: str) -> dict[str, Any]:
        """What a command says as JSON."""
        done = self.cfslurm(*argv, "--json")
        assert done.stdout, done.stderr
        data: dict[str, Any] = json.loads(done.stdout)
        return data

    def write(self, text: str, name: str = "workflow.yaml") -> None:
        """Put a file into the folder."""
        (self.folder / name).write_text(text)

    def submit(self, text: str, **variables: str) -> str:
        """Submit a workflow; the run's id."""
        self.write(text)
        done = self.cfslurm("submit", "workflow.yaml", "--parsable", **variables)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def status(self, run_id: str) -> dict[str, Any]:
        """The run as `status --items --json` tells it."""
        return self.json("status", run_id, "--items")

    def state(self, run_id: str) -> str:
        """The state of a run."""
        return str(self.status(run_id)["run"]["state"])

    def wait(self, run_id: str, state: str = "done", within_s: float = 60.0) -> dict[str, Any]:
        """Wait until a run is in a state, and return its status."""

        def reached() -> dict[str, Any] | None:
            answer = self.status(run_id)
            return answer if answer["run"]["state"] == state else None

        try:
            found: dict[str, Any] = self.eventually(reached, within_s=within_s)
        except BaseException:
            sys.stderr.write(
                self.cfslurm("status", run_id).stdout + self.cfslurm("logs", run_id).stdout
            )
            raise
        return found

    def items(self, run_id: str, key: str) -> dict[int, dict[str, Any]]:
        """The items of a task by number."""
        return {item["item"]: item for item in self.status(run_id)["items"][key]}

    def jobs(self) -> list[str]:
        """Names of all jobs that wait or run."""
        return self.slurm.run("squeue", "-h", "-o", "%j").stdout.split()
