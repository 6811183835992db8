"""Fit the efficiencies of ``core/models/speed_efficiencies.csv`` to published measurements.

    python -m benchmarks.fit_speed            fit, print how well, write the table
    python -m benchmarks.fit_speed --check    fit, and end with 1 if the table in the tree is another

Every parameter is a base times factors for engine, version, GPU, capability, dtype and attention kind.
Each factor has a normal prior around 1 (in logarithms), so that few rows move it little. Rows count by
Huber's loss: one wrong row cannot pull a factor. No randomness; keys are sorted.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.speed_rows import (
    Row,
    by_engine,
    by_gpu,
    by_group,
    errors,
    log_ratio,
    predicted,
    read_rows,
    spread_of,
)
from cfslurm.core.models.rates import speed_key
from cfslurm.core.models.roofline import Efficiency
from cfslurm.core.models.speed_table import (
    PARAMETERS,
    Found,
    SpeedKey,
    SpeedRow,
    SpeedTable,
    Spread,
    matches,
    read_speed_table,
    speed_table_text,
)

OUTPUT = Path(__file__).parent.parent / "cfslurm" / "core" / "models" / "speed_efficiencies.csv"
_SIGMA = 0.06  # what two measurements of the same thing differ by
_HUBER = 1.5
_STEP = 1e-4
NO_SPREAD = Spread(same=0.0, engine=0.0, other=0.0)
# parameter: where it starts, and how far that may be off (standard deviation of its logarithm)
BASE: Mapping[str, tuple[float, float]] = {
    "weight_read": (0.75, 0.3),
    "kv_read": (0.9, 0.3),
    "prefill": (0.7, 0.3),
    "decode": (0.5, 0.3),
    "step_s": (1e-3, 0.7),
    "layer_s": (4e-5, 0.7),
    "sequence_s": (5e-6, 1.0),
    "hop_s": (15e-6, 0.5),
}
# parameter: keys that have factors of their own, and how far those may be from 1
_LEVELS: Mapping[str, Sequence[tuple[tuple[str, ...], float]]] = {
    "weight_read": (
        (("engine",), 0.2),
        (("engine", "capability"), 0.3),
        (("engine", "gpu"), 0.1),
        (("engine", "dtype"), 0.15),
        (("engine", "capability", "dtype"), 0.2),
    ),
    "kv_read": ((("engine", "version", "attention"), 0.8), (("engine", "capability"), 0.3)),
    "prefill": ((("dtype",), 0.3), (("engine", "version"), 0.3), (("gpu",), 0.1)),
    "decode": (
        (("dtype",), 0.3), (("engine", "version"), 0.3), (("engine", "capability"), 0.3),
    ),
    "step_s": ((("engine", "version"), 0.5), (("engine", "capability"), 0.3)),
    "layer_s": (
        (("engine", "version"), 0.5), (("engine", "capability"), 0.3), (("engine", "dtype"), 0.3),
    ),
    "sequence_s": ((("engine", "version"), 0.7), (("engine", "capability"), 0.7)),
    "hop_s": ((("engine", "capability"), 0.5),),
}  # fmt: skip
# What turning weights back into 16 bit is believed to cost before any row is seen.
_EXPECTED = {("prefill", "w4"): 0.8, ("prefill", "w8"): 0.87, ("decode", "w4"): 0.8}


# What no row tells. transformers launches every operation from Python: decoding gemma-2b takes 7.2 ms a
# token more than compiled, 0.4 ms for each of its 18 layers, on whatever GPU that was (per_token.latency in
# hf-internal-testing/benchmark_results on huggingface.co, 2024-09-11), beside the 0.033 ms of others.
_BELIEVED = (("layer_s", "transformers", 13.0),)


@dataclass(frozen=True, slots=True)
class Factor:
    """One unknown: a parameter's factor for a key, or its base where the key is empty."""

    parameter: str
    key: SpeedKey

    @property
    def expected(self) -> float:
        """Its value before any row is seen."""
        if self.key == _key():
            return BASE[self.parameter][0]
        return _EXPECTED.get((self.parameter, self.key.dtype), 1.0)

    @property
    def deviation(self) -> float:
        """How far its logarithm may be off."""
        names = tuple(name for name in SpeedKey.__slots__ if getattr(self.key, name))
        if not names:
            return BASE[self.parameter][1]
        return dict(_LEVELS[self.parameter])[names]


