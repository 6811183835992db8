"""Processes by /proc: who is who, who belongs to whom, and how they end."""

from __future__ import annotations

import os
import signal
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cfslurm.core.documents import STRICT
from cfslurm.errors import SetupError
from cfslurm.ports import Clock

_PROC = Path("/proc")
_STATE, _PARENT, _START = 0, 1, 19  # fields of /proc/PID/stat behind the name; see proc(5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A process that cannot be mistaken for a later one with the same number.

    Units: ``start_ticks`` is since the machine's start, as /proc/PID/stat counts.
    """

    __pydantic_config__ = STRICT
    pid: int
    start_ticks: int


def identify(pid: int) -> Process | None:
    """A process that runs; None if it has ended, or has ended and nobody has asked how."""
    fields = _stat(pid)
    if fields is None or fields[_STATE] in ("Z", "X"):
        return None
    return Process(pid=pid, start_ticks=int(fields[_START]))


def is_running(process: Process) -> bool:
    """True while exactly this process runs."""
    return identify(process.pid) == process


def boot_id() -> str:
    """Another one after every start of the machine."""
    return (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def with_variables(wanted: Mapping[str, str | None]) -> set[Process]:
    """The processes that were started with all these environment variables; None stands for any value.

    Processes whose environment we may not read belong to somebody else.
    """
    found = set()
    for pid in _pids():
        if pid != os.getpid() and _has_variables(pid, wanted) and (process := identify(pid)):
            found.add(process)
    return found


def at_work_in(folder: Path, programs: tuple[str, ...]) -> set[Process]:
    """The processes that run one of these programs (or ``NAME-…``) with a working directory in a folder."""
    found = set()
    real = os.path.realpath(folder)
    for pid in _pids():
        program, directory = _link(pid, "exe"), _link(pid, "cwd")
        name = Path(program.removesuffix(" (deleted)")).name.split("-", 1)[0]
        inside = directory == real or directory.startswith(f"{real}/")
        if name in programs and inside and (process := identify(pid)):
            found.add(process)
    return found


def with_descendants(processes: Collection[Process]) -> set[Process]:
    """The processes, their children, and so on."""
    children: dict[int, list[int]] = {}
    for pid in _pids():
        if fields := _stat(pid):
            children.setdefault(int(fields[_PARENT]), []).append(pid)
    found = {process for process in processes if is_running(process)}
    waiting = [process.pid for process in found]
    while waiting:
        for pid in children.get(waiting.pop(), ()):
            process = identify(pid)
            if process and process not in found and pid != os.getpid():
                found.add(process)
                waiting.append(pid)
    return found


def stop(processes: Iterable[Process]) -> None:
    """Let processes do nothing more, until `kill` ends them."""
    _signal(processes, signal.SIGSTOP)


def kill(processes: Iterable[Process]) -> None:
    """End processes at once. One that has ended since it was seen is left alone."""
    _signal(processes, signal.SIGKILL)


def _signal(processes: Iterable[Process], number: int) -> None:
    for process in processes:
        if is_running(process):
            # A setuid program that a job has started is not ours to end; who waits will say so.
            with suppress(ProcessLookupError, PermissionError):
                os.kill(process.pid, number)
        _reap(process.pid)


def wait_until_gone(processes: Collection[Process], *, clock: Clock, within_s: float) -> None:
    """Wait until none of them runs.

    Raises:
        SetupError: one still does; a process in an uninterruptible system call does not end.
    """
    deadline = clock.monotonic() + within_s
    while left := [process for process in processes if is_running(process)]:
        if clock.monotonic() > deadline:
            numbers = " ".join(str(process.pid) for process in left)
            raise SetupError(
                f"process {numbers} does not end",
                remedy=f"Look at it with `ps -fp {numbers}`; run the same command again later.",
            )
        for process in left:
            _reap(process.pid)
        clock.sleep(0.01)


def _reap(pid: int) -> None:
    """Ask how a child of ours ended, so that it leaves the process table."""
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def _pids() -> list[int]:
    return [int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit()]


def _stat(pid: int) -> list[str] | None:
    try:
        text = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text[text.rindex(")") + 2 :].split()  # the name may hold blanks and brackets


def _link(pid: int, name: str) -> str:
    try:
        return str((_PROC / str(pid) / name).readlink())
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return ""


def _has_variables(pid: int, wanted: Mapping[str, str | None]) -> bool:
    try:
        raw = (_PROC / str(pid) / "environ").read_bytes()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return False
    variables = dict(entry.partition(b"=")[::2] for entry in raw.split(b"\0"))
    return all(
        os.fsencode(name) in variables
        and (value is None or variables[os.fsencode(name)] == os.fsencode(value))
        for name, value in wanted.items()
    )
