"""Memory that one step of an engine needs besides weights and cache: activations, logits, graphs.

Source: shapes of the tensors of vllm/model_executor/models/llama.py and of its fused experts, checked
against the peaks that vLLM's own profiling run reports (benchmarks/data/memory_logs.csv).
"""

from __future__ import annotations

from math import ceil

from cfslurm.core.hardware.gpus import GpuFacts
from cfslurm.core.models.engines import Engine, MemoryModel
from cfslurm.core.models.serving import Serving, Term, estimate, mib, term
from cfslurm.core.models.variants import Architecture, Variant
from cfslurm.core.slurm.units import human_bytes

# vLLM takes larger batches on cards from here on, except A100. Source: vllm/engine/arg_utils.py.
_LARGE_MIB = 70 * 1024
_LLAMACPP_UBATCH = 512
# CUDA graphs: MiB for the pool, and for each layer with all 51 batch sizes captured; more for a mixture.
# Source: fitted to the pools of vLLM 0.19 (benchmarks/data/memory_logs.csv); right to half a GiB.
_GRAPH_POOL_MIB, _GRAPH_SIZES_MIB, _GRAPH_LAYER_MIB, _GRAPH_EXPERTS_MIB = 120, 240, 18, 260
_GRAPH_SIZES = 51


def batched_tokens(serving: Serving, gpu: GpuFacts, engine: Engine) -> int:
    """Tokens that one step works on at the most.

    Source: vllm/engine/arg_utils.py: 2048, 8192 from 70 GiB on except for A100, never more than all
        sequences have. transformers reads all prompts in one step.
    """
    every = serving.max_num_seqs * serving.max_model_len
    overhead = engine.overhead
    large = gpu.memory_mib >= _LARGE_MIB and "a100" not in gpu.key
    default = overhead.batched_tokens_large if large else overhead.batched_tokens
    return min(every, serving.max_num_batched_tokens or default or every)


def activation_terms(
    variant: Variant, serving: Serving, engine: Engine, *, tokens: int
) -> tuple[Term, ...]:
    """The peak of one step with ``tokens`` tokens in it."""
    if engine.memory is MemoryModel.BUFFERS:
        return (_compute_buffer(variant.architecture, serving, tokens=tokens),)
    terms = [
        _forward(variant, serving, engine, tokens),
        _logits(variant.architecture, serving, engine, tokens),
    ]
    if variant.architecture.vision_hidden_size:
        terms.append(_vision(variant.architecture, tokens, engine))
    if graphs := _graphs(variant.architecture, serving, engine):
        terms.append(graphs)
    if engine.memory is MemoryModel.STATIC:  # its share is for weights and cache alone
        return tuple(outside(term) for term in terms)
    return tuple(terms)


def activation_bytes(
    architecture: Architecture, *, batched_tokens: int, tensor_parallel_size: int
) -> int:
    """Peak of the activations of one decoder layer on one GPU, in 16 bit.

    Source: a multi-layer perceptron holds its three intermediates and three hidden states at once,
        attention two copies of queries, keys and values, its output and three hidden states.
    """
    size, hidden = tensor_parallel_size, architecture.hidden_size
    inner = 0 if _is_mixture(architecture) else architecture.intermediate_size
    mlp = 3 * ceil(inner / size) + 3 * hidden
    return int(2 * batched_tokens * max(mlp, _attention_width(architecture, size) + 3 * hidden))


def _attention_width(architecture: Architecture, size: int) -> int:
    heads = ceil(architecture.num_attention_heads / size)
    if architecture.kv_lora_rank:
        nope = architecture.qk_nope_head_dim or architecture.head_dim
        value = architecture.v_head_dim or architecture.head_dim
        return heads * (2 * (nope + architecture.qk_rope_head_dim) + 2 * (nope + value) + value)
    kv_heads = max(1, ceil(architecture.num_key_value_heads / size))
    return (3 * heads + 4 * kv_heads) * architecture.head_dim


def _is_mixture(architecture: Architecture) -> bool:
    return architecture.num_experts > 0 and not architecture.moe_intermediate_size


def expert_bytes(
    architecture: Architecture, *, batched_tokens: int, tensor_parallel_size: int
) -> int:
    """The workspace of fused experts, which stays allocated.

    Source: workspace_shapes of vllm/model_executor/layers/fused_moe/fused_moe.py: tokens x experts of
        each token, once as wide as an expert or the hidden state, once as wide as gate and up together.
    """
    if not architecture.num_experts:
        return 0
    inner = architecture.moe_intermediate_size or architecture.intermediate_size
    inner = ceil(inner / tensor_parallel_size)
    hidden = architecture.hidden_size
    each = max(inner, hidden) + max(2 * inner, hidden)
    # Where nobody tells how many experts a token has: as many as in the largest models of today.
    chosen = architecture.num_experts_per_tok or min(8, architecture.num_experts)
    return 2 * batched_tokens * chosen * each


