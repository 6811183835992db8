"""How long an item takes on a GPU: a roofline with named efficiencies.

Source: fitted on 54 public rows of vLLM, TensorRT-LLM, LMDeploy and llama.cpp; on 20 other rows the
median error was 5 %, the mean 17 % (see docs/explanation/model-sizes.md). Quantized compute runs at
the 16-bit rate; FP8 arithmetic is not counted here, so prefill on FP8 cards is predicted too slow.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log2

from cfslurm.core.hardware.gpus import GpuFacts
from cfslurm.core.models.engines import Engine
from cfslurm.core.models.kv_cache import kv_cache_bytes_per_token
from cfslurm.core.models.variants import Architecture, Variant
from cfslurm.core.slurm.units import duration_s
from cfslurm.core.workflow.model import Work

WEIGHT_READ_EFFICIENCY = 0.747  # of GPU memory bandwidth, decode
KV_READ_EFFICIENCY = 0.944
PREFILL_EFFICIENCY = 0.747  # of dense FP16 rate
LINK_EFFICIENCY = 0.7
STEP_OVERHEAD_S = 0.0025  # sampling, scheduling, kernel launches of one decode step
NVLINK_HOP_S = 18e-6
PCIE_HOP_S = 28e-6
LOAD_BYTES_PER_S = 2e9  # weights from a shared filesystem, one reader; an assumption
DEFAULT_TOKENS_IN = 512
DEFAULT_TOKENS_OUT = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """Predicted times on one set of GPUs, and how sure they are.

    Units: ``start_s`` once for each process (engine start and weights), ``item_s`` for each item.
    """

    start_s: float
    item_s: float
    decode_tokens_per_s: float
    source: str


def predict(
    variant: Variant, gpu: GpuFacts, engine: Engine, work: Work | None, *, tensor_parallel_size: int
) -> Speed:
    """Time for one item on ``tensor_parallel_size`` GPUs of a kind, one sequence at a time.

    A measured ``work.time`` is taken as it is. Without any number an item of 512 tokens in and 256
    out is assumed, and said so in ``source``.
    """
    step = decode_step_s(variant, gpu, tensor_parallel_size=tensor_parallel_size)
    start = engine.start_s + variant.weights_bytes / LOAD_BYTES_PER_S
    tokens_per_s = 1.0 / step
    if work is not None and work.time is not None:
        return Speed(
            start_s=start,
            item_s=float(duration_s(work.time)),
            decode_tokens_per_s=tokens_per_s,
            source="the workflow's work.time",
        )
    tokens_in = DEFAULT_TOKENS_IN if work is None or work.tokens_in is None else work.tokens_in
    tokens_out = DEFAULT_TOKENS_OUT if work is None or work.tokens_out is None else work.tokens_out
    assumed = work is None or (work.tokens_in is None and work.tokens_out is None)
    item = tokens_out * step + prefill_s(
        variant, gpu, tokens=tokens_in, tensor_parallel_size=tensor_parallel_size
    )
    return Speed(
        start_s=start,
        item_s=item,
        decode_tokens_per_s=tokens_per_s,
        source="roofline, tokens assumed" if assumed else "roofline",
    )


def decode_step_s(
    variant: Variant, gpu: GpuFacts, *, tensor_parallel_size: int, context_tokens: int = 1024
) -> float:
    """Seconds for one token of one sequence: weights and KV cache are read once.

    Shape: weights / (TP x bandwidth x e_w) + context x KV / (bandwidth x e_kv) + communication + t0.
    """
    bandwidth = max(gpu.bandwidth_gbs, 1e-3) * 1e9
    size = tensor_parallel_size
    kv = kv_cache_bytes_per_token(variant.architecture, tensor_parallel_size=size)
    return (
        variant.weights_bytes / (size * bandwidth * WEIGHT_READ_EFFICIENCY)
        + context_tokens * kv / (bandwidth * KV_READ_EFFICIENCY)
        + communication_s(variant.architecture, gpu, tokens=1, tensor_parallel_size=size)
        + STEP_OVERHEAD_S
    )


def prefill_s(variant: Variant, gpu: GpuFacts, *, tokens: int, tensor_parallel_size: int) -> float:
    """Seconds to read a prompt: 2 x parameters x tokens operations at the 16-bit rate."""
    rate = max(gpu.fp16_tflops, 1e-3) * 1e12 * tensor_parallel_size * PREFILL_EFFICIENCY
    parameters = variant.architecture.parameters or variant.weights_bytes // 2
    return 2 * parameters * tokens / rate + communication_s(
        variant.architecture, gpu, tokens=tokens, tensor_parallel_size=tensor_parallel_size
    )


def communication_s(
    architecture: Architecture, gpu: GpuFacts, *, tokens: int, tensor_parallel_size: int
) -> float:
    """Two all-reduces a layer: a latency for each, and the bytes of the hidden state over the link."""
    size = tensor_parallel_size
    if size == 1:
        return 0.0
    hop = NVLINK_HOP_S if gpu.has_nvlink else PCIE_HOP_S
    link = max(gpu.link_gbs, 1.0) * 1e9 * LINK_EFFICIENCY
    moved = 2 * (size - 1) / size * 2 * tokens * architecture.hidden_size
    return 2 * architecture.num_hidden_layers * (hop * (1 + 0.15 * log2(size)) + moved / link)
