"""sbatch: submit a batch script, or ask whether it could be."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from cfslurm.core.slurm.answers import checked, meaningful
from cfslurm.core.slurm.command import SLURM_ENVIRONMENT, Command, Completed
from cfslurm.errors import SlurmOutputError

# 25.11 prints a stray word: "to start at 2026-11-20T23:43:38 a using 1 processors".
_TEST_ONLY = re.compile(r"Job \d+ to start at (\S+).*? using \d+ processors on (?:nodes )?(\S+)")
# "now + 28 years" is Slurm's way of saying: feasible, time unknown. Seen in 22.05, 25.11 and 26.05.
_FAR_S = 10 * 365 * 86400


@dataclass(frozen=True, slots=True, kw_only=True)
class Feasibility:
    """What ``sbatch --test-only`` says of a script.

    ``start_time`` (seconds since the epoch) is None where Slurm knows no time.
    """

    accepted: bool
    start_time: int | None
    nodelist: str
    message: str


def submit_command(
    script: str, *, options: tuple[str, ...], environment: Mapping[str, str]
) -> Command:
    """Submit a script given on standard input.

    ``options`` are whole words (``--hold``, ``--chdir=/a b``): they reach sbatch through execve.
    """
    return Command(
        argv=("sbatch", "--parsable", *options),
        stdin=script,
        timeout_s=60.0,
        environment={**SLURM_ENVIRONMENT, **environment},
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
    script: str, *, options: tuple[str, ...], environment: Mapping[str, str]
) -> Command:
    """Ask whether a script would be accepted; burns a job id, starts nothing."""
    command = submit_command(script, options=options, environment=environment)
    return Command(
        argv=("sbatch", "--test-only", *command.argv[2:]),
        stdin=script,
        timeout_s=command.timeout_s,
        environment=command.environment,
    )


def read_feasibility(done: Completed, *, now: int) -> Feasibility:
    """Read the answer to `feasibility_command`; Slurm prints it on standard error.

    ``SLURM_TIME_FORMAT`` does not reach this text: its times are local and not read, only compared
    with the far future through their year.
    """
    text = meaningful(done.stderr).replace("sbatch: ", "")
    match = _TEST_ONLY.search(done.stderr)
    if done.returncode != 0 or match is None:
        return Feasibility(accepted=False, start_time=None, nodelist="", message=text)
    moment = match.group(1)
    start = int(moment) if moment.isdigit() else None
    if start is not None and start > now + _FAR_S:
        start = None
    return Feasibility(accepted=True, start_time=start, nodelist=match.group(2), message=text)
