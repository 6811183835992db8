"""Predicted tokens/s against published measurements; used by `benchmarks.prediction`.

Every row is predicted by a fit that has not seen it. On the same rows stands what others would say:
a roofline that loses nothing, nominal constants, weights over bandwidth, and llmfit's formula.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks import fit_speed, report
from benchmarks.speed_rows import (
    FILES,
    Errors,
    Row,
    by_engine,
    by_gpu,
    by_group,
    by_table,
    by_turns,
    errors,
    load,
    log_ratio,
    predicted,
    read_rows,
)
from cfslurm.adapters.resources import shipped_text
from cfslurm.core.models.rates import DEVIATIONS, rates, speed_key
from cfslurm.core.models.roofline import Efficiency
from cfslurm.core.models.speed_table import Found, SpeedTable, read_speed_table

# llmfit's bytes of a parameter and its one efficiency: llmfit-core/src/fit.rs, estimate_tps.
_LLMFIT_BYTES = {"none": 2.0, "fp8": 1.0, "int8": 1.0, "w4a16": 0.5, "awq": 0.5, "gguf": 0.5}
_LLMFIT_EFFICIENCY = 0.55
_LLMFIT_TENSOR_PARALLEL = 0.9
_IDEAL = Efficiency(
    weight_read=1, kv_read=1, prefill=1, decode=1, step_s=0, layer_s=0, sequence_s=0, hop_s=0
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much is measured: parts that rows are left out in, ways of leaving out, calls of the command."""

    folds: int
    ways: tuple[str, ...]
    rounds: int


_WAYS: Mapping[str, Callable[[int, Row], str]] = {
    "a model on a GPU": by_group,
    "a GPU of an engine": by_gpu,
    "an engine": by_engine,
    "a publication": by_table,
}
QUICK = Size(folds=5, ways=(), rounds=3)
FULL = Size(folds=10, ways=tuple(_WAYS), rounds=15)


def shipped() -> SpeedTable:
    """The table that cfslurm ships."""
    return read_speed_table(shipped_text("core/models/speed_efficiencies.csv"))


def own_rows(rows: Sequence[Row]) -> tuple[list[report.Figure], list[report.Table]]:
    """Rows that no fit has seen, with the shipped table; one line each."""
    table = shipped()
    told = [(row, predicted(row, table.find(speed_key(row.deployment)))) for row in rows]
    ratios = [log_ratio(row, value) for row, value in told]
    lines = [
        (*_conditions(row), f"{row.value:.4g}", f"{value:.4g}", f"{_percent(ratio)}")
        for (row, value), ratio in zip(told, ratios, strict=True)
    ]
    header = (
        "ENGINE", "GPU", "TP", "MODEL", "VARIANT", "BATCH", "IN", "OUT", "MEASURED", "PREDICTED",
        "SPEED OFF",
    )  # fmt: skip
    figures = _aims("rows", errors(ratios), "measurements of the file, with the shipped table")
    return figures, [report.Table(title="Measurements of the file", header=header, rows=lines)]


def _conditions(row: Row) -> tuple[object, ...]:
    batch = row.sequences or "max"
    where = f"{row.engine} {row.version}", row.gpu, row.tensor_parallel_size
    return (*where, row.model, row.quantization, batch, row.tokens_in, row.tokens_out)


def _percent(log_ratio: float) -> str:
    return f"{(2.718281828459045**log_ratio - 1) * 100:+.0f} %"


def speed(size: Size) -> tuple[list[report.Figure], list[report.Table]]:
    """Errors of tokens/s on rows that the fit had not seen, and what others say of the same rows."""
    rows = read_rows()
    unseen = fit_speed.left_out(rows, by_turns(size.folds))
    ours = [unseen[number] for number in range(len(rows))]
    ways = [
        ("seen by the fit: says nothing", _with(rows, shipped())),
        (f"left out by turns, 1 of {size.folds}", ours),
    ]
    for name in size.ways:
        found = fit_speed.left_out(rows, _WAYS[name])
        ways.append((f"left out: {name}", [found[n] for n in range(len(rows))]))
    first = len(read_rows(FILES[:1]))
    ways.insert(2, (f"the same, {FILES[0].name} only", ours[:first]))
    figures = _aims(
        "speed", errors(ours[:first]), f"tokens/s in {FILES[0].name}, not seen by the fit"
    )
    figures += _aims("speed_all", errors(ours), "all published tokens/s, not seen by the fit")
    figures.append(_coverage(rows, ours))
    return figures, [_ways(ways), _methods(rows, ours), _engines(rows, ours)]


def _aims(name: str, found: Errors, says: str) -> list[report.Figure]:
    values = (("median", found.median, 5.0), ("mean", found.mean, 12.0))
    figures = [
        report.Figure(
            name=f"{name}_{what}",
            value=100 * value,
            unit="%",
            aim=aim,
            says=f"{what} error of {says}",
        )
        for what, value, aim in values
    ]
    return [
        *figures,
        report.Figure(
            name=f"{name}_within_20", value=100 * found.within_20, unit="%", aim=90, bound="at least",
            says=f"share within 20 % of {says}",
        ),
    ]  # fmt: skip


