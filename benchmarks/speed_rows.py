"""Published measurements of speed, and what a prediction says of each of them."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cfslurm.adapters.resources import shipped_text
from cfslurm.core.hardware.gpus import GpuCatalogue, GpuFacts, read_catalogue
from cfslurm.core.models.rates import DEVIATIONS, Deployment, Load, rates
from cfslurm.core.models.speed_table import Found
from cfslurm.core.models.variants import Architecture, ModelFile, Variant
from cfslurm.core.slurm.units import MIB

DATA = Path(__file__).with_name("data")
FILES = (DATA / "speed_public.csv", DATA / "speed_public_more.csv")
# variant in the tables: our quantization, bits of a weight in a linear layer, bytes of a cached element
_VARIANTS: Mapping[str, tuple[str, float, float]] = {
    "fp16": ("none", 16.0, 2.0),
    "bf16": ("none", 16.0, 2.0),
    "fp8": ("fp8", 8.0, 2.0),
    "fp8kv8": ("fp8", 8.0, 1.0),
    "int8": ("int8", 8.0, 2.0),
    "w4a16": ("w4a16", 4.156, 2.0),  # group size 128, with scales
    "awq": ("awq", 4.156, 2.0),
    "gptq": ("gptq", 4.156, 2.0),
    "q4km": ("gguf:Q4_K_M", 4.85, 2.0),  # over all of the file
    "q8_0": ("gguf:Q8_0", 8.5, 2.0),
}
_ENGINES = {"llama.cpp": "llamacpp"}
_UNNUMBERED = {"llamacpp": "2024"}  # builds without a number: the year of the table
_GPUS = {"a100_80": "a100_80", "a6000": "rtxa6000", "a5000": "rtxa5000"}
# Rows with batch "max" ran as many sequences as the cache held, up to trtllm-bench's limit.
_MOST_SEQUENCES = 2048
_ENGINE_BYTES = 2e9


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One measurement: its conditions, its value, and where it was published.

    ``sequences`` is 0 where as many ran as the memory allowed.
    """

    model: str
    quantization: str
    gpu: str
    tensor_parallel_size: int
    sequences: int
    tokens_in: int
    tokens_out: int
    metric: str
    value: float
    engine: str
    version: str
    source: str
    deployment: Deployment

    @property
    def table(self) -> str:
        """The publication, for leaving it out as a whole."""
        return f"{self.engine} {self.version}: {self.source}"

    @property
    def group(self) -> str:
        """Rows that differ in batch and lengths only."""
        return f"{self.engine} {self.version} {self.gpu} {self.model}"


def read_rows(paths: Iterable[Path] = FILES) -> tuple[Row, ...]:
    """All rows of some tables.

    Raises:
        ValueError: a row has a model, GPU, variant or unit that is not known here.
    """
    return tuple(_row(cells) for path in paths for cells in _csv(path))


def _csv(path: Path) -> list[dict[str, str]]:
    text = path.read_text(encoding="utf-8")
    return list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))


@cache
def catalogue() -> GpuCatalogue:
    """The GPUs that cfslurm knows."""
    return read_catalogue(shipped_text("core/hardware/gpus.csv"))


@cache
def architectures() -> Mapping[str, Architecture]:
    """The shapes of the models in the tables."""
    return {row["model"]: _architecture(row) for row in _csv(DATA / "speed_models.csv")}


def _architecture(row: Mapping[str, str]) -> Architecture:
    return Architecture(
        model_type=row["model"],
        max_position_embeddings=131072,
        tie_word_embeddings=row["tied"] == "1",
        parameters=int(row["parameters"]),
        **{
            name: int(row[name])
            for name in (
                "num_hidden_layers", "hidden_size", "intermediate_size", "num_attention_heads",
                "num_key_value_heads", "head_dim", "vocab_size", "num_experts", "num_experts_per_tok",
            )
        },
    )  # fmt: skip


def gpu(name: str) -> GpuFacts:
    """A card by the name that a table gives it."""
    key = name.lower().replace("-", "_").replace(" ", "_")
    key = _GPUS.get(key, re.sub(r"^rtx_(a?\d)", r"rtx\1", key))
    try:
        return catalogue().cards[key]
    except KeyError:
        raise ValueError(f"no GPU {name!r} in the catalogue") from None


def variant(model: str, name: str) -> tuple[Variant, float]:
    """A variant with the bytes that its files have, and the bytes of a cached element.

    Embeddings and output layer stay in 16 bit, except in GGUF files, whose bits are a mean.
    """
    if model not in architectures() or name not in _VARIANTS:
        raise ValueError(f"no shape of {model!r} in speed_models.csv, or no variant {name!r} known")
    architecture = architectures()[model]
    quantization, bits, element_bytes = _VARIANTS[name]
    total = architecture.parameters or 0
    tables = 1 if architecture.tie_word_embeddings else 2
    whole = 0 if quantization.startswith("gguf") else tables
    sixteen = whole * architecture.vocab_size * architecture.hidden_size
    size = int((total - sixteen) * bits / 8 + sixteen * 2)
    file = ModelFile(path="weights", size_bytes=size, git_sha1="0" * 40, is_weights=True)
    made = Variant(
        repo_id=f"table/{model}", revision="0" * 40, quantization=quantization, dtype="bfloat16",
        files=(file,), architecture=architecture, quality=100.0, quality_source="",
    )  # fmt: skip
    return made, element_bytes