def _forward(variant: Variant, serving: Serving, engine: Engine, tokens: int) -> Term:
    architecture = variant.architecture
    size = 1 if engine.tensor_parallel == "layers" else serving.tensor_parallel_size
    layer = activation_bytes(architecture, batched_tokens=tokens, tensor_parallel_size=size)
    experts = 0
    if variant.family != "mxfp4":
        experts = expert_bytes(architecture, batched_tokens=tokens, tensor_parallel_size=size)
    fixed = mib(engine.overhead.activation_mib)
    formula = f"{tokens} tokens x {layer / max(tokens, 1):.0f} B in the widest layer"
    if experts:
        formula += f" + {human_bytes(experts)} workspace of the experts"
    if fixed:
        formula += f" + {human_bytes(fixed)}"
    return estimate(
        "activations",
        layer + experts + fixed,
        "shapes of one decoder layer; calibrated on start-up logs",
        formula,
        share=(0.85, 1.25),
    )


def _logits(architecture: Architecture, serving: Serving, engine: Engine, tokens: int) -> Term:
    """What sampling needs beyond the forward pass, whose memory it takes over.

    Source: logits in 16 and 32 bit and a sort with its indices: 14 bytes for each sequence and entry
        of the vocabulary from vLLM 0.17 to 0.30, 38 before, 43 after; transformers keeps one copy in
        32 bit.
    """
    each = engine.overhead.sampler_bytes or 4.0
    rows = min(serving.max_num_seqs, tokens)
    hidden = 2 * tokens * architecture.hidden_size
    sampling = rows * architecture.vocab_size * each + hidden
    size = 1 if engine.tensor_parallel == "layers" else serving.tensor_parallel_size
    layer = activation_bytes(architecture, batched_tokens=tokens, tensor_parallel_size=size)
    return estimate(
        "logits",
        max(0.0, sampling - layer),
        "vLLM's sampler, calibrated on start-up logs"
        if each > 4
        else "one row of 32 bit a sequence",
        f"{rows} sequences x {architecture.vocab_size} x {each:g} B + {human_bytes(hidden)}, "
        f"{human_bytes(min(sampling, layer))} of it where activations were",
        share=(0.9, 1.1),
    )


def _vision(architecture: Architecture, tokens: int, engine: Engine) -> Term:
    seen = max(tokens if engine.memory is not MemoryModel.DYNAMIC else 0, architecture.image_tokens)
    return estimate(
        "vision",
        seen * architecture.hidden_size * 2 + mib(engine.overhead.vision_mib),
        "cache of encoded pictures (vllm/v1/core/encoder_cache_manager.py) and the tower's buffers",
        f"{seen} tokens x {architecture.hidden_size} x 2 B + {engine.overhead.vision_mib:g} MiB",
        share=(0.0, 2.0),
    )


def _graphs(architecture: Architecture, serving: Serving, engine: Engine) -> Term | None:
    """Captured CUDA graphs: batch sizes 1, 2, 4 and every eighth to twice the sequences, at most 512.

    Source: vllm/config/vllm.py (cudagraph_capture_sizes).
    """
    place = engine.overhead.graphs
    if place == "none":
        return None
    largest = min(2 * serving.max_num_seqs, 512)
    sizes = min(largest, 3 + largest // 8)
    part = min(1.0, sizes / _GRAPH_SIZES)
    layers = ceil(architecture.num_hidden_layers / serving.pipeline_parallel_size)
    experts = _GRAPH_EXPERTS_MIB if architecture.num_experts else 0
    size = _GRAPH_POOL_MIB + part * (_GRAPH_SIZES_MIB + _GRAPH_LAYER_MIB * layers + experts)
    found = estimate(
        "cuda_graphs",
        mib(size),
        "fitted to pools that vLLM 0.19 reports",
        f"{_GRAPH_POOL_MIB} MiB + {part:.2g} x ({_GRAPH_SIZES_MIB + experts} + "
        f"{_GRAPH_LAYER_MIB} x {layers} layers) MiB",
        share=(0.5, 1.6),
    )
    return found if place == "inside" else outside(found)


def outside(found: Term) -> Term:
    """The same term, not counted against the engine's share of the memory."""
    return Term(
        name=found.name,
        bytes=found.bytes,
        source=found.source,
        formula=found.formula,
        certainty=found.certainty,
        low_bytes=found.low_bytes,
        high_bytes=found.high_bytes,
        is_budgeted=False,
    )


def _compute_buffer(architecture: Architecture, serving: Serving, *, tokens: int) -> Term:
    """The scratch buffer of llama.cpp with flash attention.

    Source: "compute buffer size" of its own log: logits and one hidden state in 32 bit for each of
        n_ubatch tokens (Llama-3-8B 258.50 MiB, Qwen2.5-7B 304.00 MiB, to the byte); or, in very long
        contexts, the mask in 16 bit beside eight hidden states, which is an assumption.
    """
    ubatch = min(tokens, _LLAMACPP_UBATCH)
    context = serving.max_model_len * serving.max_num_seqs
    logits = 4 * ubatch * (architecture.vocab_size + architecture.hidden_size)
    mask = 2 * ubatch * context + 32 * ubatch * architecture.hidden_size
    formula = f"{ubatch} tokens x ({architecture.vocab_size} + {architecture.hidden_size}) x 4 B"
    if mask > logits:
        formula = f"{ubatch} tokens x ({context} x 2 B of mask + {architecture.hidden_size} x 32 B)"
    return term(
        "compute_buffer",
        max(logits, mask),
        "llama.cpp with flash attention: logits of a micro-batch, or the attention mask",
        formula,
    )
