"""GPU memory that a model needs, term by term, for the GPU that holds the most."""

from __future__ import annotations

from cfslurm.core.hardware.gpus import GpuFacts
from cfslurm.core.models.activations import activation_terms, batched_tokens, outside
from cfslurm.core.models.engines import Engine
from cfslurm.core.models.kv_cache import kv_cache_terms
from cfslurm.core.models.serving import Serving, Term, estimate, mib
from cfslurm.core.models.variants import Variant
from cfslurm.core.models.weights import weight_terms
from cfslurm.core.slurm.units import MIB

# What the driver keeps of a card, so that programs see less than nvidia-smi says. Source: pairs of both
# numbers in public logs: RTX 3090 24.00 and 23.58 GiB, RTX 5090 31.84 and 31.37, A40 44.99 and 44.35,
# H100 79.65 and 79.19, A100 80.00 and 79.25. Right to 0.3 %.
_DRIVER_BYTES = 0.35 * 1024 * MIB
_DRIVER_SHARE = 0.004
_DRIVER_MOST = 0.018


def memory_terms(
    variant: Variant, serving: Serving, gpu: GpuFacts, engine: Engine
) -> tuple[Term, ...]:
    """What the fullest of ``serving.gpus`` GPUs must hold, largest concerns first.

    ``gpu`` matters for how many tokens an engine takes into one step, and for buffers between GPUs.
    """
    tokens = batched_tokens(serving, gpu, engine)
    return (
        *weight_terms(variant, serving, engine),
        *kv_cache_terms(variant.architecture, serving, engine, batched_tokens=tokens),
        *activation_terms(variant, serving, engine, tokens=tokens),
        *_engine_terms(serving, gpu, engine),
    )


def _engine_terms(serving: Serving, gpu: GpuFacts, engine: Engine) -> tuple[Term, ...]:
    overhead = engine.overhead
    inside, beyond, says = overhead.non_torch_mib, overhead.outside_mib, "context and libraries"
    share = (0.5, 1.3)
    if serving.tensor_parallel_size > 1:
        inside, beyond = overhead.non_torch_parallel_mib, overhead.outside_parallel_mib
        says = "context, libraries, buffers between GPUs"
        if overhead.non_torch_multicast_mib and _has_multicast(gpu):
            inside = overhead.non_torch_multicast_mib
        elif overhead.non_torch_multicast_mib:
            share = (0.4, 2.5)  # measured on Hopper only
    terms = [
        estimate("engine", mib(inside), overhead.source, f"{inside:g} MiB: {says}", share=share)
    ]
    if beyond:
        says = "what the driver sets up for a process"
        context = estimate(
            "context", mib(beyond), overhead.source, f"{beyond:g} MiB: {says}", share=(0.7, 2.0)
        )
        terms.append(outside(context))
    return tuple(terms)


def _has_multicast(gpu: GpuFacts) -> bool:
    """NVLink SHARP: from Hopper on. Source: docs.nvidia.com, NCCL environment, NCCL_NVLS_ENABLE."""
    major = gpu.compute_capability.partition(".")[0]
    return gpu.has_nvlink and major.isdigit() and int(major) >= 9


def usable_bytes(gpu: GpuFacts) -> int:
    """What programs see of a card: what the driver reports, less what it keeps for itself."""
    reported = gpu.memory_mib * MIB
    kept = min(_DRIVER_BYTES + _DRIVER_SHARE * reported, _DRIVER_MOST * reported)
    return int(reported - kept)


def budgeted(terms: tuple[Term, ...]) -> int:
    """Bytes that count against the engine's share."""
    return sum(found.bytes for found in terms if found.is_budgeted)