def _row(cells: Mapping[str, str]) -> Row:
    engine, _, said = cells["engine"].partition(" ")
    engine = _ENGINES.get(engine.lower(), engine.lower())
    numbers = re.search(r"(\d+)\.(\d+)", said)
    version = f"{numbers[1]}.{numbers[2]}" if numbers else ""
    if engine == "tensorrt-llm":  # the tables name two pages; only the later one has "max"
        version = "1.0" if cells["batch"] == "max" else "0.6"
    version = version or _UNNUMBERED[engine]
    made, element_bytes = variant(cells["model"], cells["variant"])
    size = int(cells["tp"])
    return Row(
        model=cells["model"], quantization=cells["variant"], gpu=cells["gpu"],
        tensor_parallel_size=size, engine=engine, version=version, source=cells["source"],
        sequences=0 if cells["batch"] == "max" else int(cells["batch"]),
        tokens_in=int(cells["input_len"]), tokens_out=int(cells["output_len"]),
        metric=cells["metric"], value=float(cells["value"]),
        deployment=Deployment(
            variant=made, gpu=gpu(cells["gpu"]), engine=engine, engine_version=version,
            tensor_parallel_size=size, kv_element_bytes=element_bytes,
            split="layers" if engine == "llamacpp" else "heads",
        ),
    )  # fmt: skip


def load(row: Row) -> Load:
    """The load that a row measured."""
    sequences = row.sequences or _most_sequences(row)
    return Load(tokens_in=row.tokens_in, tokens_out=row.tokens_out, sequences=sequences)


def _most_sequences(row: Row) -> int:
    """As many as the cache holds at the middle of their answers."""
    deployment = row.deployment
    architecture, size = deployment.variant.architecture, row.tensor_parallel_size
    heads = max(1, architecture.num_key_value_heads // size)
    token = 2 * architecture.num_hidden_layers * heads * architecture.head_dim
    free = (
        0.9 * deployment.gpu.memory_mib * MIB
        - deployment.variant.weights_bytes / size
        - _ENGINE_BYTES
    )
    tokens = free / (token * deployment.kv_element_bytes)
    return max(1, min(_MOST_SEQUENCES, int(tokens / (row.tokens_in + row.tokens_out / 2))))


def predicted(row: Row, found: Found) -> float:
    """What cfslurm predicts with some efficiencies, in the row's own unit."""
    told = rates(row.deployment, load(row), found)
    if row.metric == "first_token_latency":
        return told.ttft_s * 1000
    if row.metric == "request_latency":
        return told.request_s
    return told.output_tokens_per_s


def speed_of(row: Row, value: float) -> float:
    """A value as a speed: times become their inverse, so that ratios have one direction."""
    return value if row.metric == "output_throughput" else 1.0 / value


def log_ratio(row: Row, value: float) -> float:
    """Logarithm of a predicted speed over the measured one."""
    return math.log(speed_of(row, value) / speed_of(row, row.value))


def by_group(_: int, row: Row) -> str:
    """Leaves out a model on a GPU: what the others on this GPU and engine say of it."""
    return row.group


def by_gpu(_: int, row: Row) -> str:
    """Leaves out a GPU of an engine: what its other GPUs say of it."""
    return f"{row.engine} {row.gpu}"


def by_engine(_: int, row: Row) -> str:
    """Leaves out an engine: what other engines say of it."""
    return row.engine


def by_table(_: int, row: Row) -> str:
    """Leaves out a publication."""
    return row.table


def by_turns(folds: int) -> Callable[[int, Row], str]:
    """Leaves out every so-many-th row: neighbours of the same table stay in."""
    return lambda number, _: str(number % folds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """How far predictions of tokens/s are off. Shape: all shares of the measured value."""

    count: int
    median: float
    mean: float
    within_20: float
    worst: float


def errors(log_ratios: Sequence[float]) -> Errors:
    """Sum up; an error is |predicted / measured - 1|."""
    off = sorted(abs(math.expm1(ratio)) for ratio in log_ratios)
    middle = len(off) // 2
    median = off[middle] if len(off) % 2 else (off[middle - 1] + off[middle]) / 2
    return Errors(
        count=len(off),
        median=median,
        mean=sum(off) / len(off),
        within_20=sum(value <= 0.2 for value in off) / len(off),
        worst=off[-1],
    )


def spread_of(log_ratios: Sequence[float]) -> float:
    """The deviation of a normal distribution that holds 8 of 10 as these do."""
    ordered = sorted(abs(ratio) for ratio in log_ratios)
    return ordered[min(len(ordered) - 1, math.ceil(0.8 * len(ordered)) - 1)] / DEVIATIONS
