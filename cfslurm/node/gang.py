"""The batch script of a gang: one srun for each component, and one end for all."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cfslurm.adapters.environment import Environment
from cfslurm.adapters.process import Process, start
from cfslurm.core.run.manifest import ComponentEntry, GangEntry
from cfslurm.core.run.names import OUTCOMES
from cfslurm.core.run.outcomes import Event, file_name, retries_used
from cfslurm.node.attempt import DONE, REQUEUE, SOME_FAILED, load_manifest
from cfslurm.node.interrupts import Interrupts, signal_group
from cfslurm.node.outcome_file import OutcomeFile
from cfslurm.node.place import find_place
from cfslurm.ports import Clock

# The outcome file of the gang as a whole; no component can have this name.
GANG = "_gang"
_POLL_S = 0.2
_LAST_WORD_S = 1.0
# How long the others get to save and end when one has ended badly or all work is done.
_PATIENCE_S = 30.0


def run_gang(run: Path, *, entry: str, job_key: str, environment: Environment, clock: Clock) -> int:
    """Start all components and wait for the end of the gang.

    The gang is done when all components that are no services have ended well; the services are
    then told to end. If one component ends badly, or asks for a requeue, the others are told to
    save and end within half a minute.

    Returns the exit code: 0 done, 1 failed for good, 75 asks for a requeue.

    Raises:
        SetupError: this is no job, or srun is not there.
    """
    interrupts = Interrupts()
    manifest = load_manifest(run)
    place = find_place(environment, manifest)
    gang = manifest.gangs[entry]
    outcome = OutcomeFile(run, job_key=job_key, name=GANG, attempt=place.attempt, clock=clock)
    outcome.tell(Event.ATTEMPT, attempt=place.attempt, job=place.job_id, node=place.node)
    ended = _ended_before(outcome.earlier_events())
    if ended is not None:
        outcome.tell(Event.END, exit=ended)
        outcome.close()
        return ended
    steps = {
        component.name: _start(
            _step(gang, component, job_key),
            ("--run", str(run), "--entry", entry, "--job", job_key, "--name", component.name),
            run,
            environment,
        )
        for component in gang.components
    }
    began = clock.monotonic()
    interrupts.call(lambda: _tell(steps, signal.SIGUSR1))
    code = _wait(gang, steps, interrupts, clock)
    unstarted = _unstarted(steps, run / OUTCOMES / job_key, place.attempt)
    at_limit = interrupts.warned and _is_time_limit(clock.monotonic() - began, gang.time_limit_s)
    _end(steps, clock)
    if code == REQUEUE and at_limit and not _has_session(gang):
        sys.stderr.write(
            "cfslurm: the gang came to its time limit, and has no session to go on with\n"
        )
        code = SOME_FAILED
    if code == SOME_FAILED and retries_used(outcome.earlier_events()) < gang.retries:
        outcome.tell(Event.RETRY)
        code = REQUEUE
    if code == REQUEUE and place.attempt >= manifest.max_requeues:
        sys.stderr.write(f"cfslurm: requeued {place.attempt} times; giving up\n")
        code = SOME_FAILED
    reason = {}
    if code == SOME_FAILED and unstarted:
        said = f"srun could not start {', '.join(unstarted)}: see logs/{job_key}.log"
        reason = {"reason": said}
    outcome.tell(Event.END, exit=code, **reason)
    outcome.close()
    return code


def _ended_before(earlier: Iterable[Mapping[str, Any]]) -> int | None:
    """How the gang has ended for good; None if it has not.

    Slurm 24.11.5 starts a job that it has preempted once more after its end.
    """
    codes = [int(event["exit"]) for event in earlier if event["event"] == Event.END]
    return next((code for code in codes if code in (DONE, SOME_FAILED)), None)


def _unstarted(steps: dict[str, Process], outcomes: Path, attempt: int) -> list[str]:
    """The components whose srun has failed, and which have not said a word themselves."""
    begun = {path.name for path in outcomes.iterdir()}
    return [
        name
        for name, step in steps.items()
        if step.poll() not in (None, DONE, REQUEUE) and file_name(name, attempt) not in begun
    ]


def _step(gang: GangEntry, component: ComponentEntry, job_key: str) -> tuple[str, ...]:
    """One step on the component's node; its output goes to a log of its own.

    ``--cpus-per-task`` is said again because srun does not take it over since 22.05. A job with one
    component is no het job to srun, and has no het group.
    """
    group = (f"--het-group={component.het_offset}",) if len(gang.components) > 1 else ()
    return (
        "srun",
        *group,
        "--ntasks=1",
        f"--cpus-per-task={component.cpus}",
        "--export=ALL",
        f"--job-name={component.name}",
        "--open-mode=append",
        f"--output=logs/{job_key}.{component.name}.log",
    )


def _start(
    step: tuple[str, ...], options: tuple[str, ...], run: Path, environment: Environment
) -> Process:
    program = (sys.executable, "-I", "-m", "cfslurm.node", "component")
    return start((*step, *program, *options), environment=environment.variables, directory=run)


def _wait(gang: GangEntry, steps: dict[str, Process], interrupts: Interrupts, clock: Clock) -> int:
    """Wait until the gang has ended: well, badly, or to go on later."""
    workers = [part.name for part in gang.components if not part.is_service]
    while True:
        codes = {name: step.poll() for name, step in steps.items()}
        ended = [code for code in codes.values() if code is not None]
        if any(code not in (DONE, REQUEUE) for code in ended):
            # srun ends with the signal's number when its step is killed from outside; this process
            # may be told a moment later.
            if not interrupts.any:
                clock.sleep(_LAST_WORD_S)
            return REQUEUE if interrupts.any else SOME_FAILED
        if REQUEUE in ended:
            return REQUEUE
        if all(codes[name] == DONE for name in workers):
            return DONE
        if interrupts.terminated:
            return REQUEUE
        clock.sleep(_POLL_S)


def _tell(steps: dict[str, Process], number: int) -> None:
    for step in steps.values():
        if step.poll() is None:
            signal_group(step.pid, number)


def _end(steps: dict[str, Process], clock: Clock) -> None:
    """Tell the components that still run to save and end; then make them."""
    for number in (signal.SIGUSR1, signal.SIGTERM, signal.SIGKILL):
        deadline = clock.monotonic() + _PATIENCE_S
        _tell(steps, number)
        while any(step.poll() is None for step in steps.values()):
            if clock.monotonic() > deadline:
                break
            clock.sleep(_POLL_S)
        else:
            return


def _is_time_limit(ran_s: float, limit_s: int) -> bool:
    """True if a warning after so long was the one before the time limit; else of a preemption.

    Where the site sets preempt_send_user_signal, Slurm sends the same signal before both. The one
    before the limit comes a quarter of it early at the most, and up to a minute earlier than asked
    for (sbatch(1), --signal).
    """
    return ran_s >= limit_s * 3 / 4 - 60


def _has_session(gang: GangEntry) -> bool:
    return any(part.program.session is not None for part in gang.components)
