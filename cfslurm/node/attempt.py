"""What an array task and a gang's component have in common: one child program and its end."""

from __future__ import annotations

import json
import signal
from dataclasses import dataclass
from pathlib import Path

from cfslurm.adapters.process import start
from cfslurm.core.documents import Json
from cfslurm.core.run.manifest import Manifest, Program, read_manifest
from cfslurm.core.run.names import MANIFEST
from cfslurm.core.workflow.placeholders import fill
from cfslurm.errors import RunError, SetupError
from cfslurm.node.interrupts import Interrupts, signal_group
from cfslurm.node.surroundings import Surroundings
from cfslurm.ports import Clock

DONE = 0
SOME_FAILED = 1
SUPERSEDED = 3
REQUEUE = 75
MAX_RESULT_BYTES = 64 * 1024
# Who ends a job, or a node, ends its processes one after the other. A program that was ended by a
# signal is only believed to have failed if this process is still there afterwards, and was not told.
_SIGNALLED_ALONE_S = 1.0
# What a program may take to end once its time is up.
_GRACE_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a program ended: its exit code, negative for a signal, and whether its time was up.

    Units: ``limit_s`` is the time that it may take, 0 for no limit of its own.
    """

    code: int
    limit_s: int = 0
    was_too_long: bool = False

    @property
    def was_signalled(self) -> bool:
        """True if somebody else ended it by KILL or TERM; a shell tells that as 128 + number."""
        signals = (signal.SIGKILL, signal.SIGTERM)
        codes = {code for number in signals for code in (-number, 128 + number)}
        return self.code in codes and not self.was_too_long

    @property
    def text(self) -> str:
        """The end in words."""
        if self.was_too_long:
            return f"time limit: not done after {self.limit_s} s"
        if self.code >= 0:
            return f"exit {self.code}"
        try:
            return f"killed by {signal.Signals(-self.code).name}"
        except ValueError:
            return f"killed by signal {-self.code}"


def load_manifest(run: Path) -> Manifest:
    """The manifest of a run.

    Raises:
        RunError: it is missing, damaged, or of another version.
    """
    try:
        return read_manifest(json.loads((run / MANIFEST).read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise RunError(
            f"cannot read the manifest of {run}: {error}",
            remedy="Is the run's directory on a filesystem that this node sees?",
        ) from error


def run_program(
    program: Program,
    around: Surroundings,
    interrupts: Interrupts,
    *,
    clock: Clock,
    spare: bool,
    limit_s: int = 0,
) -> Ended:
    """Start a program, pass signals on, and wait for its end; after ``limit_s`` seconds end it.

    With ``spare`` a first warning (USR1) is kept from a program that has no session: it may still
    end in time. Everything else is told by TERM, to the program and all it has started.

    Raises:
        SetupError: the program or its folder is not there.
    """
    argv = fill(program.command, around.placeholders)
    try:
        child = start(argv, environment=around.environment, directory=Path(program.workdir))
    except OSError as error:
        raise SetupError(
            f"cannot start {argv[0]!r} in {program.workdir}: {error.strerror}",
            remedy="Check the command's name, its rights and the workdir on the compute node.",
        ) from error

    def pass_on() -> None:
        if interrupts.terminated or not spare:
            signal_group(child.pid, signal.SIGTERM)

    too_long = False

    def time_is_up() -> None:
        nonlocal too_long
        signal_group(child.pid, signal.SIGKILL if too_long else signal.SIGTERM)
        too_long = True
        interrupts.at_most(_GRACE_S, time_is_up)

    interrupts.call(pass_on)
    interrupts.at_most(limit_s, time_is_up)
    code = child.wait()
    interrupts.at_most(0, lambda: None)
    interrupts.call(lambda: None)
    signal_group(child.pid, signal.SIGKILL)  # what the program left behind in its group
    ended = Ended(code=code, limit_s=limit_s, was_too_long=too_long)
    if ended.was_signalled and not interrupts.any:
        clock.sleep(_SIGNALLED_ALONE_S)
    return ended


def is_time_limit(ran_s: float, *, limit_s: int) -> bool:
    """True if work that was ended after so long was ended by its time limit; else it was preempted.

    The signal does not tell: where the site sets preempt_send_user_signal, Slurm sends the same one
    before both. Of the limit a minute, or a quarter of a short one, is left for the start.
    """
    return ran_s >= limit_s - min(60.0, limit_s / 4)


def take_result(temporary: Path) -> Json:
    """What the program wrote into CFSLURM_RESULT: any JSON up to 64 KiB, else None; then it is gone."""
    path = temporary / "result.json"
    try:
        text = path.read_text(encoding="utf-8")
        path.unlink()
        value: Json = json.loads(text) if len(text) <= MAX_RESULT_BYTES else None
    except (OSError, ValueError):
        return None
    return value
