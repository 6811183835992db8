"""Predicted GPU memory against what engines report when they start; used by `benchmarks.prediction`.

Every row of ``data/memory_logs.csv`` is a published start-up log: memory of weights, the peak of
activations, what is held outside of PyTorch, and the KV cache that the engine made of the rest. The
overheads of `cfslurm/core/models/engines.yaml` were fitted on the rows marked ``fit``, all from one
project's runs; rows marked ``held out`` are other people's, on other cards and other versions.

Compared are, on the same rows and per GPU:

- accelerate's estimate: parameters times bytes of the nearest dtype it knows (32, 16, 8, 4 bit).
- parameters x bits / 8 x 1.2, as calculators and GPUStack's fallback for other than GGUF have it.
- llmfit: parameters times a constant of its own, keys and values in 16 bit, and 0.5 GB.
"""

from __future__ import annotations

import csv
import json
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks import report
from cfslurm.adapters.engines_file import built_in_engines
from cfslurm.adapters.resources import shipped_text
from cfslurm.core.documents import Json
from cfslurm.core.hardware.gpus import UNKNOWN_GPU, read_catalogue
from cfslurm.core.models.architecture import read_architecture
from cfslurm.core.models.kv_cache import kv_cache_terms
from cfslurm.core.models.memory import memory_terms
from cfslurm.core.models.serving import Serving
from cfslurm.core.models.variants import Architecture, ModelFile, Variant

