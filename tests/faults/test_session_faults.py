"""Every call that changes a file fails, in every way; files are mutated in every way."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.shim import compiled

ROOT = Path(__file__).parents[2]


def run(module: str, library: Path, *words: str) -> dict[str, int]:
    done = subprocess.run(
        [sys.executable, "-m", module, *words],
        cwd=ROOT, env={**os.environ, "LD_PRELOAD": str(library)}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    found: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_every_call_may_fail(tmp_path: Path) -> None:
    library = compiled(tmp_path)
    found = run("tests.faults.session_calls", library, str(tmp_path / "s"), "23", "0")
    assert found["trials"] > 40


@pytest.mark.soak
def test_every_call_fails_in_every_way(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    library = compiled(tmp_path)
    found = run("tests.faults.session_calls", library, str(tmp_path / "s"), "1", "0")
    with capsys.disabled():
        print(f"\nfaults of system calls under a session: {found}, lost 0, torn 0")  # noqa: T201


def mutants(tmp_path: Path, first: int, count: int) -> dict[str, int]:
    library = compiled(tmp_path)
    return run("tests.faults.session_mutants", library, str(tmp_path / "m"), str(first), str(count))


def test_no_mutated_file_does_harm(tmp_path: Path) -> None:
    found = mutants(tmp_path, 0, 700)
    assert sum(found.values()) == 700
    assert found["damage"] > 300
    assert found["refused"] > 3


@pytest.mark.soak
def test_no_mutated_file_does_harm_for_long(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = random.randrange(10**9)
    found = mutants(tmp_path, first, 100_000)
    with capsys.disabled():
        print(  # noqa: T201
            f"\nmutated generations from {first} on: {found}, no crash, none over 10 s or 4 GiB,"
            " no other file opened"
        )