def _coverage(rows: Sequence[Row], ours: Sequence[float]) -> report.Figure:
    """How many unseen rows lie in the range that is told; 80 % is what it promises."""
    wide = shipped().spread.same * DEVIATIONS
    inside = sum(abs(ratio) <= wide for ratio in ours) / len(rows)
    return report.Figure(
        name="speed_in_range", value=100 * inside, unit="%", aim=80, bound="at least",
        says="share of rows left out of the fit that lie in the range told for a measured GPU",
    )  # fmt: skip


def _with(rows: Sequence[Row], table: SpeedTable) -> list[float]:
    return [log_ratio(r, predicted(r, table.find(speed_key(r.deployment)))) for r in rows]


_ERRORS = ("N", "MEDIAN", "MEAN", "WITHIN 20 %", "WORST")


def _cells(found: Errors) -> tuple[object, ...]:
    shares = (found.median, found.mean, found.within_20, found.worst)
    return found.count, *(f"{100 * share:.1f} %" for share in shares)


def _ways(ways: Sequence[tuple[str, Sequence[float]]]) -> report.Table:
    return report.Table(
        title="Speed: error by what the fit had not seen",
        header=("ROWS", *_ERRORS),
        rows=[(name, *_cells(errors(ratios))) for name, ratios in ways],
        notes=("an error is |predicted tokens/s / measured - 1|",),
    )


def _methods(rows: Sequence[Row], ours: Sequence[float]) -> report.Table:
    single = [n for n, row in enumerate(rows) if row.sequences == 1 and row.tokens_out > 1]
    methods: list[tuple[str, Callable[[Row], float]]] = [
        ("roofline, nothing lost", lambda row: _rate(row, _IDEAL)),
        ("roofline, nominal constants", lambda row: _rate(row, _nominal())),
        ("weights / bandwidth", lambda row: _bandwidth(row, 1.0)),
        ("llmfit: 0.55 x bandwidth / (parameters x bytes)", _llmfit),
    ]
    lines: list[tuple[object, ...]] = []
    for title, chosen in (("one sequence", single), ("all", list(range(len(rows))))):
        lines.append((title, "cfslurm, not seen", *_cells(errors([ours[n] for n in chosen]))))
        for name, method in methods:
            ratios = [_ratio(rows[n], method(rows[n])) for n in chosen]
            lines.append((title, name, *_cells(errors(ratios))))
    return report.Table(
        title="Speed: methods side by side, on the same rows",
        header=("ROWS", "METHOD", *_ERRORS),
        rows=lines,
        notes=(
            "the two last know no batches: for all rows their rate is multiplied by the sequences",
            "nominal: what the fit starts from, no measurement in it",
        ),
    )


def _ratio(row: Row, tokens_per_s: float) -> float:
    """Of a rate of output tokens, in the terms of the row."""
    at_once, out = load(row).sequences, max(1, row.tokens_out)
    if row.metric == "output_throughput":
        value = tokens_per_s
    elif row.metric == "request_latency":
        value = at_once * out / tokens_per_s
    else:
        value = 1000 / tokens_per_s
    return log_ratio(row, value)


def _rate(row: Row, reached: Efficiency) -> float:
    found = Found(efficiency=reached, spread=0.0, rows=0, basis="")
    told = rates(row.deployment, load(row), found)
    if row.metric == "first_token_latency":
        return 1 / told.ttft_s
    return told.output_tokens_per_s


def _nominal() -> Efficiency:
    return Efficiency(**{name: base for name, (base, _) in fit_speed.BASE.items()})


def _bandwidth(row: Row, efficiency: float) -> float:
    """Every token reads all weights once."""
    deployment = row.deployment
    bandwidth = deployment.gpu.bandwidth_gbs * 1e9 * row.tensor_parallel_size
    return load(row).sequences * efficiency * bandwidth / deployment.variant.weights_bytes


def _llmfit(row: Row) -> float:
    """As llmfit has it, its model size in its own constants."""
    deployment = row.deployment
    size = (deployment.variant.architecture.parameters or 0) * _LLMFIT_BYTES[
        deployment.variant.family
    ]
    together = row.tensor_parallel_size if deployment.split == "heads" else 1
    mode = _LLMFIT_TENSOR_PARALLEL if together > 1 else 1.0
    bandwidth = deployment.gpu.bandwidth_gbs * 1e9 * together
    return load(row).sequences * _LLMFIT_EFFICIENCY * mode * bandwidth / size


def _engines(rows: Sequence[Row], ours: Sequence[float]) -> report.Table:
    by_key: dict[tuple[str, str, str], list[float]] = {}
    for row, ratio in zip(rows, ours, strict=True):
        by_key.setdefault((f"{row.engine} {row.version}", row.gpu, row.quantization), []).append(
            ratio
        )
    lines = [
        (
            *key,
            len(ratios),
            _percent(statistics.median(ratios)),
            f"{100 * errors(ratios).worst:.0f} %",
        )
        for key, ratios in sorted(by_key.items())
    ]
    return report.Table(
        title="Speed: by engine, GPU and variant, left out by turns",
        header=("ENGINE", "GPU", "VARIANT", "N", "MEDIAN OFF", "WORST"),
        rows=lines,
        notes=("MEDIAN OFF: predicted tokens/s above (+) or below the measured ones",),
    )
