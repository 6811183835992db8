"""An array task: runs its items one after the other, each at most once to its end."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from cfslurm.adapters.environment import Environment
from cfslurm.core.run.manifest import ArrayEntry, Program
from cfslurm.core.run.outcomes import Event, finished_items, retries_used
from cfslurm.core.workflow.items import item_fields
from cfslurm.errors import RunError
from cfslurm.node.attempt import (
    DONE,
    REQUEUE,
    SOME_FAILED,
    SUPERSEDED,
    is_time_limit,
    load_manifest,
    run_program,
    take_result,
)
from cfslurm.node.interrupts import Interrupts
from cfslurm.node.outcome_file import OutcomeFile
from cfslurm.node.place import find_place
from cfslurm.node.surroundings import Here, surroundings, variant_here, with_item
from cfslurm.ports import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class _Task:
    name: str
    entry: ArrayEntry
    program: Program
    item_limit_s: int
    here: Here
    interrupts: Interrupts
    outcome: OutcomeFile
    clock: Clock


def run_array_task(
    run: Path, *, entry: str, job_key: str, environment: Environment, clock: Clock
) -> int:
    """Run the items of this array task that no earlier attempt has finished.

    Returns the exit code: 0 all done, 1 some failed, 3 a newer attempt has taken over, 75 asks for
    a requeue.

    Raises:
        SetupError: the node, the variant or the program is not what the plan expects.
        RunError: the run's directory cannot be used.
    """
    interrupts = Interrupts()
    manifest = load_manifest(run)
    place = find_place(environment, manifest)
    outcome = OutcomeFile(
        run, job_key=job_key, name=str(place.array_task_id), attempt=place.attempt, clock=clock
    )
    with TemporaryDirectory(prefix="cfslurm-") as temporary:
        task = _Task(
            name=entry,
            entry=manifest.arrays[entry],
            program=manifest.arrays[entry].program_of(job_key),
            item_limit_s=_item_limit_s(manifest.arrays[entry], job_key),
            here=Here(
                manifest=manifest,
                place=place,
                temporary=Path(temporary),
                inherited=environment.variables,
            ),
            interrupts=interrupts,
            outcome=outcome,
            clock=clock,
        )
        _tell_attempt(task)
        with outcome.telling_errors():
            code = _run_items(run, task, job_key)
        outcome.tell(Event.END, exit=code)
    outcome.close()
    return code


def _tell_attempt(task: _Task) -> None:
    program, place = task.program, task.here.place
    chosen = program.variants.get(place.node_class)
    task.outcome.tell(
        Event.ATTEMPT,
        attempt=place.attempt,
        job=place.job_id,
        node=place.node,
        **{"class": place.node_class, "variant": chosen.variant if chosen else ""},
    )


def _run_items(run: Path, task: _Task, job_key: str) -> int:
    part = task.entry.parts[job_key]
    earlier = task.outcome.earlier_events()
    finished = finished_items(earlier)
    failed = any(event["event"] == Event.FAILED for event in earlier)
    begun = False
    for item, fields in _items(run, task.entry, part.items_of(task.here.place.array_task_id)):
        if item in finished:
            continue
        if task.outcome.is_superseded():
            return SUPERSEDED
        if task.interrupts.any:
            return _requeue(task)
        retries = task.entry.retries - retries_used(earlier, item)
        ended = _run_item(task, item, fields, retries=retries, first=not begun)
        begun = True
        if ended is None:
            return SUPERSEDED
        if ended in (Event.INTERRUPTED, Event.RETRY):
            return _requeue(task)
        failed = failed or ended is Event.FAILED
    return SOME_FAILED if failed else DONE


def _requeue(task: _Task) -> int:
    """Ask for a requeue, but not for ever."""
    if task.here.place.attempt < task.here.manifest.max_requeues:
        return REQUEUE
    sys.stderr.write(f"cfslurm: requeued {task.here.place.attempt} times; giving up\n")
    return SOME_FAILED


def _items(run: Path, entry: ArrayEntry, wanted: range) -> Iterator[tuple[int, dict[str, str]]]:
    """The wanted items with the placeholders that they fill.

    Raises:
        RunError: the run's list of items is shorter than the plan says.
    """
    if not entry.items:
        yield from ((item, {}) for item in wanted)
        return
    found = 0
    with (run / entry.items).open(encoding="utf-8") as lines:
        for number, text in enumerate(lines):
            if number >= wanted.stop:
                break
            if number >= wanted.start:
                found += 1
                yield number, item_fields(json.loads(text))
    if found < len(wanted):
        raise RunError(
            f"{entry.items} ends before item {wanted.stop - 1}",
            remedy="The run's directory was changed; submit the workflow again.",
        )


def _run_item(
    task: _Task, item: int, fields: dict[str, str], *, retries: int, first: bool
) -> Event | None:
    """Run one item until it is done, has failed as often as it may, or is cut off.

    ``first`` says that no other item came before it in this attempt. RETRY means that it failed and
    needs another attempt; None that another attempt has taken over.
    """
    program = task.program
    base = surroundings(program, task.here, entry=task.name, session=f"{task.name}.{item}")
    around = with_item(base, index=item, fields=fields)
    for remaining in range(retries, -1, -1):
        _say(task, item)
        task.outcome.tell(Event.START, item=item)
        began = task.clock.monotonic()
        ended = run_program(
            program, around, task.interrupts, clock=task.clock, spare=program.session is None,
            limit_s=task.item_limit_s,
        )  # fmt: skip
        seconds = round(task.clock.monotonic() - began, 3)
        result = take_result(task.here.temporary)
        if ended.code == 0:
            task.outcome.tell(Event.DONE, item=item, exit=0, seconds=seconds, result=result)
            return Event.DONE
        if task.outcome.is_superseded():
            return None
        reason = ended.text
        if (task.interrupts.any or ended.code == REQUEUE) and not ended.was_too_long:
            if not (first and _had_its_time(task, seconds)):
                task.outcome.tell(Event.INTERRUPTED, item=item, reason=reason, seconds=seconds)
                return Event.INTERRUPTED
            reason = f"time limit: {reason}"
        kind = Event.RETRY if remaining else Event.FAILED
        task.outcome.tell(kind, item=item, exit=ended.code, seconds=seconds, reason=reason)
        if task.interrupts.any:
            return kind
        first = False
    return Event.FAILED


def _item_limit_s(entry: ArrayEntry, job_key: str) -> int:
    """Seconds that one item may take where several share an array task; 0: Slurm's limit is enough.

    A program with a session is left to Slurm's limit: it saves and goes on.
    """
    is_shared = entry.parts[job_key].pack > 1
    return entry.time_limit_s if is_shared and entry.program.session is None else 0


def _had_its_time(task: _Task, seconds: float) -> bool:
    """True if another attempt would end as this one did: at its time limit, with nothing saved.

    A program with a session saves and goes on.
    """
    return (
        task.interrupts.warned
        and task.program.session is None
        and is_time_limit(seconds, limit_s=task.entry.time_limit_s)
    )


def _say(task: _Task, item: int) -> None:
    """A line in the job's log, so that a reader knows whose output follows."""
    variant = ""
    if task.program.variants:
        variant = f" with {variant_here(task.program, task.here.place).variant}"
    sys.stdout.write(
        f"cfslurm: item {item} on {task.here.place.node}{variant}, attempt {task.here.place.attempt}\n"
    )
    sys.stdout.flush()
