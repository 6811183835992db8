"""How fast a variant is on some GPUs: what it moves and computes, and what the engine reaches of it.

The physics is in `roofline`, what engines reach is in `speed_table`; this joins the two. Numbers are
likely values with a range that holds 8 of 10 measurements, as wide as the fit was wrong on
measurements that it had not seen (see docs/explanation/model-sizes.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp
from typing import Literal

from cfslurm.core.documents import STRICT
from cfslurm.core.hardware.gpus import GpuFacts
from cfslurm.core.models.roofline import (
    CachedLayers,
    Placement,
    StepWork,
    decode_step_s,
    embedding_parameters,
    expert_parameters,
    parameters,
    prefill_s,
)
from cfslurm.core.models.speed_table import Found, SpeedKey
from cfslurm.core.models.variants import Architecture, Caching, LayerGroup, Variant

# 8 of 10 values of a normal distribution lie within so many standard deviations.
DEVIATIONS = 1.2816
_INT8_CAPABILITY = 7.5  # NVIDIA: INT8 tensor cores, twice the 16-bit rate, from Turing on
_FP4_CAPABILITY = 10.0  # NVIDIA: FP4 tensor cores from Blackwell on


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """A likely value between two others; 8 of 10 measurements are expected to lie between them."""

    __pydantic_config__ = STRICT

    low: float
    likely: float
    high: float

    @classmethod
    def around(cls, likely: float, spread: float) -> Range:
        """A value with the standard deviation of its logarithm.

        >>> around = Range.around(100.0, 0.1)
        >>> round(around.low), round(around.high)
        (88, 114)
        """
        wide = exp(DEVIATIONS * spread)
        return cls(low=likely / wide, likely=likely, high=likely * wide)

    def __str__(self) -> str:
        return f"{digits(self.low)}-{digits(self.high)}"

    def rounded(self) -> Range:
        """Three digits: more than a prediction knows, and the same on every machine."""
        low, likely, high = (float(f"{value:.3g}") for value in (self.low, self.likely, self.high))
        return Range(low=low, likely=likely, high=high)


def digits(value: float) -> str:
    """Three digits, without an exponent.

    >>> digits(1062.4), digits(48.123), digits(0.5)
    ('1060', '48.1', '0.5')
    """
    rounded = float(f"{value:.3g}")
    return f"{rounded:.0f}" if abs(rounded) >= 100 else f"{rounded:g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """A variant that an engine runs on some GPUs.

    ``kv_element_bytes`` is 2 for a 16-bit cache, 1 for FP8. An empty ``engine_version`` is the newest
    that was measured.
    """

    variant: Variant
    gpu: GpuFacts
    engine: str
    engine_version: str = ""
    tensor_parallel_size: int = 1
    pipeline_parallel_size: int = 1
    split: Literal["heads", "layers"] = "heads"
    kv_element_bytes: float = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Requests that run at once: ``sequences`` of them, each of so many tokens."""

    tokens_in: int
    tokens_out: int
    sequences: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Predicted times of one load.

    Units: ``ttft_s`` until each request has its first token; ``step_s`` a token of every sequence
        from then on; ``request_s`` until the last request has ended; ``decode_tokens_per_s`` and
        ``prefill_tokens_per_s`` over all sequences; ``output_tokens_per_s`` with the prompts read.
    """

    ttft_s: float
    step_s: float
    request_s: float
    prefill_tokens_per_s: float
    decode_tokens_per_s: float
    output_tokens_per_s: float
    spread: float
    rows: int
    basis: str


def rates(deployment: Deployment, load: Load, found: Found) -> Rates:
    """Times of a load, all of its sequences starting together, with what a table has found.

    A step's cost is taken at the middle of the answer, where half of it is in the cache.
    """
    work = step_work(deployment)
    place = Placement(
        gpu=deployment.gpu,
        tflops=arithmetic(deployment.variant, deployment.gpu)[1],
        tensor_parallel_size=deployment.tensor_parallel_size,
        pipeline_parallel_size=deployment.pipeline_parallel_size,
        split=deployment.split,
    )
    reading = prefill_s(
        work, place, found.efficiency, prompts=load.sequences, tokens=load.tokens_in
    )
    middle = load.tokens_in + load.tokens_out / 2
    step = decode_step_s(work, place, found.efficiency, sequences=load.sequences, context=middle)
    total = reading + load.tokens_out * step
    gain = place.stage_gain if load.sequences >= deployment.pipeline_parallel_size > 1 else 1.0
    return Rates(
        ttft_s=reading or step,
        step_s=step / gain,
        request_s=total / gain,
        prefill_tokens_per_s=load.sequences * load.tokens_in / reading if reading else 0.0,
        decode_tokens_per_s=load.sequences * gain / step,
        output_tokens_per_s=load.sequences * load.tokens_out * gain / total if total else 0.0,
        spread=found.spread,
        rows=found.rows,
        basis=found.basis,
    )


def speed_key(deployment: Deployment) -> SpeedKey:
    """Under what the table knows an engine with this model on this GPU."""
    return SpeedKey(
        engine=deployment.engine,
        version=deployment.engine_version,
        gpu=deployment.gpu.key,
        capability=deployment.gpu.compute_capability,
        dtype=arithmetic(deployment.variant, deployment.gpu)[0],
        attention=attention_kind(deployment.variant.architecture),
    )


def arithmetic(variant: Variant, gpu: GpuFacts) -> tuple[str, float]:
    """The arithmetic that is used, and the card's dense rate of it in 10^12 operations/s.

    Formats that quantize weights only (AWQ, GPTQ, W4A16, GGUF; FP8 and FP4 on cards without such
    units) compute in 16 bit; what turning weights back costs is in their efficiencies.

    Source: NVIDIA's architecture white papers: FP8 units from Ada and Hopper on, INT8 tensor cores
        at twice the 16-bit rate from Turing on, FP4 from Blackwell on, here counted at the FP8 rate
        because activations of most checkpoints are not FP4.
    """
    family, sixteen_bit = variant.family, gpu.fp16_tflops
    capability = _capability(gpu)
    if family == "gguf":
        return "gguf", sixteen_bit
    if family == "fp8":
        return ("fp8", gpu.fp8_tflops) if gpu.fp8_tflops else ("w8", sixteen_bit)
    if family == "int8":
        has_units = gpu.vendor == "amd" or capability >= _INT8_CAPABILITY
        return ("int8", 2 * sixteen_bit) if has_units else ("w8", sixteen_bit)
    if family in ("nvfp4", "mxfp4") and capability >= _FP4_CAPABILITY and gpu.fp8_tflops:
        return "fp8", gpu.fp8_tflops
    return ("f16", sixteen_bit) if family == "none" else ("w4", sixteen_bit)


def _capability(gpu: GpuFacts) -> float:
    try:
        return float(gpu.compute_capability)
    except ValueError:
        return 0.0


def attention_kind(architecture: Architecture) -> str:
    """``mla``, ``mha`` or ``gqa``: engines have kernels of their own for each."""
    if architecture.kv_lora_rank:
        return "mla"
    same = architecture.num_key_value_heads == architecture.num_attention_heads
    return "mha" if same else "gqa"


def step_work(deployment: Deployment) -> StepWork:
    """What a step of a variant moves and computes.

    The table of embeddings is not read, a few rows of it are; a tied one is read as the output layer.
    Bytes of the experts and of the table are those of the headers if they were read; else their share
    of the parameters, since all linear layers are quantized alike.
    """
    variant, architecture = deployment.variant, deployment.variant.architecture
    total = variant.parameters or parameters(architecture)
    tied = architecture.tie_word_embeddings
    if variant.weights is not None:
        tied = variant.weights.is_output_tied
    table = 0 if tied else min(embedding_parameters(architecture), total // 2)
    experts = min(expert_parameters(architecture), total - table)
    dense_bytes, expert_bytes = _bytes_read(variant, table, experts, total)
    used = architecture.num_experts_per_tok / architecture.num_experts if experts else 0.0
    return StepWork(
        num_layers=architecture.num_hidden_layers,
        hidden_size=architecture.hidden_size,
        attention_width=architecture.num_attention_heads * architecture.head_dim,
        active_parameters=total - table - experts * (1 - used),
        dense_bytes=dense_bytes,
        expert_bytes=expert_bytes,
        num_experts=architecture.num_experts if experts else 0,
        num_experts_per_tok=architecture.num_experts_per_tok if experts else 0,
        cache=cached_layers(deployment),
    )


def _bytes_read(variant: Variant, table: int, experts: int, total: int) -> tuple[float, float]:
    """Bytes that every step reads, and bytes of all experts; what sees and MTP layers are not read."""
    told = variant.weights
    if told is not None:
        table_bytes = told.part("embedding") if table else 0
        unread = table_bytes + told.part("multimodal") + told.part("mtp")
        return told.tensor_bytes - unread - told.part("experts"), told.part("experts")
    weights = variant.weights_bytes
    element = weights / total if variant.family == "gguf" else 2.0
    body = weights - min(table * element, weights / 2)
    expert_bytes = body * experts / max(total - table, 1)
    return body - expert_bytes, expert_bytes


def cached_layers(deployment: Deployment) -> tuple[CachedLayers, ...]:
    """What the layers read of the cache on one GPU; KV heads are split or replicated."""
    architecture = deployment.variant.architecture
    size = 1 if deployment.split == "layers" else deployment.tensor_parallel_size
    groups = architecture.layers or (_all_layers(architecture),)
    return tuple(_cached(group, size, deployment.kv_element_bytes) for group in groups)


def _all_layers(architecture: Architecture) -> LayerGroup:
    count = architecture.num_hidden_layers
    if architecture.kv_lora_rank:
        latent = architecture.kv_lora_rank + architecture.qk_rope_head_dim
        return LayerGroup(caching=Caching.LATENT, count=count, key_dim=latent)
    return LayerGroup(
        caching=Caching.FULL,
        count=count,
        num_key_value_heads=architecture.num_key_value_heads,
        key_dim=architecture.head_dim,
        value_dim=architecture.head_dim,
    )


def _cached(group: LayerGroup, size: int, element_bytes: float) -> CachedLayers:
    if group.caching is Caching.RECURRENT:
        state = (group.state_elements + group.conv_elements) * group.count / size
        return CachedLayers(bytes_per_token=2.0 * state, window=1)
    if group.caching is Caching.LATENT:
        return CachedLayers(bytes_per_token=group.key_dim * group.count * element_bytes)
    heads = max(1, group.num_key_value_heads // size)
    each = (group.key_dim + group.value_dim) * heads * group.count * element_bytes
    window = group.window if group.caching is Caching.SLIDING else 0
    return CachedLayers(bytes_per_token=each, window=window)
