"""Sessions for people: what there is, what is in one, whether all is whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cfslurm.core.report.tables import printable, table
from cfslurm.core.session.content import Snapshot
from cfslurm.core.session.survey import GenerationFacts, SessionFacts, short
from cfslurm.core.slurm.units import human_bytes


def list_text(found: Sequence[SessionFacts]) -> str:
    """The sessions of a run, a line each; problems below."""
    head = ("SESSION", "GENERATION", "SAVED", "EVENTS", "KEPT", "SIZE", "WRITER")
    rows = [
        (
            facts.name,
            facts.generation or "-",
            facts.saved_at or "-",
            facts.events,
            facts.generations,
            human_bytes(facts.bytes),
            f"{facts.holder}{'' if facts.is_held else ', closed'}" if facts.holder else "-",
        )
        for facts in found
    ]
    problems = [f"{facts.name}: {facts.problem}" for facts in found if facts.problem]
    return "\n".join((table(head, rows), *problems))


def show_text(found: Snapshot, most: int) -> str:
    """One session: its state, its last events, what `once` has recorded."""
    lines = [
        f"Session {found.name}   generation {found.generation} of epoch {found.epoch}   "
        f"saved {found.saved_at}",
        f"by {found.writer}",
        *(f"warning: {warning}" for warning in found.warnings),
        "State:" if found.state else "State: empty",
        *(f"  {key}: {short(value)}" for key, value in found.state.items()),
    ]
    total = len(found.events)
    shown = last_events(found, most)
    lines.append(f"Events: {total}" + (f", the last {len(shown)}:" if shown else ""))
    lines += [f"  {total - len(shown) + n}  {short(event)}" for n, event in enumerate(shown)]
    if found.steps:
        lines.append(f"Recorded by once: {len(found.steps)}")
        lines += [f"  {key}: {short(result)}" for key, result in found.steps.items()]
    return "\n".join(printable(line) for line in lines)


def last_events(found: Snapshot, most: int) -> list[Any]:
    """The last events of a session, at most so many."""
    return found.events[max(0, len(found.events) - most) :]


def verify_text(found: Mapping[str, Sequence[GenerationFacts]]) -> str:
    """Every generation of some sessions, by folder, and what was found."""
    rows = []
    for folder, generations in found.items():
        for facts in generations:
            what = facts.damage or "whole"
            if facts.journal_damage:
                what += f"; {facts.journal_damage} damaged line(s) in its journal"
            rows.append((folder.rpartition("/")[2], facts.file, human_bytes(facts.bytes), what))
    if not rows:
        return "there is no generation to verify"
    bad = sum(facts.damage != "" for generations in found.values() for facts in generations)
    told = table(("SESSION", "GENERATION", "SIZE", "FOUND"), rows)
    return f"{told}\n{len(rows)} generation(s), {bad} damaged"
