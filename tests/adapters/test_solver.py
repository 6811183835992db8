"""The adapter against brute force, with both solvers."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import product

import pytest

from cfslurm.adapters import solver
from cfslurm.core.planner.milp import Column, Milp, Outcome, Row


@pytest.fixture(params=["HiGHS", "CBC"])
def solve(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    if request.param == "CBC":
        monkeypatch.setattr(solver, "find_spec", lambda _name: None)
    return solver.solve


def _random_milp(seed: int) -> Milp:
    rng = random.Random(seed)
    columns = tuple(Column(name=f"x{i}", upper=2, is_integer=True) for i in range(3))
    rows = tuple(
        Row(
            name=f"r{i}",
            terms={c.name: float(rng.randint(-3, 3)) for c in columns if rng.random() < 0.8},
            sense=rng.choice(["<=", ">=", "=="]),
            bound=float(rng.randint(-2, 4)),
        )
        for i in range(rng.randint(0, 3))
    )
    return Milp(
        columns=columns, rows=rows, objective={c.name: float(rng.randint(-3, 3)) for c in columns}
    )


def _brute_force(milp: Milp) -> float | None:
    best = None
    for values in product(range(3), repeat=3):
        at = {column.name: value for column, value in zip(milp.columns, values, strict=True)}
        ok = True
        for row in milp.rows:
            total = sum(v * at[name] for name, v in row.terms.items())
            ok &= {"<=": total <= row.bound, ">=": total >= row.bound, "==": total == row.bound}[
                row.sense
            ]
        cost = sum(v * at[name] for name, v in milp.objective.items())
        if ok and (best is None or cost < best):
            best = cost
    return best


def test_equals_brute_force(solve: object) -> None:
    for seed in range(60):
        milp = _random_milp(seed)
        expected = _brute_force(milp)
        found = solve(milp, time_limit_s=10)  # type: ignore[operator]
        if expected is None:
            assert found.outcome is Outcome.INFEASIBLE, seed
            assert found.values == {}
        else:
            assert found.outcome is Outcome.OPTIMAL, seed
            cost = sum(v * found.values[name] for name, v in milp.objective.items())
            assert cost == pytest.approx(expected), seed


def test_variable_in_no_row_and_without_cost_is_at_its_bound(solve: object) -> None:
    milp = Milp(
        columns=(Column(name="a"), Column(name="b", lower=2.0)), rows=(), objective={"a": 1.0}
    )
    assert dict(solve(milp, time_limit_s=10).values) == {"a": 0.0, "b": 2.0}  # type: ignore[operator]


def test_names_with_any_letters_reach_no_solver(solve: object) -> None:
    milp = Milp(
        columns=(Column(name="x:a b/c@[fp8];-é"),),
        rows=(Row(name="gpus: a-b+c", terms={"x:a b/c@[fp8];-é": 1.0}, sense=">=", bound=3.0),),
        objective={"x:a b/c@[fp8];-é": 1.0},
    )
    assert solve(milp, time_limit_s=10).values["x:a b/c@[fp8];-é"] == 3.0  # type: ignore[operator]
