"""A run of one array in a folder, and the start of its tasks as Slurm would start them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cfslurm.core.documents import to_json
from cfslurm.core.run.manifest import ArrayEntry, ArrayPart, Manifest, Program, ProgramSession
from cfslurm.core.run.outcomes import read_lines


@dataclass(frozen=True)
class ArrayRun:
    """One task of one array with all its items."""

    folder: Path

    def start(self, attempt: int = 0, *, node: str = "n1") -> subprocess.Popen[str]:
        """Start the runner as the batch script does; it leads a group of its own."""
        environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("SLURM_")},
            "SLURM_JOB_ID": "7",
            "SLURM_ARRAY_JOB_ID": "7",
            "SLURM_ARRAY_TASK_ID": "0",
            "SLURMD_NODENAME": node,
            "SLURM_RESTART_COUNT": str(attempt),
        }
        command = ["-I", "-m", "cfslurm.node", "array"]
        options = ["--run", str(self.folder), "--entry", "t", "--job", "t"]
        with (self.folder / "said").open("w") as said:
            return subprocess.Popen(
                [sys.executable, *command, *options], env=environment, cwd=self.folder,
                stdout=subprocess.DEVNULL, stderr=said, text=True, start_new_session=True,
            )  # fmt: skip

    def run(self, attempt: int = 0, *, node: str = "n1") -> tuple[int, str]:
        """Run an attempt to its end: exit code, and what it said on standard error."""
        code = self.start(attempt, node=node).wait(60)
        return code, (self.folder / "said").read_text()

    def events(self) -> list[dict[str, Any]]:
        """What all attempts have told, oldest first."""
        files = sorted(
            (self.folder / "outcomes" / "t").glob("*.jsonl"),
            key=lambda path: int(path.name.split(".")[1]),
        )
        return [dict(event) for path in files for event in read_lines(path.read_text())]

    def told(self, kind: str) -> list[int]:
        """The items of which this was told, in order."""
        return [event["item"] for event in self.events() if event["event"] == kind]

    def marks(self) -> list[str]:
        """What the programs have written, a word for each."""
        path = self.folder / "marks"
        return path.read_text().split() if path.exists() else []


def make_array_run(
    folder: Path,
    command: Sequence[str],
    *,
    items: int = 4,
    retries: int = 0,
    time_limit_s: int = 600,
    checkpoint_s: int = 0,
    max_requeues: int = 100,
) -> ArrayRun:
    """Write the manifest of a run whose programs work in its folder."""
    program = Program(
        command=tuple(command),
        environment={},
        workdir=str(folder),
        variants={},
        session=ProgramSession(checkpoint_s=checkpoint_s, keep=3) if checkpoint_s else None,
    )
    entry = ArrayEntry(
        program=program,
        items="",
        parts={"t": ArrayPart(first=0, count=items, pack=items)},
        retries=retries,
        time_limit_s=time_limit_s,
    )
    manifest = Manifest(
        run_id="r",
        run_dir=str(folder),
        workflow="w",
        classes={"cpu": "n[1-3]"},
        addresses={},
        max_requeues=max_requeues,
        arrays={"t": entry},
    )
    (folder / "manifest.json").write_text(json.dumps(to_json(manifest)))
    return ArrayRun(folder)
