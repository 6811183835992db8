"""The only place that starts a process."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
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