def _key(**cells: str) -> SpeedKey:
    return SpeedKey(**({name: "" for name in SpeedKey.__slots__} | cells))


def key_of(row: Row) -> SpeedKey:
    """What a row tells something about."""
    return speed_key(row.deployment)


def factors_of(key: SpeedKey) -> list[Factor]:
    """All unknowns on which a row depends."""
    found = []
    for parameter, levels in _LEVELS.items():
        found.append(Factor(parameter, _key()))
        for names, _ in levels:
            cells = {name: getattr(key, name) for name in names}
            found.append(Factor(parameter, _key(**cells)))
    return found


def table_of(values: Mapping[Factor, float], rows: Sequence[Row], spread: Spread) -> SpeedTable:
    """Logarithms as a table; each row tells how many measurements it rests on."""
    keys = [key_of(row) for row in rows]
    believed = {Factor(name, _key(engine=engine)): math.log(x) for name, engine, x in _BELIEVED}
    every = {**believed, **values}
    return SpeedTable(
        rows=tuple(
            SpeedRow(
                parameter=factor.parameter,
                key=factor.key,
                factor=float(f"{math.exp(every[factor]):.6g}"),
                rows=sum(matches(factor.key, key) for key in keys),
            )
            for factor in sorted(every, key=_order)
        ),
        spread=spread,
    )


def _order(factor: Factor) -> tuple[int, str]:
    return list(_LEVELS).index(factor.parameter), ",".join(factor.key.cells)


class _Problem:
    """The rows and unknowns of one fit; each row depends on a few unknowns only."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = rows
        self.needs = [factors_of(key_of(row)) for row in rows]
        self.factors = sorted({factor for needs in self.needs for factor in needs}, key=_order)
        self.index = {factor: number for number, factor in enumerate(self.factors)}
        self.prior = np.array([math.log(factor.expected) for factor in self.factors])
        self.deviation = np.array([factor.deviation for factor in self.factors])

    def residual(self, number: int, x: np.ndarray) -> float:
        """log(predicted / measured) of one row."""
        logarithms = dict.fromkeys(PARAMETERS, 0.0)
        for factor in self.needs[number]:
            logarithms[factor.parameter] += x[self.index[factor]]
        values = {name: math.exp(value) for name, value in logarithms.items()}
        found = Found(efficiency=Efficiency(**values), spread=0.0, rows=0, basis="")
        return log_ratio(self.rows[number], predicted(self.rows[number], found))

    def residuals(self, x: np.ndarray) -> np.ndarray:
        """Of all rows."""
        return np.array([self.residual(number, x) for number in range(len(self.rows))])

    def jacobian(self, x: np.ndarray, at: np.ndarray) -> np.ndarray:
        """By differences, only where a row depends on an unknown."""
        slopes = np.zeros((len(self.rows), len(self.factors)))
        for number, needs in enumerate(self.needs):
            for factor in needs:
                moved = x.copy()
                moved[self.index[factor]] += _STEP
                slope = (self.residual(number, moved) - at[number]) / _STEP
                slopes[number, self.index[factor]] = slope
        return slopes

    def cost(self, x: np.ndarray, residuals: np.ndarray) -> float:
        """Huber's loss of the rows and the squares of the priors."""
        off = np.abs(residuals) / _SIGMA
        loss = np.where(off < _HUBER, off**2 / 2, _HUBER * off - _HUBER**2 / 2)
        return float(loss.sum() + (((x - self.prior) / self.deviation) ** 2).sum() / 2)


