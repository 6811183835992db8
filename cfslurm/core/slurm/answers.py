"""What every reader of a Slurm program's answer needs: refuse, or go on."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cfslurm.core.slurm.command import Completed
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
_KEY = re.compile(r"(?:^|(?<=\s))([A-Za-z][A-Za-z0-9_/:]*)=")


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
        remedy=f"Run `{program} --version` and the call by hand: `{' '.join(done.command.argv)}`.",
    )


def is_silence(done: Completed) -> bool:
    """True if the call failed because nobody answered, so that its effect is unknown."""
    return done.returncode != 0 and _SILENT.search(done.stderr) is not None


def meaningful(text: str) -> str:
    """The lines of an error text that say something, joined to one."""
    lines = (line.strip() for line in text.splitlines())
    return "; ".join(line for line in lines if line)


def one_line_records(text: str, *, first_key: str, program: str) -> Iterator[dict[str, str]]:
    """Read the ``-o`` (one line per record) form of ``scontrol show``.

    A value may hold blanks, and free text at a line's end (a node's Comment, a Reason) may hold what
    looks like a key: the first occurrence of a key wins, since Slurm prints its own fields first.

    Raises:
        SlurmOutputError: a line does not begin with ``first_key``.
    """
    for line in text.splitlines():
        if not line.strip() or line.startswith("No "):
            continue
        if not line.startswith(f"{first_key}="):
            raise SlurmOutputError(
                f"{program} printed a line that does not begin with {first_key}=: {line[:120]!r}",
                remedy=f"Report this line and the output of `{program} --version`.",
            )
        record: dict[str, str] = {}
        found = list(_KEY.finditer(line))
        for match, following in zip(found, [*found[1:], None], strict=True):
            end = following.start() if following else len(line)
            record.setdefault(match.group(1), line[match.end() : end].strip())
        yield record


def need(record: dict[str, str], key: str, *, program: str) -> str:
    """A field that must be there.

    Raises:
        SlurmOutputError: it is not.
    """
    try:
        return record[key]
    except KeyError as error:
        raise SlurmOutputError(
            f"{program} printed a record without {key}: {str(record)[:160]}",
            remedy=f"Report this record and the output of `{program} --version`.",
        ) from error


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
