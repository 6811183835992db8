"""Every error that cfslurm raises on purpose.

CfslurmError(message, *, remedy)            exit   transient
├─ UserInputError                             2             command line, workflow, config, template
│  └─ InvalidFileError                        2             all mistakes of one file, each with its place
├─ InfeasibleError                            3             no plan exists; carries the reasons
├─ PlanningTimeoutError                      75      yes    the solver found no plan in its time
├─ SlurmError                                69
│  ├─ SlurmUnavailableError                  75      yes    no answer within the timeout
│  ├─ SlurmRejectedError                     69             a Slurm program answered no; carries its stderr
│  └─ SlurmOutputError                       69             we cannot read what it printed (version drift)
├─ HubError                                  69
│  ├─ HubUnavailableError                    75      yes
│  └─ HubAccessError                         69             gated, private, missing
├─ CacheError                                69             full, corrupt
│  └─ CacheBusyError                         75      yes    somebody else fills it
├─ SessionError                              69             damaged, or written by a newer cfslurm
│  ├─ SessionSupersededError                  3             a later attempt has it (core/session/claims)
│  └─ SessionHeldError                       69             somebody else has it (core/session/claims)
├─ SetupError                                69             something this machine lacks
└─ RunError                                  69             a run's directory cannot be used
   └─ SubmissionInterruptedError            130             Ctrl-C while jobs were being submitted

Other exit codes: 0 done; 1 done, and the answer is "no"; 70 a bug in cfslurm; 130 interrupted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

OK = 0
ANSWER_IS_NO = 1
BUG = 70
INTERRUPTED = 130


class CfslurmError(Exception):
    """Something the user can act on: what is wrong with which thing, and what to type."""

    exit_code: ClassVar[int] = 69
    transient: ClassVar[bool] = False

    def __init__(self, message: str, *, remedy: str) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


class UserInputError(CfslurmError):
    """The command line, a file or a template is wrong."""

    exit_code = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One mistake in a file, and the way out.

    ``line`` and ``column`` count from 1; both are 0 where the file has no such place, for example
    in a workflow that was written in Python.
    """

    path: str
    message: str
    remedy: str
    line: int = 0
    column: int = 0


class InvalidFileError(UserInputError):
    """All mistakes of one file at once, in the order of their place."""

    def __init__(self, source: str, problems: tuple[Problem, ...], *, text: str = "") -> None:
        count = "1 error" if len(problems) == 1 else f"{len(problems)} errors"
        super().__init__(f"{source}: {count}", remedy=problems[0].remedy)
        self.source = source
        self.problems = problems
        self.text = text


class InfeasibleError(CfslurmError):
    """No plan exists; ``reasons`` says why in the user's words."""

    exit_code = 3

    def __init__(self, message: str, *, remedy: str, reasons: tuple[str, ...] = ()) -> None:
        super().__init__(message, remedy=remedy)
        self.reasons = reasons


class PlanningTimeoutError(CfslurmError):
    """The solver found no plan within its time, and cannot say that there is none."""

    exit_code = 75
    transient = True


class SlurmError(CfslurmError):
    """Slurm did not do what was asked."""


class SlurmUnavailableError(SlurmError):
    """Slurm gave no answer in time; trying again can help."""

    exit_code = 75
    transient = True


class SlurmRejectedError(SlurmError):
    """A Slurm program answered no."""


class SlurmOutputError(SlurmError):
    """A Slurm program printed something that cfslurm cannot read."""


class HubError(CfslurmError):
    """The Hub did not do what was asked."""


class HubUnavailableError(HubError):
    """The Hub gave no usable answer; trying again can help, after ``wait_s`` where the Hub says so."""

    exit_code = 75
    transient = True

    def __init__(self, message: str, *, remedy: str, wait_s: float = 0.0) -> None:
        super().__init__(message, remedy=remedy)
        self.wait_s = wait_s


class HubAccessError(HubError):
    """The repository is gated, private, renamed or missing."""


class CacheError(CfslurmError):
    """The model cache is full, damaged or not writable."""


class CacheBusyError(CacheError):
    """Somebody else is filling the same entry; trying again can help."""

    exit_code = 75
    transient = True


class SessionError(CfslurmError):
    """A session is damaged, foreign, or written by a newer cfslurm."""


class SetupError(CfslurmError):
    """This machine lacks something that the command needs."""


class RunError(CfslurmError):
    """A run's directory is missing, damaged or not ours."""


class SubmissionInterruptedError(RunError):
    """Ctrl-C came while the jobs of a run were being submitted."""

    exit_code = INTERRUPTED
