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

    ``gpu`` matters for how many tokens an engine takes into one step.
    """
    tokens = batched_tokens(serving, gpu, engine)
    return (
        *weight_terms(variant, serving, engine),
        *kv_cache_terms(variant.architecture, serving, engine, batched_tokens=tokens),
        *activation_terms(variant, serving, engine, tokens=tokens),
        *_engine_terms(serving, engine),
    )


def _engine_terms(serving: Serving, engine: Engine) -> tuple[Term, ...]:
    overhead = engine.overhead
    several = serving.tensor_parallel_size > 1
    inside = overhead.non_torch_parallel_mib if several else overhead.non_torch_mib
    beyond = overhead.outside_parallel_mib if several else overhead.outside_mib
    if engine.context_mib is not None:
        inside, beyond = engine.context_mib, 0.0
    says = "context, libraries and buffers between GPUs" if several else "context and libraries"
    terms = [
        estimate(
            "engine", mib(inside), overhead.source, f"{inside:g} MiB: {says}", share=(0.5, 1.3)
        )
    ]
    if beyond:
        context = estimate(
            "context", mib(beyond), overhead.source, f"{beyond:g} MiB: {says}", share=(0.7, 2.0)
        )
        terms.append(outside(context))
    return tuple(terms)


def usable_bytes(gpu: GpuFacts) -> int:
    """What programs see of a card: what the driver reports, less what it keeps for itself."""
    reported = gpu.memory_mib * MIB
    kept = min(_DRIVER_BYTES + _DRIVER_SHARE * reported, _DRIVER_MOST * reported)
    return int(reported - kept)


def budgeted(terms: tuple[Term, ...]) -> int:
    """Bytes that count against the engine's share."""
    return sum(found.bytes for found in terms if found.is_budgeted)
