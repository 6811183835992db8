"""Does a variant go onto some GPUs of a node?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from cfslurm.core.hardware.gpus import GpuFacts
from cfslurm.core.models.engines import Engine, unsupported
from cfslurm.core.models.memory import budgeted, memory_terms, usable_bytes
from cfslurm.core.models.serving import Serving, Term
from cfslurm.core.models.splitting import split_refusal
from cfslurm.core.models.variants import Variant
from cfslurm.core.slurm.units import human_bytes
from cfslurm.core.workflow.model import Model

# Below this share of free memory an estimate may be wrong about "fits": activations and graphs are off
# by up to a tenth of a card (docs/benchmarks.md).
_TIGHT_SLACK = 0.10
_MOST_SEQUENCES = 65_536


class Verdict(StrEnum):
    """The answer, in the words that users see."""

    FITS = "fits"
    TIGHT = "tight"
    NO = "does not fit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """Memory needed on the fullest GPU against what the engine may take of it.

    ``gpus`` is tensor times pipeline parallel size. ``need_bytes`` counts the terms that are held
    against the engine's share. ``reason`` is empty unless the verdict is NO.
    """

    verdict: Verdict
    tensor_parallel_size: int
    need_bytes: int
    limit_bytes: int
    terms: tuple[Term, ...]
    pipeline_parallel_size: int = 1
    reason: str = ""

    @property
    def slack_bytes(self) -> int:
        """What is left; below 0 where it does not fit."""
        return self.limit_bytes - self.need_bytes


def serving_of(model: Model, *, tensor_parallel_size: int) -> Serving:
    """What a workflow asks for."""
    return Serving(
        max_model_len=model.max_model_len,
        max_num_seqs=model.max_num_seqs,
        tensor_parallel_size=tensor_parallel_size,
    )


def fit(
    variant: Variant, serving: Serving, gpu: GpuFacts, engine: Engine, *, engine_name: str
) -> Fit:
    """Compare the memory terms with the GPU.

    The limit is the engine's share of the memory that programs see; what engines take beyond their
    share must go into the rest of the card. An unknown GPU fits nothing: its memory is 0.
    """
    refused = refusal(variant, serving, gpu, engine, engine_name=engine_name)
    terms = () if _is_uncountable(serving, engine) else memory_terms(variant, serving, gpu, engine)
    need, usable = budgeted(terms), usable_bytes(gpu)
    limit = int(usable * engine.gpu_memory_utilization)
    reason = refused or _too_much(terms, need, limit, usable, serving, gpu)
    worst = sum(found.high_bytes for found in terms if found.is_budgeted)
    is_tight = need > limit * (1 - _TIGHT_SLACK) or worst > limit
    return Fit(
        verdict=Verdict.NO if reason else Verdict.TIGHT if is_tight else Verdict.FITS,
        tensor_parallel_size=serving.tensor_parallel_size,
        pipeline_parallel_size=serving.pipeline_parallel_size,
        need_bytes=need,
        limit_bytes=limit,
        terms=terms,
        reason=reason,
    )


def _is_uncountable(serving: Serving, engine: Engine) -> bool:
    return serving.kv_cache_dtype not in {"auto", *engine.kv_cache_dtypes}


def _too_much(
    terms: tuple[Term, ...], need: int, limit: int, usable: int, serving: Serving, gpu: GpuFacts
) -> str:
    every = sum(found.bytes for found in terms)
    if need > limit:
        given, wanted = limit, need
    elif every > usable:
        given, wanted = usable, every
    else:
        return ""
    return (
        f"needs {human_bytes(wanted)} on each of {serving.gpus} GPU(s), "
        f"{gpu.key} gives {human_bytes(given)}: {human_bytes(wanted - given)} too much"
    )


def refusal(
    variant: Variant, serving: Serving, gpu: GpuFacts, engine: Engine, *, engine_name: str
) -> str:
    """Why a variant cannot run so, whatever the memory; empty if nothing is against it."""
    if not gpu.memory_mib:
        return f"the memory of GPU type {gpu.key!r} is unknown: name it in the site config"
    if engine_says := unsupported(variant.family, gpu, engine_name, engine):
        return engine_says
    if _is_uncountable(serving, engine):
        known = ", ".join(engine.kv_cache_dtypes)
        return f"{engine_name} has no KV cache in {serving.kv_cache_dtype} (it has {known})"
    if gpu.link == "MIG" and serving.tensor_parallel_size > 1:
        return "instances of a divided GPU (MIG) do not reach each other's memory: one GPU only"
    longest = variant.architecture.max_position_embeddings
    if serving.max_model_len > longest:
        return f"max_model_len {serving.max_model_len} is more than the model's {longest}"
    if serving.pipeline_parallel_size > variant.architecture.num_hidden_layers:
        layers = variant.architecture.num_hidden_layers
        return f"{serving.pipeline_parallel_size} stages are more than the {layers} layers"
    if engine.tensor_parallel == "heads":
        return split_refusal(variant, tensor_parallel_size=serving.tensor_parallel_size)
    return ""


def longest_context(variant: Variant, serving: Serving, gpu: GpuFacts, engine: Engine) -> int:
    """The most tokens a sequence may have so that all still go onto the GPUs; 0 if none.

    The formula is inverted by halving: what is needed never falls as contexts grow.
    """

    def holds(length: int) -> bool:
        return _goes(variant, replace(serving, max_model_len=length), gpu, engine)

    return _largest(holds, variant.architecture.max_position_embeddings)


def most_sequences(variant: Variant, serving: Serving, gpu: GpuFacts, engine: Engine) -> int:
    """The most sequences of ``max_model_len`` tokens that can be held at once; 0 if none."""

    def holds(count: int) -> bool:
        return _goes(variant, replace(serving, max_num_seqs=count), gpu, engine)

    return _largest(holds, _MOST_SEQUENCES)


def _goes(variant: Variant, serving: Serving, gpu: GpuFacts, engine: Engine) -> bool:
    terms, usable = memory_terms(variant, serving, gpu, engine), usable_bytes(gpu)
    limit = int(usable * engine.gpu_memory_utilization)
    return not _too_much(terms, budgeted(terms), limit, usable, serving, gpu)


def _largest(holds: Callable[[int], bool], most: int) -> int:
    """The largest number from 1 to ``most`` that holds; 0 if none. What holds for one, holds below."""
    if not holds(1):
        return 0
    if holds(most):
        return most
    low, high = 1, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low
