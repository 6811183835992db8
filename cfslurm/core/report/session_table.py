"""Sessions for people: what there is, what is in one, whether all is whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cfslurm.core.report.conversation import event_text
from cfslurm.core.report.tables import printable, table
from cfslurm.core.session.content import Snapshot
from cfslurm.core.session.diff import Difference, KeyChange
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
    lines = [printable(line) for line in lines]
    lines += [event_text(total - len(shown) + n, event) for n, event in enumerate(shown)]
    if found.steps:
        lines.append(f"Recorded by once: {len(found.steps)}")
        lines += [printable(f"  {key}: {short(result)}") for key, result in found.steps.items()]
    return "\n".join(lines)


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
            others = len(facts.refers_to)
            needs = f"parts of {others} other file(s)" if others else "itself"
            name = folder.rpartition("/")[2]
            rows.append(
                (name, facts.file, facts.saved_at or "-", human_bytes(facts.bytes), needs, what)
            )
    if not rows:
        return "there is no generation to verify"
    bad = sum(facts.damage != "" for generations in found.values() for facts in generations)
    told = table(("SESSION", "GENERATION", "SAVED", "SIZE", "NEEDS", "FOUND"), rows)
    way_out = ": `cfslurm sessions repair SESSION` puts them aside" if bad else ""
    return f"{told}\n{len(rows)} generation(s), {bad} damaged{way_out}"


def diff_text(found: Difference) -> str:
    """What has changed between two states, a line for each key."""
    if found.is_empty:
        return f"{found.later} holds the same as {found.earlier}"
    lines = [f"from {found.earlier}", f"to   {found.later}"]
    lines += [line for change in found.keys for line in _change_lines(change)]
    added, gone = found.events_after - found.events_kept, found.events_before - found.events_kept
    if added or gone:
        lost = f", {gone} earlier ones are not there any more" if gone else ""
        lines.append(f"Events: {added} new ones{lost}")
    if found.steps:
        lines.append("Recorded by once:")
        lines += [line for change in found.steps for line in _change_lines(change)]
    return "\n".join(printable(line) for line in lines)


def _change_lines(change: KeyChange) -> list[str]:
    before = [f"- {change.key}: {change.before}"] if change.before else []
    after = [f"+ {change.key}: {change.after}"] if change.after else []
    return before + after


def repair_text(
    newest: str, damaged: Mapping[str, str], unfinished: Sequence[str], *, deed: str
) -> str:
    """What goes aside or went (``deed``), and what the session goes on from."""
    lines = [f"{name}: {reason}" for name, reason in damaged.items()]
    lines += [f"{name}: unfinished" for name in unfinished]
    lines.append(f"{len(lines)} file(s) {deed}; the session goes on from {newest}")
    return "\n".join(printable(line) for line in lines)


def prune_text(removed: Sequence[str], parts_only: Sequence[str], *, deed: str) -> str:
    """What goes or went (``deed``), and what stays for its parts only."""
    lines = [*removed, *(f"{name}: stays for parts that later ones need" for name in parts_only)]
    lines.append(f"{len(removed)} file(s) {deed}")
    return "\n".join(printable(line) for line in lines)
