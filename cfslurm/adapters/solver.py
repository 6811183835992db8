"""PuLP: HiGHS where it is installed, the bundled CBC otherwise."""

from __future__ import annotations

import warnings
from importlib.util import find_spec

import pulp

from cfslurm.core.planner.milp import Milp, Outcome, Solution

_SENSE = {"<=": pulp.LpConstraintLE, ">=": pulp.LpConstraintGE, "==": pulp.LpConstraintEQ}


def solve(milp: Milp, /, *, time_limit_s: float) -> Solution:
    """Solve on one thread: with more, equal optima may change places from run to run.

    A run that the time limit stops is FEASIBLE and not repeatable. A variable in no row and without
    a cost never reaches CBC and comes back as None; it is at its lower bound.
    """
    problem = pulp.LpProblem("cfslurm", pulp.LpMinimize)
    variables = {
        column.name: problem.add_variable(
            f"v{index}",
            column.lower,
            None if column.upper == float("inf") else column.upper,
            pulp.LpInteger if column.is_integer else pulp.LpContinuous,
        )
        for index, column in enumerate(milp.columns)
    }
    problem += pulp.LpAffineExpression(
        [(variables[name], cost) for name, cost in milp.objective.items()]
    )
    for index, row in enumerate(milp.rows):
        terms = pulp.LpAffineExpression([(variables[name], v) for name, v in row.terms.items()])
        problem += pulp.LpConstraint(terms, _SENSE[row.sense], f"r{index}", row.bound)
    name = _run(problem, time_limit_s)
    outcome = _outcome(problem)
    if outcome not in (Outcome.OPTIMAL, Outcome.FEASIBLE):
        return Solution(outcome=outcome, solver=name)
    return Solution(
        outcome=outcome,
        values={
            column.name: _value(variables[column.name], column.lower) for column in milp.columns
        },
        solver=name,
    )


def _run(problem: pulp.LpProblem, time_limit_s: float) -> str:
    if find_spec("highspy") is not None:
        problem.solve(pulp.HiGHS(msg=False, threads=1, timeLimit=time_limit_s))
        return "HiGHS"
    with warnings.catch_warnings():
        # PuLP 3.3 announces that 4.0 moves CBC to pulp[cbc]; we ask for pulp<4.
        warnings.simplefilter("ignore", DeprecationWarning)
        problem.solve(pulp.PULP_CBC_CMD(msg=False, threads=1, timeLimit=time_limit_s))
    return "CBC"


def _value(variable: pulp.LpVariable, lower: float) -> float:
    value = variable.value()
    return lower if value is None else round(float(value), 9)


def _outcome(problem: pulp.LpProblem) -> Outcome:
    """Both fields are needed, because neither tells the truth alone.

    Source: measured with PuLP 3.3.2 and CBC. Stopped by the time limit with an incumbent: status
        Optimal, sol_status IntegerFeasible. Relaxation feasible but no integer point: status
        Infeasible, sol_status NoSolutionFound.
    """
    if problem.sol_status == pulp.LpSolutionOptimal:
        return Outcome.OPTIMAL
    if problem.sol_status == pulp.LpSolutionIntegerFeasible:
        return Outcome.FEASIBLE
    if problem.status == pulp.LpStatusInfeasible:
        return Outcome.INFEASIBLE
    return Outcome.UNKNOWN