def fit(rows: Sequence[Row], *, steps: int = 20) -> Mapping[Factor, float]:
    """Levenberg and Marquardt's method on the weighted squares; logarithms of all factors."""
    problem = _Problem(rows)
    x = problem.prior.copy()
    residuals = problem.residuals(x)
    cost, damping = problem.cost(x, residuals), 1e-2
    for _ in range(steps):
        slopes = problem.jacobian(x, residuals)
        off = np.abs(residuals) / _SIGMA
        weights = np.where(off < _HUBER, 1.0, _HUBER / np.maximum(off, _HUBER)) / _SIGMA**2
        curvature = slopes.T @ (slopes * weights[:, None]) + np.diag(problem.deviation**-2)
        gradient = slopes.T @ (weights * residuals) + (x - problem.prior) / problem.deviation**2
        for _ in range(8):
            damped = curvature + damping * np.diag(np.diag(curvature))
            moved = x - np.linalg.solve(damped, gradient)
            after = problem.residuals(moved)
            lower = problem.cost(moved, after)
            if lower < cost:
                break
            damping *= 4
        else:
            break
        done = cost - lower < 1e-3
        x, residuals, cost, damping = moved, after, lower, damping / 4
        if done:
            break
    return dict(zip(problem.factors, x.tolist(), strict=True))


def left_out(rows: Sequence[Row], group: Callable[[int, Row], str]) -> dict[int, float]:
    """Log ratio of every row, predicted by a fit that has not seen the row's group."""
    names = [group(number, row) for number, row in enumerate(rows)]
    found = {}
    for name in sorted(set(names)):
        seen = [row for row, other in zip(rows, names, strict=True) if other != name]
        table = table_of(fit(seen, steps=12), seen, NO_SPREAD)
        for number, (row, other) in enumerate(zip(rows, names, strict=True)):
            if other == name:
                found[number] = log_ratio(row, predicted(row, table.find(key_of(row))))
    return found


def fitted_table(rows: Sequence[Row], say: Callable[[str], None]) -> SpeedTable:
    """Fit all rows; the spreads are those of rows that a fit has not seen."""
    spreads = {}
    for name, group in (("same", by_group), ("engine", by_gpu), ("other", by_engine)):
        found = list(left_out(rows, group).values())
        spreads[name] = spread_of(found)
        told = errors(found)
        say(
            f"left out {group.__name__}: median {told.median:.1%}, mean {told.mean:.1%}, "
            f"within 20 % {told.within_20:.0%}, spread {spreads[name]:.3f}"
        )
    return table_of(fit(rows), rows, Spread(**spreads))


def text_of(table: SpeedTable, rows: Sequence[Row]) -> str:
    """The table with what it was made from."""
    sources = sorted({row.table for row in rows})
    remarks = [
        "What engines reach of what GPUs can do; written by `python -m benchmarks.fit_speed`, not by hand.",
        "A row is a factor for all keys that its cells match; rows of a parameter are multiplied (the one",
        "without a key is the base). `rows` is the number of measurements behind it; a factor with few of",
        "them is close to 1; one with none is a belief, see fit_speed.py. spread_*: see Spread in",
        "speed_table.py. Sources:",
        *sources,
    ]
    return speed_table_text(table, remarks)


def main(argv: Sequence[str] | None = None) -> int:
    """Fit, and write or compare the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fit_speed", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, compare the factors")
    options = parser.parse_args(argv)
    rows = read_rows()
    if options.check:
        made = table_of(fit(rows), rows, NO_SPREAD)
        held = read_speed_table(OUTPUT.read_text(encoding="utf-8"))
        same = [(row.parameter, row.key) for row in made.rows] == [
            (row.parameter, row.key) for row in held.rows
        ] and all(
            math.isclose(ours.factor, theirs.factor, rel_tol=1e-3)
            for ours, theirs in zip(made.rows, held.rows, strict=True)
        )
        print("the table is this fit's" if same else "the table is another fit's")
        return 0 if same else 1
    table = fitted_table(rows, print)
    seen = errors([log_ratio(row, predicted(row, table.find(key_of(row)))) for row in rows])
    print(
        f"seen rows: median {seen.median:.1%}, mean {seen.mean:.1%}, within 20 % {seen.within_20:.0%}"
    )
    OUTPUT.write_text(text_of(table, rows), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