_DATA = Path(__file__).with_name("data")
_GIB = 1 << 30
_HELD_OUT = "held out"
# Bits of a weight by quantization family, as the rule of thumb has them.
_BITS = {"none": 16, "fp8": 8, "int8": 8, "awq": 4, "gptq": 4, "w4a16": 4, "mxfp4": 4}
# Bytes of a parameter in llmfit's table (F16 2.0, 8 bit 1.0, AWQ and GPTQ 0.5).
_LLMFIT = {
    "none": 2.0,
    "fp8": 1.0,
    "int8": 1.0,
    "awq": 0.5,
    "gptq": 0.5,
    "w4a16": 0.5,
    "mxfp4": 0.5,
}
_LLMFIT_RUNTIME = 0.5e9
_CALCULATOR_FACTOR = 1.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A log and what is predicted for it. Units: GiB on one GPU."""

    name: str
    version: str
    half: str
    measured: float
    measured_cache: float
    ours: float
    ours_cache: float
    others: tuple[tuple[str, float, float], ...]

    @property
    def error(self) -> float:
        """Of all memory, as a share: above 0 is too much."""
        return self.ours / self.measured - 1

    @property
    def error_without_cache(self) -> float:
        """The same for everything but the cache, where the estimates are."""
        return (self.ours - self.ours_cache) / (self.measured - self.measured_cache) - 1


def memory() -> tuple[list[report.Figure], list[report.Table]]:
    """The figures of memory and two tables: methods side by side, and every case."""
    cases = read_cases()
    return _figures(cases), [_methods(cases), _every(cases)]


def read_cases() -> tuple[Case, ...]:
    """All logs with their predictions."""
    models = json.loads((_DATA / "memory_models.json").read_text(encoding="utf-8"))
    with (_DATA / "memory_logs.csv").open(encoding="utf-8", newline="") as file:
        return tuple(_case(row, models[row["model"]]) for row in csv.DictReader(file))


def _variant(repo: str, model: dict[str, Json]) -> Variant:
    architecture = read_architecture(model["config"])
    assert isinstance(architecture, Architecture), architecture
    size, parameters, group = (model[k] for k in ("weights_bytes", "parameters", "group_size"))
    assert isinstance(size, int)
    assert isinstance(parameters, int)
    assert isinstance(group, int)
    return Variant(
        repo_id=repo,
        revision="0" * 40,
        quantization=str(model["quantization"]),
        dtype=str(model["dtype"]),
        files=(ModelFile(path="weights", size_bytes=size, is_weights=True),),
        architecture=replace(architecture, parameters=parameters),
        quality=100.0,
        quality_source="",
        group_size=group,
    )


def _case(row: dict[str, str], model: dict[str, Json]) -> Case:
    variant = _variant(row["model"], model)
    engine = replace(built_in_engines()[row["engine"]], version=row["version"])
    serving = Serving(
        max_model_len=int(row["max_model_len"]),
        max_num_seqs=int(row["max_num_seqs"]),
        tensor_parallel_size=int(row["tp"]),
        pipeline_parallel_size=int(row["pp"]),
        kv_cache_dtype=row["kv_cache_dtype"],
        max_num_batched_tokens=int(row["batched_tokens"]),
    )
    cards = read_catalogue(shipped_text("core/hardware/gpus.csv")).cards
    terms = memory_terms(variant, serving, cards.get(row["gpu"], UNKNOWN_GPU), engine)
    fixed = sum(t.bytes for t in terms if t.is_budgeted and t.name != "kv_cache") / _GIB
    measured_cache = float(row["kv_gib"])
    tokens = float(row["kv_tokens"] or 0)
    one = replace(serving, max_num_seqs=1)
    cached = kv_cache_terms(
        variant.architecture, one, engine, batched_tokens=serving.max_num_batched_tokens
    )
    per_token = sum(term.bytes for term in cached) / serving.max_model_len / _GIB
    ours_cache = tokens * per_token if tokens else measured_cache
    parts = [float(row[name]) for name in ("weights_gib", "activation_gib", "non_torch_gib")]
    stages = f" x {row['pp']}" if row["pp"] != "1" else ""
    length = f", {serving.max_model_len}" if serving.max_model_len != 8192 else ""
    cache = f", {serving.kv_cache_dtype}" if serving.kv_cache_dtype != "auto" else ""
    return Case(
        name=f"{row['model']} on {row['tp']}{stages} {row['gpu']}{length}{cache}",
        version=row["version"],
        half=row["half"],
        measured=sum(parts) + measured_cache,
        measured_cache=measured_cache,
        ours=fixed + ours_cache,
        ours_cache=ours_cache,
        others=_others(variant, serving, tokens or measured_cache / max(per_token, 1e-12)),
    )


def _others(
    variant: Variant, serving: Serving, tokens: float
) -> tuple[tuple[str, float, float], ...]:
    """Name, all memory, and the cache in it, of each other method."""
    architecture, gpus = variant.architecture, serving.gpus
    parameters = architecture.parameters or 0
    bits = _BITS[variant.family]
    llmfit_cache = (
        2
        * architecture.num_hidden_layers
        * architecture.num_key_value_heads
        * architecture.head_dim
    ) * (2 * tokens)
    llmfit = (parameters * _LLMFIT[variant.family] + llmfit_cache) / gpus + _LLMFIT_RUNTIME
    return (
        ("accelerate estimate-memory", parameters * bits / 8 / gpus / _GIB, 0.0),
        ("parameters x bits x 1.2", parameters * bits / 8 * _CALCULATOR_FACTOR / gpus / _GIB, 0.0),
        ("llmfit's constants", llmfit / _GIB, llmfit_cache / gpus / _GIB),
    )


def _figures(cases: Sequence[Case]) -> list[report.Figure]:
    held = [case for case in cases if case.half == _HELD_OUT]
    says = f"of {len(held)} start-up logs that nothing was fitted to"
    return [
        report.Figure(
            name="memory_median", value=_median(held, lambda c: c.error), unit="%", aim=5,
            says=f"median error of all memory on a GPU, {says}",
        ),
        report.Figure(
            name="memory_most_over", value=max(c.error for c in held) * 100, unit="%", aim=5,
            says=f"largest prediction above, {says}",
        ),
        report.Figure(
            name="memory_most_under", value=-min(c.error for c in held) * 100, unit="%", aim=3,
            says=f"largest prediction below, {says}",
        ),
        report.Figure(
            name="memory_all_most_under", value=-min(c.error for c in cases) * 100, unit="%", aim=3,
            says=f"the same for all {len(cases)} logs",
        ),
        report.Figure(
            name="memory_without_cache_median",
            value=_median(held, lambda c: c.error_without_cache), unit="%", aim=5,
            says=f"median error of weights, activations and engine alone, {says}",
        ),
    ]  # fmt: skip


def _median(cases: Sequence[Case], error: Callable[[Case], float]) -> float:
    return statistics.median(abs(error(case)) for case in cases) * 100


def _methods(cases: Sequence[Case]) -> report.Table:
    rows = [_method_row("cfslurm", [(c.error, c.error_without_cache) for c in cases])]
    held = [c for c in cases if c.half == _HELD_OUT]
    rows.append(_method_row("cfslurm, held out", [(c.error, c.error_without_cache) for c in held]))
    for index, (name, _, _) in enumerate(cases[0].others):
        errors = []
        for case in cases:
            _, size, cache = case.others[index]
            fixed = case.measured - case.measured_cache
            errors.append((size / case.measured - 1, (size - cache) / fixed - 1))
        rows.append(_method_row(name, errors))
    return report.Table(
        title=f"Memory on a GPU, {len(cases)} start-up logs of vLLM 0.6 to 0.19",
        header=(
            "METHOD", "MEDIAN", "MOST UNDER", "MOST OVER",
            "MEDIAN, NO CACHE", "MOST UNDER, NO CACHE", "MOST OVER, NO CACHE",
        ),
        rows=rows,
        notes=(
            "errors are shares of what the log says; NO CACHE leaves out keys and values",
            "accelerate and parameters x bits know no cache: their errors of all memory are mostly that",
            "no GPU was at hand: nothing here was measured by this benchmark itself",
        ),
    )  # fmt: skip


def _method_row(name: str, errors: Sequence[tuple[float, float]]) -> tuple[str, ...]:
    cells = [name]
    for part in (0, 1):
        values = [error[part] for error in errors]
        median = statistics.median(abs(value) for value in values)
        cells += [f"{median:.1%}", f"{min(0.0, *values):+.1%}", f"{max(0.0, *values):+.1%}"]
    return tuple(cells)


def _every(cases: Sequence[Case]) -> report.Table:
    ordered = sorted(cases, key=lambda case: (case.half != _HELD_OUT, case.name, case.version))
    return report.Table(
        title="Every log: GiB on one GPU",
        header=("MODEL", "VLLM", "", "LOG", "CFSLURM", "ERROR", "LOG, NO CACHE", "ERROR, NO CACHE"),
        rows=[
            (
                case.name, case.version, case.half, f"{case.measured:.2f}", f"{case.ours:.2f}",
                f"{case.error:+.1%}", f"{case.measured - case.measured_cache:.2f}",
                f"{case.error_without_cache:+.1%}",
            )
            for case in ordered
        ],
    )  # fmt: skip
