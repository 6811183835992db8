"""Memory of weights on one GPU: what is split, what every GPU has, what engines add to the files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

from cfslurm.core.models.engines import Engine, MemoryModel
from cfslurm.core.models.kv_cache import layer_groups
from cfslurm.core.models.serving import Certainty, Serving, Term, estimate, term
from cfslurm.core.models.variants import Architecture, Caching, Variant
from cfslurm.core.slurm.units import human_bytes

_REPLICATED = ("latent", "router", "norm")
# Marlin's MXFP4 kernel wants these multiples. Source: vllm/model_executor/layers/quantization/mxfp4.py.
_MXFP4_INTERMEDIATE, _MXFP4_HIDDEN = 128, 256
_MXFP4_BYTES = 4.25 / 8


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    """Bytes of a checkpoint, by how engines spread them over GPUs."""

    layers: float
    replicated: float
    ends: tuple[float, float]
    is_exact: bool

    @property
    def all(self) -> float:
        """Every byte that is loaded."""
        return self.layers + self.replicated + sum(self.ends)


def weight_terms(variant: Variant, serving: Serving, engine: Engine) -> tuple[Term, ...]:
    """What the fullest of all GPUs holds of the weights, and what the engine makes of them.

    Exact where the headers of the files were read; else replicated parts are computed from the
    architecture. A checkpoint in float32 is halved where the engine casts it to 16 bit.
    """
    parts = _parts(variant, engine)
    first = _split_by_layers if engine.tensor_parallel == "layers" else _split_by_heads
    return (
        first(parts, variant, serving),
        *_extras(variant, serving, engine),
    )


def _parts(variant: Variant, engine: Engine) -> _Parts:
    casts = engine.memory in {MemoryModel.PAGED, MemoryModel.STATIC}
    halved = 0.5 if casts and variant.dtype == "float32" and variant.family == "none" else 1.0
    summary = variant.weights
    if summary is None:
        replicated = min(_replicated(variant.architecture), variant.weights_bytes * 0.5)
        ends = _ends(variant)
        layers = max(0.0, variant.weights_bytes - replicated - sum(ends))
        parts = _Parts(layers=layers, replicated=replicated, ends=ends, is_exact=False)
    else:
        replicated = sum(summary.part(name) for name in _REPLICATED)
        skipped = summary.part("mtp") if casts else 0
        embedding, output = summary.part("embedding"), summary.part("output")
        layers = summary.tensor_bytes - replicated - skipped - embedding - output
        # A tied output layer that is stored all the same is not loaded.
        is_second = variant.architecture.tie_word_embeddings and embedding > 0
        ends = (float(embedding), 0.0 if is_second else float(output))
        parts = _Parts(layers=layers, replicated=replicated, ends=ends, is_exact=True)
    return _Parts(
        layers=parts.layers * halved,
        replicated=parts.replicated * halved,
        ends=(parts.ends[0] * halved, parts.ends[1] * halved),
        is_exact=parts.is_exact,
    )


def _replicated(architecture: Architecture) -> float:
    """Norms, routers and MLA's down-projections, in 16 bit."""
    hidden, layers = architecture.hidden_size, architecture.num_hidden_layers
    norms = 2 * hidden
    router = hidden * architecture.num_experts
    latent = 0
    if architecture.kv_lora_rank:
        latent = hidden * (
            architecture.q_lora_rank + architecture.kv_lora_rank + architecture.qk_rope_head_dim
        )
    return 2.0 * layers * (norms + router + latent)


def _ends(variant: Variant) -> tuple[float, float]:
    """Embeddings and output layer, in 16 bit: quantized checkpoints leave them so; GGUF does not."""
    size = variant.architecture.vocab_size * variant.architecture.hidden_size * 2.0
    size = min(size, variant.weights_bytes / 4)
    if variant.family == "gguf":
        return 0.0, 0.0
    return size, 0.0 if variant.architecture.tie_word_embeddings else size


def _split_by_heads(parts: _Parts, variant: Variant, serving: Serving) -> Term:
    """The stage of a pipeline with the most, split over the GPUs of that stage.

    Embeddings and output layer are split by vocabulary. Of keys and values every GPU has one head at
    least. Norms, routers and MLA's down-projections are on all of them.
    """
    tensor, stages = serving.tensor_parallel_size, serving.pipeline_parallel_size
    layers = variant.architecture.num_hidden_layers
    share = ceil(layers / stages) / layers
    ends = sum(parts.ends) if stages == 1 else max(*parts.ends, parts.ends[0])
    copied = _copied_heads(parts.layers, variant.architecture, tensor)
    size = (parts.layers * share + ends) / tensor + (parts.replicated + copied) * share
    formula = f"{human_bytes(parts.layers + ends)} / {tensor}"
    if stages > 1:
        formula = f"({human_bytes(parts.layers)} x {share:.3g} + {human_bytes(ends)}) / {tensor}"
    if tensor > 1:
        formula += f" + {human_bytes(parts.replicated + copied)} on every GPU"
    is_even = stages == 1 and (parts.is_exact or tensor == 1)
    return _weights_term(size, formula, parts, is_even=is_even)


