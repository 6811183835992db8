"""Options → a mixed-integer programme.

Sets:      G groups; O options, O(g) those of group g, O(c) those on node class c; L levels of the
           order of needs, l(g) the level of group g.
Data:      n[g] items; t[o] seconds and p[o] GPUs of one item; K[c,θ] GPUs of class c in blocks of θ
           on one node: the mean of what is free now and of what there is, since others' jobs end.
Variables: x[o] share of group g(o) that takes option o, in [0,1]; whole for gangs and single items.
           d[l] seconds that level l lasts.
Rows:      one:<g>            sum of x over O(g) == 1                       every group is placed
           gpus:<c>:<θ>@<l>   sum of p t n x over o in O(c), l(o)=l, p>=θ <= K[c,θ] d[l]
           cpus:<c>@<l>       the same with CPUs
           longest:<g>        sum of t x over O(g) <= d[l(g)]               one item must end
           apart:<gang>:<c>   sum of x over the gang's options on c <= nodes of c
                              Slurm puts the components of a het job on different nodes
           budget             sum of GPU hours <= B
           deadline           sum of d <= D
           level:<name>       what an earlier objective has reached is kept (see `objectives`)
Minimise:  one objective after the other, see `objectives`.

Nested rows for θ = 1, 2, 4 … are exact where sizes divide each other: a job with two GPUs needs them
on one node. Everything is sorted, so the order of the input cannot change the plan.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from cfslurm.core.hardware.classes import NodeClass
from cfslurm.core.planner.milp import Column, Milp, Row
from cfslurm.core.planner.options import Option
from cfslurm.core.workflow.model import Goal, Weights

# How much of an earlier objective a later one may give up.
_SLACK = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the user allows the whole run; None is no limit."""

    gpu_hours: float | None = None
    deadline_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """One thing to make small: a coefficient for each column."""

    name: str
    terms: Mapping[str, float]


def formulate(options: Sequence[Option], classes: Sequence[NodeClass], limits: Limits) -> Milp:
    """The programme without an objective."""
    ordered = sorted(options, key=lambda option: option.name)
    levels = sorted({option.group.level for option in ordered})
    columns = [
        Column(name=o.name, upper=1.0, is_integer=o.group.is_gang or o.group.count == 1)
        for o in ordered
    ]
    columns += [Column(name=_length(level)) for level in levels]
    rows = [
        *_placement_rows(ordered),
        *_capacity_rows(ordered, classes),
        *_apart_rows(ordered, classes),
        *_limit_rows(ordered, levels, limits),
    ]
    return Milp(columns=tuple(columns), objective={}, rows=tuple(rows))


def _length(level: int) -> str:
    return f"d:{level}"


def _placement_rows(options: Sequence[Option]) -> list[Row]:
    rows = []
    for key in sorted({option.group.key for option in options}):
        mine = [option for option in options if option.group.key == key]
        rows.append(
            Row(name=f"one:{key}", terms={o.name: 1.0 for o in mine}, sense="==", bound=1.0)
        )
        terms = {o.name: o.item_s for o in mine}
        terms[_length(mine[0].group.level)] = -1.0
        rows.append(Row(name=f"longest:{key}", terms=terms, sense="<=", bound=0.0))
    return rows


def _capacity_rows(options: Sequence[Option], classes: Sequence[NodeClass]) -> list[Row]:
    rows = []
    for node_class in sorted(classes, key=lambda c: c.name):
        here = [option for option in options if option.node_class.name == node_class.name]
        for level in sorted({option.group.level for option in here}):
            now = [option for option in here if option.group.level == level]
            for theta in sorted({option.gpus for option in now if option.gpus}):
                terms = {o.name: _work(o) * o.gpus for o in now if o.gpus >= theta}
                terms[_length(level)] = -gpu_capacity(node_class, theta)
                name = f"gpus:{node_class.name}:{theta}@{level}"
                rows.append(Row(name=name, terms=terms, sense="<=", bound=0.0))
            terms = {o.name: _work(o) * o.group.resources.cpus for o in now}
            terms[_length(level)] = -cpu_capacity(node_class)
            rows.append(
                Row(name=f"cpus:{node_class.name}@{level}", terms=terms, sense="<=", bound=0.0)
            )
    return rows


def _work(option: Option) -> float:
    """Seconds of all items of the group, if all took this option."""
    return option.item_s * option.group.count


