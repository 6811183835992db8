"""A plan for people: what was chosen, what was not, and why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import Enum, auto

from cfslurm.core.models.rates import digits
from cfslurm.core.planner.plan import Choice, Plan, Rejected
from cfslurm.core.report.tables import printable, table
from cfslurm.core.slurm.units import human_bytes, human_seconds
from cfslurm.core.workflow.model import Weights

_CHOSEN = (
    "",
    "GROUP",
    "VARIANT",
    "NODE CLASS",
    "GPUS",
    "PARTITION",
    "ITEMS",
    "EACH",
    "RANGE",
    "TOK/S",
    "FIT",
    "QUALITY",
    "WHY",
)
_MOST_REASONS = 5


class Detail(Enum):
    """How much a plan's text says of what was not taken."""

    CHOSEN = auto()  # nothing
    REASONS = auto()  # the reasons, each with all that it refused
    EVERYTHING = auto()  # each way by itself


def plan_text(plan: Plan, detail: Detail) -> str:
    """A plan as text."""
    parts = [
        _title(plan),
        table(_CHOSEN, [_chosen_row(choice) for choice in plan.choices], indent="  "),
    ]
    if detail is not Detail.CHOSEN:
        for group in sorted({choice.group for choice in plan.choices}):
            mine = [item for item in plan.rejected if item.group == group]
            parts.append(_rejected_text(group, mine, detail))
    parts.append("Assumptions:\n" + "\n".join(f"  {text}" for text in plan.assumptions))
    parts.append(f"Cluster {printable(plan.cluster) or '?'} as of {plan.harvested_at}.")
    return "\n".join(part for part in parts if part)


def _title(plan: Plan) -> str:
    objective = plan.workflow.objective
    name = (
        f"time {objective.time:g}, cost {objective.cost:g}, quality {objective.quality:g}"
        if isinstance(objective, Weights)
        else objective.value
    )
    return (
        f"Plan {plan.workflow.name}   objective {name} ({plan.outcome}, {plan.solver})   "
        f"{human_seconds(plan.makespan_s)} once started   {plan.gpu_hours:.3g} GPU-h"
    )


def _chosen_row(choice: Choice) -> Sequence[object]:
    gpus = f"{choice.gpus} {choice.gpu_type}".strip() if choice.gpus else "-"
    memory = (
        f"{choice.fit} {human_bytes(choice.need_bytes)}/{human_bytes(choice.limit_bytes)}"
        if choice.fit
        else "-"
    )
    return (
        "✔",
        choice.group,
        choice.variant or "-",
        choice.node_class,
        gpus,
        ",".join(choice.partitions),
        choice.items,
        human_seconds(choice.item_s),
        f"{human_seconds(choice.item_low_s)}-{human_seconds(choice.item_high_s)}",
        digits(choice.tokens_per_s.likely) if choice.tokens_per_s else "-",
        memory,
        f"{choice.quality:g}" if choice.variant else "-",
        choice.why,
    )


def _rejected_text(group: str, rejected: Sequence[Rejected], detail: Detail) -> str:
    if not rejected:
        return ""
    # What would have done comes first: it is what a reader compares with.
    ordered = sorted(rejected, key=lambda item: not item.reason.startswith("would do"))
    if detail is Detail.EVERYTHING:
        return _ways(group, [_way(item) for item in ordered])
    rows = _by_reason(ordered)
    more = max(0, len(rows) - _MOST_REASONS)
    text = _ways(group, rows[:_MOST_REASONS])
    return text + (f"\n  … and {more} reasons more (--all shows everything)" if more else "")


def _ways(group: str, rows: Sequence[Sequence[object]]) -> str:
    head = ("", "VARIANT", "NODE CLASS", "GPUS", "REASON")
    return f"Not taken for {group}:\n" + table(head, rows, indent="  ")


def _way(item: Rejected) -> Sequence[object]:
    return ("·", item.variant or "-", item.node_class or "any", item.gpus or "-", item.reason)


def _by_reason(rejected: Sequence[Rejected]) -> list[Sequence[object]]:
    """One row for each reason. A variant is told by its format where that says which one it is."""
    alike: dict[str, list[Rejected]] = {}
    for item in rejected:
        alike.setdefault(item.reason, []).append(item)
    labels = _short_names({item.variant for item in rejected})
    return [
        (
            "·",
            _listed(labels[item.variant] or "-" for item in items),
            _listed(item.node_class or "any" for item in items),
            _listed(str(item.gpus or "-") for item in items),
            reason,
        )
        for reason, items in alike.items()
    ]


def _short_names(variants: Iterable[str]) -> dict[str, str]:
    """Variant to its format ("awq"), or to its whole name where two have the same format."""
    formats: dict[str, list[str]] = {}
    for variant in variants:
        formats.setdefault(variant.rpartition("@")[2], []).append(variant)
    return {
        name: short if len(names) == 1 else name
        for short, names in formats.items()
        for name in names
    }


def _listed(words: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(words))


def explain_plan(plan: Plan, *, group: str, variant: str, node_class: str) -> tuple[str, ...]:
    """Everything that the plan says of a group, a variant or a node class; "" matches all."""
    chosen = [
        choice
        for choice in plan.choices
        if _matches(choice.group, group)
        and _matches(choice.variant, variant)
        and _matches(choice.node_class, node_class)
    ]
    refused = [
        item
        for item in plan.rejected
        if _matches(item.group, group)
        and _matches(item.variant, variant)
        and _matches(item.node_class, node_class)
    ]
    sentences = [_sentence(choice) for choice in chosen]
    sentences += [
        f"{item.group}: not {item.variant or 'the work'}"
        f"{' on ' + item.node_class if item.node_class else ''}"
        f"{f' with {item.gpus} GPU(s)' if item.gpus else ''}: {item.reason}."
        for item in refused
    ]
    return tuple(sentences)


def _matches(text: str, wanted: str) -> bool:
    return wanted.lower() in text.lower()


def _sentence(choice: Choice) -> str:
    what = choice.variant or "the work"
    where = f"{choice.node_class} ({', '.join(choice.partitions)})"
    gpus = f" with {choice.gpus} GPU(s)" if choice.gpus else ""
    memory = "".join(
        f"\n    {term.name:<12} {human_bytes(term.bytes):>8}  {term.certainty}: {term.formula}"
        for term in choice.memory
    )
    limit = f"\n    {'limit':<12} {human_bytes(choice.limit_bytes):>8}  per GPU" if memory else ""
    return (
        f"{choice.group}: {what} on {where}{gpus} for {choice.items} item(s), "
        f"{human_seconds(choice.item_s)} each: {choice.why}.{_speed(choice)}{memory}{limit}"
    )


def _speed(choice: Choice) -> str:
    """Where the time comes from, and how far it may be off."""
    low, high = human_seconds(choice.item_low_s), human_seconds(choice.item_high_s)
    lines = [f"time         {low} to {high}  8 of 10 items; {choice.source}"]
    if choice.tokens_per_s is not None:
        rate = choice.tokens_per_s
        lines.append(
            f"speed        {digits(rate.low)} to {digits(rate.high)} tok/s  "
            f"while decoding, {digits(rate.likely)} likely"
        )
    return "".join(f"\n    {line}" for line in lines)
