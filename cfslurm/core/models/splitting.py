"""Over how many GPUs a model can be split by heads."""

from __future__ import annotations

from cfslurm.core.models.architecture import has_attention
from cfslurm.core.models.variants import Architecture, Variant

# In- and out-features on one GPU must be multiples of these. Source: Marlin's tiles in
# vllm/model_executor/layers/quantization/utils/marlin_utils.py (GPTQ_MARLIN_MIN_THREAD_K 128, _N 64);
# blocks of 128 x 128 in vllm/model_executor/layers/quantization/fp8.py.
_MARLIN = frozenset({"awq", "gptq", "w4a16"})
_MARLIN_IN, _MARLIN_OUT = 128, 64
_FP8_BLOCK = 128


def split_refusal(variant: Variant, *, tensor_parallel_size: int) -> str:
    """Why a model cannot be split over so many GPUs by heads; empty if it can.

    Source: vLLM: num_attention_heads % TP == 0 (hard error); KV heads are divided or replicated
        evenly; intermediate features are divided (vllm/distributed/utils.py: divide); a quantization
        group may not be cut (in-features / TP % group_size == 0), nor a tile of the kernel that reads
        the weights. The vocabulary is padded, and never in the way.
    """
    size, architecture = tensor_parallel_size, variant.architecture
    if size == 1:
        return ""
    if not has_attention(architecture):
        return ""
    if architecture.num_attention_heads % size:
        return (
            f"{architecture.num_attention_heads} attention heads cannot be split over {size} GPUs"
        )
    kv_heads = architecture.num_key_value_heads
    if not architecture.kv_lora_rank and kv_heads % size and size % kv_heads:
        return f"{kv_heads} KV heads can be neither split over {size} GPUs nor replicated evenly"
    return _kernel_refusal(variant, size)


def _kernel_refusal(variant: Variant, size: int) -> str:
    width = _inner(variant.architecture)
    if not width:
        return ""
    per_gpu, rest = divmod(width, size)
    group = variant.group_size
    if rest and not group:
        return f"{width} intermediate features cannot be split over {size} GPUs"
    if group and (rest or per_gpu % group):
        return f"{size} GPUs would cut the quantization groups of {group}"
    if variant.family in _MARLIN and (rest or per_gpu % _MARLIN_IN or per_gpu % _MARLIN_OUT):
        return f"{width} / {size} is no multiple of {_MARLIN_IN}, which kernels for {variant.family} need"
    is_block = variant.family == "fp8" and group == _FP8_BLOCK
    if is_block and (rest or per_gpu % _FP8_BLOCK):
        return f"{width} / {size} is no multiple of the FP8 blocks of {_FP8_BLOCK}"
    return ""


def _inner(architecture: Architecture) -> int:
    """The width that is split: of an expert in a mixture, else of the multi-layer perceptron."""
    if architecture.num_experts and architecture.moe_intermediate_size:
        return architecture.moe_intermediate_size
    return architecture.intermediate_size