def gpu_capacity(node_class: NodeClass, theta: int) -> float:
    """GPUs in blocks of ``theta`` on one node: the mean of free now and there at all, at least one block.

    What others hold now counts half: their jobs end at a time that is not known here.
    """
    free = sum(count // theta * theta for count in node_class.free_gpus)
    total = node_class.gpu_count // theta * theta * len(node_class.free_gpus)
    return max(float(theta), (free + total) / 2)


def cpu_capacity(node_class: NodeClass) -> float:
    """CPUs, by the same rule."""
    return max(1.0, (sum(node_class.free_cpus) + node_class.cpus * len(node_class.free_cpus)) / 2)


def _apart_rows(options: Sequence[Option], classes: Sequence[NodeClass]) -> list[Row]:
    nodes = {node_class.name: len(node_class.free_cpus) for node_class in classes}
    gangs: dict[tuple[str, str], dict[str, float]] = {}
    for option in options:
        if option.group.is_gang:
            key = (option.group.entry, option.node_class.name)
            gangs.setdefault(key, {})[option.name] = 1.0
    return [
        Row(name=f"apart:{gang}:{name}", terms=terms, sense="<=", bound=float(nodes[name]))
        for (gang, name), terms in sorted(gangs.items())
    ]


def _limit_rows(options: Sequence[Option], levels: Sequence[int], limits: Limits) -> list[Row]:
    rows = []
    if limits.gpu_hours is not None:
        terms = gpu_hour_terms(options)
        rows.append(Row(name="budget", terms=terms, sense="<=", bound=limits.gpu_hours))
    if limits.deadline_s is not None:
        terms = {_length(level): 1.0 for level in levels}
        rows.append(Row(name="deadline", terms=terms, sense="<=", bound=limits.deadline_s))
    return rows


def gpu_hour_terms(options: Sequence[Option]) -> dict[str, float]:
    """GPU hours of a group, if all of it took an option."""
    return {o.name: o.gpu_hours_per_item * o.group.count for o in options}


def time_objective(milp: Milp) -> Objective:
    """Seconds from the first start to the last end."""
    terms = {column.name: 1.0 for column in milp.columns if column.name.startswith("d:")}
    return Objective(name="time", terms=terms)


def cost_objective(options: Sequence[Option], price: Mapping[str, float]) -> Objective:
    """Price of all GPU hours; one unit an hour where the site gives no price.

    A CPU second costs a millionth of that: enough that of two equal ways the smaller is taken.
    """
    terms = {}
    for option in options:
        hours = option.gpu_hours_per_item * option.group.count
        rate = price.get(option.node_class.gpu_type, 1.0)
        terms[option.name] = hours * rate + 1e-6 * _work(option) * option.group.resources.cpus
    return Objective(name="cost", terms=terms)


def quality_objective(options: Sequence[Option]) -> Objective:
    """Mean lost percent of quality, every item with a model counting the same."""
    with_model = {o.group.key: o.group.count for o in options if o.variant is not None}
    total = sum(with_model.values()) or 1
    return Objective(
        name="quality",
        terms={
            o.name: (100 - o.quality) * o.group.count / total
            for o in options
            if o.variant is not None
        },
    )


_ORDER = {
    Goal.FAST: ("time", "cost", "quality"),
    Goal.CHEAP: ("cost", "time", "quality"),
    Goal.BEST_QUALITY: ("quality", "time", "cost"),
}


def objective_order(goal: Goal) -> tuple[str, ...]:
    """What is made small first, second and last."""
    return _ORDER[goal]


def weighted(
    weights: Weights, parts: Mapping[str, Objective], best: Mapping[str, float]
) -> Objective:
    """One objective from three: time and cost relative to the best possible, quality in percent."""
    terms: dict[str, float] = {}
    for name, weight in (
        ("time", weights.time),
        ("cost", weights.cost),
        ("quality", weights.quality),
    ):
        scale = weight if name == "quality" else weight / best[name] if best[name] > 0 else 0.0
        for column, value in parts[name].terms.items():
            terms[column] = terms.get(column, 0.0) + scale * value
    return Objective(name="weights", terms=terms)


def with_objective(milp: Milp, objective: Objective) -> Milp:
    """The programme with something to make small."""
    return replace(milp, objective=dict(sorted(objective.terms.items())))


def with_reached(milp: Milp, objective: Objective, value: float) -> Milp:
    """The programme with a row that keeps what an objective has reached, up to 1 %."""
    bound = value + abs(value) * _SLACK + 1e-6
    row = Row(name=f"level:{objective.name}", terms=dict(objective.terms), sense="<=", bound=bound)
    return replace(milp, rows=(*milp.rows, row))


def value_of(objective: Objective, values: Mapping[str, float]) -> float:
    """What an objective comes to."""
    return sum(value * values.get(column, 0.0) for column, value in objective.terms.items())
