"""sbatch: submit a batch script, or ask whether it could be."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from cfslurm.core.slurm.answers import checked, meaningful
from cfslurm.core.slurm.command import Command, Completed
from cfslurm.errors import SlurmOutputError

# 25.11 prints a stray word: "to start at 2026-11-20T23:43:38 a using 1 processors".
_TEST_ONLY = re.compile(r"Job \d+ to start at (\S+).*? using \d+ processors on (?:nodes )?(\S+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Feasibility:
    """What ``sbatch --test-only`` says of a script.

    ``start`` is local time as Slurm prints it, empty where Slurm knows none: while any job waits in
    the partition it answers "in 28 years".
    """

    accepted: bool
    start: str
    nodelist: str
    message: str


# What a job may take over from the shell it was submitted in. sbatch runs with exactly these, so that
# --export=ALL means these: naming them in --export would make Slurm 22.05 load the user's login
# environment on the node (SLURM_GET_USER_ENV=1), which costs seconds and may hold tokens.
EXPORTED = (
    "HF_HOME", "HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "LOGNAME", "MODULEPATH", "PATH",
    "SHELL", "SLURM_CONF", "TZ", "USER",
)  # fmt: skip


def submit_command(
    script: str, *, options: tuple[str, ...], export: tuple[str, ...] = EXPORTED
) -> Command:
    """Submit a script given on standard input.

    ``options`` are whole words (``--hold``, ``--chdir=/a b``): they reach sbatch through execve.
    ``export`` names the environment variables that the job gets besides Slurm's own.
    """
    return Command(
        argv=("sbatch", "--parsable", *options),
        stdin=script,
        timeout_s=60.0,
        environment={},
        inherit=export,
    )


def read_job_id(done: Completed) -> str:
    """The number that ``--parsable`` prints: ``12`` or ``12;cluster``.

    Raises:
        SlurmUnavailableError: no answer; the job may exist all the same.
        SlurmRejectedError: sbatch refused.
        SlurmOutputError: it printed something else.
    """
    lines = checked(done).strip().splitlines()
    match = re.fullmatch(r"(\d+)(?:;\S+)?", lines[-1].strip()) if lines else None
    if match is None:
        raise SlurmOutputError(
            f"sbatch --parsable printed {done.stdout[:120]!r} instead of a job id",
            remedy="Report this and the output of `sbatch --version`.",
        )
    return match.group(1)


def feasibility_command(
    script: str, *, options: tuple[str, ...], export: tuple[str, ...] = EXPORTED
) -> Command:
    """Ask whether a script would be accepted; burns a job id, starts nothing."""
    command = submit_command(script, options=options, export=export)
    return replace(command, argv=("sbatch", "--test-only", *options))


def read_feasibility(done: Completed, *, this_year: int) -> Feasibility:
    """Read the answer to `feasibility_command`; Slurm prints it on standard error."""
    text = meaningful(done.stderr).replace("sbatch: ", "")
    match = _TEST_ONLY.search(done.stderr)
    if done.returncode != 0 or match is None:
        return Feasibility(accepted=False, start="", nodelist="", message=text)
    moment = match.group(1)
    is_far = moment[:4].isdigit() and int(moment[:4]) > this_year + 10
    return Feasibility(
        accepted=True, start="" if is_far else moment, nodelist=match.group(2), message=text
    )
