"""Workflow, hardware and catalogue → plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cfslurm.core.hardware.classes import node_classes
from cfslurm.core.hardware.graph import HardwareGraph
from cfslurm.core.models.engines import Engine
from cfslurm.core.models.speed import ASSUMED, TOKENS_ASSUMED, Knowledge
from cfslurm.core.models.variants import ModelCatalog
from cfslurm.core.planner.decode import choices_from
from cfslurm.core.planner.formulate import (
    Limits,
    Objective,
    cost_objective,
    formulate,
    objective_order,
    quality_objective,
    time_objective,
    value_of,
    weighted,
    with_objective,
    with_reached,
)
from cfslurm.core.planner.infeasible import no_option, no_solution
from cfslurm.core.planner.milp import Milp, Outcome, Solution
from cfslurm.core.planner.options import Option, World, options_of
from cfslurm.core.planner.plan import Plan, Rejected
from cfslurm.core.slurm.units import duration_s
from cfslurm.core.workflow.groups import groups_of
from cfslurm.core.workflow.model import Weights, Workflow
from cfslurm.errors import PlanningTimeoutError
from cfslurm.ports import Solver

SOLVE_LIMIT_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Planning:
    """Everything that a plan is made from.

    ``price`` is the price of a GPU hour by GRES type, where the site gives one. ``knowledge`` is what
    speeds are predicted from.
    """

    workflow: Workflow
    workdir: str
    item_counts: Mapping[str, int]
    graph: HardwareGraph
    catalog: ModelCatalog
    engines: Mapping[str, Engine]
    price: Mapping[str, float]
    knowledge: Knowledge


def make_plan(planning: Planning, *, solver: Solver) -> Plan:
    """Find the best plan for the workflow's objective.

    Raises:
        InfeasibleError: something fits nowhere, or the limits leave no plan; with reasons.
        PlanningTimeoutError: the solver found no plan in its time.
    """
    workflow, graph = planning.workflow, planning.graph
    classes = node_classes(graph)
    world = World(
        graph=graph,
        classes=classes,
        catalog=planning.catalog.models,
        engines=planning.engines,
        account=workflow.account,
        workflow=workflow.name,
        knowledge=planning.knowledge,
    )
    options, rejected = _all_options(planning, world)
    limits = Limits(
        gpu_hours=workflow.budget.gpu_hours if workflow.budget else None,
        deadline_s=duration_s(workflow.deadline) if workflow.deadline else None,
    )
    milp = formulate(options, classes, limits)
    objectives = {
        "time": time_objective(milp),
        "cost": cost_objective(options, planning.price),
        "quality": quality_objective(options),
    }
    solution = _solve(milp, objectives, workflow, solver)
    if solution.outcome is Outcome.UNKNOWN:
        raise PlanningTimeoutError(
            f"the solver ({solution.solver or 'PuLP'}) found no plan within {SOLVE_LIMIT_S:g} s",
            remedy="Try again on a less busy node; `allow:` and `gpu_types:` make the choice smaller.",
        )
    if not solution.has_values:
        bare = formulate(options, classes, Limits())
        reached = {name: _best(bare, objectives[name], solver) for name in ("time", "cost")}
        raise no_solution(
            limits, reached["time"], _gpu_hours(options, bare, solver), options, classes
        )
    choices, not_taken = choices_from(options, solution.values)
    chosen = {choice.variant for choice in choices}
    return Plan(
        workflow=workflow,
        workdir=planning.workdir,
        item_counts=dict(planning.item_counts),
        cluster=graph.controller.cluster,
        harvested_at=graph.harvested_at,
        solver=solution.solver,
        outcome=solution.outcome.value,
        makespan_s=round(value_of(objectives["time"], solution.values), 3),
        gpu_hours=round(sum(choice.gpu_hours for choice in choices), 6),
        choices=choices,
        rejected=(*not_taken, *rejected),
        variants={
            variant.id: variant
            for entry in planning.catalog.models.values()
            for variant in entry.variants
            if variant.id in chosen
        },
        classes=classes,
        assumptions=_assumptions(options, graph),
    )


def _all_options(
    planning: Planning, world: World
) -> tuple[tuple[Option, ...], tuple[Rejected, ...]]:
    """The options of all groups.

    Raises:
        InfeasibleError: a group has none; all such groups are told at once.
    """
    options: list[Option] = []
    rejected: list[Rejected] = []
    nowhere: list[str] = []
    for group in groups_of(planning.workflow, item_counts=planning.item_counts):
        possible, refused = options_of(group, world)
        options += possible
        rejected += refused
        if not possible:
            nowhere.append(group.key)
    if nowhere:
        raise no_option(nowhere, rejected)
    return tuple(options), tuple(rejected)


def _solve(
    milp: Milp, objectives: Mapping[str, Objective], workflow: Workflow, solver: Solver
) -> Solution:
    """One objective after the other; what each reaches is kept while the next is made small."""
    if isinstance(workflow.objective, Weights):
        best = {name: _best(milp, objectives[name], solver) for name in ("time", "cost")}
        merged = weighted(workflow.objective, objectives, best)
        return solver(with_objective(milp, merged), time_limit_s=SOLVE_LIMIT_S)
    solution = Solution(outcome=Outcome.UNKNOWN)
    for name in objective_order(workflow.objective):
        following = solver(with_objective(milp, objectives[name]), time_limit_s=SOLVE_LIMIT_S)
        if not following.has_values:
            return solution if solution.has_values else following
        solution = following
        milp = with_reached(milp, objectives[name], value_of(objectives[name], solution.values))
    return solution


def _best(milp: Milp, objective: Objective, solver: Solver) -> float:
    """The least value of one objective alone; 0 where there is no solution."""
    solution = solver(with_objective(milp, objective), time_limit_s=SOLVE_LIMIT_S)
    return value_of(objective, solution.values) if solution.has_values else 0.0


def _gpu_hours(options: Sequence[Option], milp: Milp, solver: Solver) -> float:
    hours = Objective(
        name="gpu_hours", terms={o.name: o.gpu_hours_per_item * o.group.count for o in options}
    )
    return _best(milp, hours, solver)


def _assumptions(options: Sequence[Option], graph: HardwareGraph) -> tuple[str, ...]:
    """What the plan takes for granted, in sentences."""
    told = ["GPUs that others hold now count half: their jobs end at times that are not known."]
    sources = {option.speed.source for option in options}
    if any(source.startswith(ASSUMED) for source in sources):
        told.append("Work without a model and without work.time is taken to need 1m an item.")
    if any(TOKENS_ASSUMED in source for source in sources):
        told.append("Items without work: are taken to read 512 tokens and to write 256.")
    return (*told, *graph.warnings)
