"""Does a variant go onto some GPUs of a node?"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from cfslurm.core.hardware.gpus import GpuFacts
from cfslurm.core.models.engines import Engine, unsupported
from cfslurm.core.models.memory import Term, memory_terms
from cfslurm.core.models.variants import Variant
from cfslurm.core.slurm.units import MIB, human_bytes
from cfslurm.core.workflow.model import Model

# Below this share of free memory an estimate may be wrong about "fits". Source: facts on estimates of
# activations and graphs, which are off by up to a tenth of a card.
_TIGHT_SLACK = 0.10


class Verdict(StrEnum):
    """The answer, in the words that users see."""

    FITS = "fits"
    TIGHT = "tight"
    NO = "does not fit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """Memory needed on each of ``tensor_parallel_size`` GPUs against what the engine may take.

    ``reason`` is empty unless the verdict is NO.
    """

    verdict: Verdict
    tensor_parallel_size: int
    need_bytes: int
    limit_bytes: int
    terms: tuple[Term, ...]
    reason: str = ""


def fit(
    variant: Variant,
    model: Model,
    gpu: GpuFacts,
    engine: Engine,
    *,
    tensor_parallel_size: int,
) -> Fit:
    """Compare the memory terms with the GPU.

    The limit is the engine's share of the memory that the driver reports. An unknown GPU fits
    nothing: its memory is 0.
    """
    terms = memory_terms(
        variant.architecture,
        weights_bytes=variant.weights_bytes,
        tensor_parallel_size=tensor_parallel_size,
        max_model_len=model.max_model_len,
        max_num_seqs=model.max_num_seqs,
        context_mib=engine.context_mib,
    )
    need = sum(term.bytes for term in terms)
    limit = int(gpu.memory_mib * MIB * engine.gpu_memory_utilization)
    reason = _refusal(variant, model, gpu, engine, tensor_parallel_size)
    if not reason and need > limit:
        missing = need - limit
        reason = (
            f"needs {human_bytes(need)} on each of {tensor_parallel_size} GPU(s), "
            f"{gpu.key} gives {human_bytes(limit)}: {human_bytes(missing)} too much"
        )
    verdict = (
        Verdict.NO
        if reason
        else Verdict.TIGHT
        if need > limit * (1 - _TIGHT_SLACK)
        else Verdict.FITS
    )
    return Fit(
        verdict=verdict,
        tensor_parallel_size=tensor_parallel_size,
        need_bytes=need,
        limit_bytes=limit,
        terms=terms,
        reason=reason,
    )


def _refusal(
    variant: Variant, model: Model, gpu: GpuFacts, engine: Engine, tensor_parallel_size: int
) -> str:
    if not gpu.memory_mib:
        return f"the memory of GPU type {gpu.key!r} is unknown: name it in the site config"
    engine_says = unsupported(variant.family, gpu, model.engine, engine)
    if engine_says:
        return engine_says
    longest = variant.architecture.max_position_embeddings
    if model.max_model_len > longest:
        return f"max_model_len {model.max_model_len} is more than the model's {longest}"
    if engine.tensor_parallel == "heads":
        return split_refusal(variant, tensor_parallel_size=tensor_parallel_size)
    return ""


def split_refusal(variant: Variant, *, tensor_parallel_size: int) -> str:
    """Why a model cannot be split over so many GPUs by heads; empty if it can.

    Source: vLLM: num_attention_heads % TP == 0 (hard error); KV heads are divided or replicated
        evenly; a quantization group may not be cut (in-features / TP % group_size == 0).
    """
    size, architecture = tensor_parallel_size, variant.architecture
    if architecture.num_attention_heads % size:
        return (
            f"{architecture.num_attention_heads} attention heads cannot be split over {size} GPUs"
        )
    kv_heads = architecture.num_key_value_heads
    if not architecture.kv_lora_rank and kv_heads % size and size % kv_heads:
        return f"{kv_heads} KV heads can be neither split over {size} GPUs nor replicated evenly"
    group = variant.group_size
    if group and architecture.intermediate_size and size > 1:
        per_gpu, rest = divmod(architecture.intermediate_size, size)
        if rest or per_gpu % group:
            return f"{size} GPUs would cut the quantization groups of {group}"
    return ""