def _copied_heads(layers: float, architecture: Architecture, tensor: int) -> float:
    """What replicating KV heads adds on one GPU: it has one where 1 / TP of them would be split."""
    heads = architecture.num_key_value_heads
    if architecture.kv_lora_rank or not heads or tensor <= heads:
        return 0.0
    matrices = (
        4.0 * architecture.num_hidden_layers * architecture.hidden_size * architecture.head_dim
    )
    return min(matrices * (1 - heads / tensor), layers / tensor)


def _split_by_layers(parts: _Parts, variant: Variant, serving: Serving) -> Term:
    """Whole layers on each GPU; the last has the output layer, which counts as one more.

    Source: llama.cpp: embeddings stay in host memory, and serve once more as output layer on the GPU
        where they are tied; accelerate's device_map puts them on the first GPU.
    """
    layers, gpus = variant.architecture.num_hidden_layers, serving.gpus
    each = (parts.layers + parts.replicated) / layers
    embedding, output = parts.ends
    if variant.family == "gguf":
        output = output or embedding
        embedding = 0.0
    share = ceil((layers + 1) / gpus)
    if gpus == 1:
        size = parts.layers + parts.replicated + embedding + output
    else:
        size = max(share * each + embedding, (layers + 1 - share * (gpus - 1) - 1) * each + output)
    formula = (
        f"{min(share, layers)} of {layers} layers of {human_bytes(each)}, and embeddings or output"
    )
    return _weights_term(size, formula, parts, is_even=gpus == 1)


def _weights_term(size: float, formula: str, parts: _Parts, *, is_even: bool) -> Term:
    """Exact where every GPU has the same share; layers are taken for equal where they are dealt out."""
    source = "headers of the weight files" if parts.is_exact else "sizes of the weight files"
    certainty = Certainty.EXACT if is_even else Certainty.COMPUTED
    return term("weights", size, source, formula, certainty)


def _extras(variant: Variant, serving: Serving, engine: Engine) -> Iterator[Term]:
    """What vLLM and SGLang allocate with the weights, and no file has."""
    architecture = variant.architecture
    if engine.memory not in {MemoryModel.PAGED, MemoryModel.STATIC}:
        return
    element = 2 if engine.memory is MemoryModel.PAGED else 4
    width = architecture.qk_rope_head_dim or architecture.head_dim
    attention = any(g.caching is not Caching.RECURRENT for g in layer_groups(architecture))
    if attention and width and architecture.max_position_embeddings < 2**31:
        positions = architecture.max_position_embeddings
        yield term(
            "rotary_table",
            positions * width * element,
            "vllm/model_executor/layers/rotary_embedding: one cache of cosines and sines",
            f"{positions} positions x {width} x {element} B",
        )
    if architecture.kv_lora_rank:
        yield _absorbed(architecture, serving)
    if variant.family == "mxfp4" and engine.memory is MemoryModel.PAGED:
        yield _padding(variant, serving)


def _absorbed(architecture: Architecture, serving: Serving) -> Term:
    """MLA keeps its up-projections once more, in 16 bit, for decoding in the latent space."""
    width = architecture.qk_nope_head_dim + architecture.v_head_dim or 2 * architecture.head_dim
    heads = ceil(architecture.num_attention_heads / serving.tensor_parallel_size)
    layers = ceil(architecture.num_hidden_layers / serving.pipeline_parallel_size)
    return term(
        "absorbed_projections",
        2 * layers * heads * width * architecture.kv_lora_rank,
        "vllm/model_executor/layers/attention/mla_attention.py: W_UK and W_UV",
        f"{layers} layers x {heads} heads x {width} x {architecture.kv_lora_rank} x 2 B",
    )


def _padding(variant: Variant, serving: Serving) -> Term:
    """Expert matrices in MXFP4 are padded to what the kernels take."""
    architecture = variant.architecture
    inner = architecture.moe_intermediate_size or architecture.intermediate_size
    split = ceil(inner / serving.tensor_parallel_size)
    padded = ceil(split / _MXFP4_INTERMEDIATE) * _MXFP4_INTERMEDIATE
    hidden = ceil(architecture.hidden_size / _MXFP4_HIDDEN) * _MXFP4_HIDDEN
    layers = ceil(architecture.num_hidden_layers / serving.pipeline_parallel_size)
    added = padded * hidden - split * architecture.hidden_size
    experts = architecture.num_experts or 1
    return estimate(
        "kernel_padding",
        3 * layers * experts * added * _MXFP4_BYTES,
        "vllm/model_executor/layers/quantization/mxfp4.py: 128 and 256 wide tiles",
        f"{layers} layers x {experts} experts x 3 x ({padded} x {hidden} - "
        f"{split} x {architecture.hidden_size}) x {_MXFP4_BYTES:g} B",
        share=(0.5, 1.0),
    )
