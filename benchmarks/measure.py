"""How long commands take, and what they ask of the filesystem."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A command to be measured; ``name`` is how the table calls it."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One call: by the clock, and by the CPU with everything the program started and waited for."""

    wall_s: float
    cpu_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """Calls of one program, in the order in which they were made."""

    samples: tuple[Sample, ...]

    @property
    def walls_ms(self) -> tuple[float, ...]:
        """All times by the clock."""
        return tuple(sample.wall_s * 1000 for sample in self.samples)

    @property
    def median_ms(self) -> float:
        """The middle one."""
        return statistics.median(self.walls_ms)

    @property
    def least_ms(self) -> float:
        """The shortest: what is left when nothing else disturbs."""
        return min(self.walls_ms)

    @property
    def most_ms(self) -> float:
        """The longest."""
        return max(self.walls_ms)

    @property
    def cpu_ms(self) -> float:
        """The middle one of the CPU times."""
        return statistics.median(sample.cpu_s * 1000 for sample in self.samples)


def call(program: Program) -> Sample:
    """Run a program once.

    Raises:
        RuntimeError: it ended with an error, so its time says nothing.
    """
    with tempfile.TemporaryFile() as errors:
        began = time.perf_counter()
        process = subprocess.Popen(
            program.argv, env=dict(program.env), cwd=program.cwd, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=errors,
        )  # fmt: skip
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            errors.seek(0)
            said = errors.read().decode(errors="replace")[-2000:]
            raise RuntimeError(f"{program.argv} ended with {process.returncode}: {said}")
    return Sample(wall_s=wall_s, cpu_s=usage.ru_utime + usage.ru_stime)


def interleaved(programs: Sequence[Program], *, rounds: int) -> dict[str, Times]:
    """Call all programs in turn, so that a disturbance hits all of them alike.

    One round before counts for nothing: it fills the page cache and writes bytecode.
    """
    for program in programs:
        call(program)
    found: dict[str, list[Sample]] = {program.name: [] for program in programs}
    for _ in range(rounds):
        for program in programs:
            found[program.name].append(call(program))
    return {name: Times(samples=tuple(samples)) for name, samples in found.items()}


def beyond_ms(ours: Times, theirs: Times) -> float:
    """The middle one of the differences, each of two calls of the same round."""
    pairs = zip(ours.walls_ms, theirs.walls_ms, strict=True)
    return statistics.median(mine - other for mine, other in pairs)


def file_operations(program: Program) -> int | None:
    """System calls that name a path, of this process alone; None where strace cannot tell."""
    strace = shutil.which("strace")
    if strace is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder) / "trace"
        tracing = (strace, "-qq", "-e", "trace=%file", "-o", str(trace))
        subprocess.run(
            (*tracing, *program.argv), env=dict(program.env), cwd=program.cwd, check=False,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        if not trace.exists():
            return None
        lines = trace.read_text(errors="replace").splitlines()
    return sum('""' not in line for line in lines) or None
