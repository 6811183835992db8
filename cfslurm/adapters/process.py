"""The only place that starts a process."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cfslurm.core.slurm.command import Command, Completed
from cfslurm.errors import SetupError, SlurmUnavailableError

# Options of Slurm programs that users set for their own calls: SBATCH_TIMELIMIT would change our
# scripts, SQUEUE_FORMAT our columns. The variables of an enclosing job would make sbatch think that
# its job is a child of ours.
_FOREIGN_PREFIXES = (
    "SBATCH_", "SQUEUE_", "SINFO_", "SACCT_", "SCONTROL_", "SRUN_", "SCANCEL_", "SLURM_",
)  # fmt: skip
Process = subprocess.Popen[bytes]

# Kept where they are set; Slurm's programs refuse to work when SLURM_CLUSTERS is set and empty.
_KEPT = frozenset({"SLURM_CONF", "SLURM_CLUSTERS", "SLURM_CONF_SERVER"})


def run(command: Command, /) -> Completed:
    """Run a command without a shell and under its own timeout.

    A non-zero exit is a value, not an exception: only the reader of the output knows whether it is
    bad. Output that is no UTF-8 keeps its place as replacement characters.

    Raises:
        SetupError: the program is not on PATH.
        SlurmUnavailableError: it ran past ``command.timeout_s``.
    """
    program = command.argv[0]
    try:
        done = subprocess.run(
            command.argv,
            input=command.stdin,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=command.timeout_s,
            check=False,
            env=client_environment(command.environment, inherit=command.inherit),
            cwd=command.directory,
        )
    except (FileNotFoundError, PermissionError) as error:
        # Without a right to look into one of PATH's folders, what is in none of them is "denied".
        raise SetupError(
            f"{program} is not on PATH, or may not be executed",
            remedy=f"Load Slurm's client programs, or run this where `which {program}` works.",
        ) from error
    except subprocess.TimeoutExpired as error:
        raise SlurmUnavailableError(
            f"{program} gave no answer within {command.timeout_s:g} s",
            remedy="Run `scontrol ping`; when it says UP, run the same command again.",
        ) from error
    return Completed(
        command=command, returncode=done.returncode, stdout=done.stdout, stderr=done.stderr
    )


def client_environment(
    added: Mapping[str, str], *, inherit: tuple[str, ...] | None = None
) -> dict[str, str]:
    """Our environment plus ``added``, without what changes the answers of Slurm's programs.

    With ``inherit`` only those variables are taken over.
    """
    if inherit is not None:
        return {**{name: os.environ[name] for name in inherit if name in os.environ}, **added}
    kept = {
        name: value
        for name, value in os.environ.items()
        if (value and name in _KEPT) or not name.startswith(_FOREIGN_PREFIXES)
    }
    return {**kept, **added}


def which(program: str) -> Path | None:
    """Where a program lies; the system's own folders are looked into even if PATH lacks them."""
    import shutil  # heavy, and only the sandbox and doctor look for programs

    path = os.environ.get("PATH", "") + os.pathsep + "/usr/sbin:/sbin:/usr/local/sbin"
    found = shutil.which(program, path=path)
    return Path(found) if found else None


def start(
    argv: tuple[str, ...],
    *,
    environment: Mapping[str, str],
    directory: Path,
    stdout: Path | None = None,
) -> Process:
    """Start a process in a session of its own, with exactly this environment.

    Its output goes to the end of the file ``stdout``, or where ours goes. The caller waits for it.

    Raises:
        FileNotFoundError: the program or the directory is not there.
        PermissionError: it cannot be executed.
    """
    if stdout is None:
        return subprocess.Popen(
            argv, env=dict(environment), cwd=directory, stdin=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
    with stdout.open("ab") as sink:
        return subprocess.Popen(
            argv, env=dict(environment), cwd=directory, stdin=subprocess.DEVNULL,
            stdout=sink, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounded:
    """The end of a child process that was not trusted.

    ``problem`` is empty if it ended by itself in time, with no more output than it may have;
    ``errors`` is the end of its standard error.
    """

    returncode: int | None
    output: bytes
    errors: str
    problem: str


_ERRORS_KEPT = 4096
_READ_AT_ONCE = 65_536
_REAP_S = 5.0


def run_bounded(argv: tuple[str, ...], *, deadline_s: float, most_bytes: int) -> Bounded:
    """Run a program that may hang, die or print without end; never waits past its deadline.

    It gets our environment and a session of its own, so that what it started ends with it. A process
    that even SIGKILL does not end (it hangs in a driver) is left behind after 5 s.
    """
    process = subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        start_new_session=True,
    )  # fmt: skip
    try:
        output, errors, problem = _read_both(process, deadline_s, most_bytes)
        if not problem:
            problem = _waited(process, deadline_s)
    finally:
        _end(process)
    said = errors.decode("utf-8", "replace").strip()
    return Bounded(returncode=process.returncode, output=output, errors=said, problem=problem)


def _read_both(process: Process, deadline_s: float, most_bytes: int) -> tuple[bytes, bytes, str]:
    """What it prints until it closes both streams, and why reading ended before."""
    import selectors
    import time

    assert process.stdout is not None
    assert process.stderr is not None
    output, errors = bytearray(), bytearray()
    until = time.monotonic() + deadline_s
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ, output)
        selector.register(process.stderr, selectors.EVENT_READ, errors)
        while selector.get_map():
            left = until - time.monotonic()
            ready = selector.select(left) if left > 0 else []
            if not ready:
                return bytes(output), bytes(errors), f"gave no answer within {deadline_s:g} s"
            for key, _ in ready:
                data = os.read(key.fd, _READ_AT_ONCE)
                if not data:
                    selector.unregister(key.fileobj)
                key.data.extend(data)
            del errors[:-_ERRORS_KEPT]
            if len(output) > most_bytes:
                return b"", bytes(errors), f"printed more than {most_bytes} bytes"
    return bytes(output), bytes(errors), ""


def _waited(process: Process, deadline_s: float) -> str:
    try:
        process.wait(timeout=deadline_s)
    except subprocess.TimeoutExpired:
        return f"closed its output and went on for more than {deadline_s:g} s"
    return ""


def _end(process: Process) -> None:
    """End it and all that it started."""
    import contextlib
    import signal

    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=_REAP_S)
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()
