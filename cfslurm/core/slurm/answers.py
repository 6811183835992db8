"""What every reader of a Slurm program's answer needs: refuse, or go on."""

from __future__ import annotations

import re
import shlex

from cfslurm.core.slurm.command import Command, Completed
from cfslurm.errors import SlurmOutputError, SlurmRejectedError, SlurmUnavailableError

# The texts with which client programs say that slurmctld or slurmdbd did not answer.
# Source: measured with a proxy between sbatch and slurmctld 22.05 (requests and answers dropped or cut);
# "Unexpected message received" is all that `scontrol release` of 22.05 says of a slurmctld that is down.
_SILENT = re.compile(
    r"Unable to contact slurm controller|Socket timed out|Connection refused|"
    r"Connection reset by peer|Zero Bytes were transmitted|Transport endpoint is not connected|"
    r"Munge decode failed|Communication connection failure|Unexpected message received",
    re.IGNORECASE,
)


def checked(done: Completed) -> str:
    """The answer of a call that must succeed.

    Raises:
        SlurmUnavailableError: the daemon behind the program did not answer.
        SlurmRejectedError: the program exited non-zero for another reason.
    """
    if done.returncode == 0:
        return done.stdout
    raise refusal(done)


def refusal(done: Completed) -> SlurmUnavailableError | SlurmRejectedError:
    """The error that a failed call stands for."""
    program = done.command.argv[0]
    said = meaningful(done.stderr) or meaningful(done.stdout) or "no message"
    if _SILENT.search(done.stderr):
        return SlurmUnavailableError(
            f"{program} could not reach Slurm: {said}",
            remedy="Run `scontrol ping`; when it says UP, run the same command again.",
        )
    return SlurmRejectedError(
        f"{program} exited {done.returncode}: {said}",
        remedy=f"Run `{program} --version` and the call by hand: `{command_text(done.command)}`.",
    )


def command_text(command: Command) -> str:
    """A command as a person would type it, at most 120 characters."""
    text = shlex.join(command.argv)
    return text if len(text) <= 120 else f"{text[:117]}..."


def is_silence(done: Completed) -> bool:
    """True if the call failed because nobody answered, so that its effect is unknown."""
    return done.returncode != 0 and _SILENT.search(done.stderr) is not None


def meaningful(text: str) -> str:
    """The lines of an error text that say something, joined to one."""
    lines = (line.strip() for line in text.splitlines())
    return "; ".join(line for line in lines if line)


def integer(text: str, *, what: str) -> int:
    """A whole number that Slurm printed.

    Raises:
        SlurmOutputError: it is something else.
    """
    try:
        return int(text)
    except ValueError as error:
        raise SlurmOutputError(
            f"Slurm printed {text!r} where {what} should stand",
            remedy="Report this value and the output of `scontrol --version`.",
        ) from error
