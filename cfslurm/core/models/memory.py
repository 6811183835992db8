"""GPU memory that a model needs, term by term."""

from __future__ import annotations

from dataclasses import dataclass

from cfslurm.core.documents import STRICT
from cfslurm.core.models.variants import Architecture
from cfslurm.core.slurm.units import MIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One part of the memory on one GPU, and where the number comes from."""

    __pydantic_config__ = STRICT

    name: str
    bytes: int
    source: str


def kv_cache_bytes_per_token(architecture: Architecture, *, tensor_parallel_size: int) -> int:
    """Size on one GPU of the keys and values of one cached token, in 16 bit.

    Holds for multi-head, grouped-query, multi-query and latent attention with full context; too
    high for sliding-window layers. With more GPUs than KV heads the heads are replicated, so that
    nothing more is saved; a latent (MLA) is replicated on every GPU.

    Shape:  keys and values are each [layers, kv_heads, tokens, head_dim].
    Source: vllm/v1/kv_cache_interface.py; field names as in the Hugging Face config.json.

    >>> llama_3_8b = Architecture(model_type="llama", hidden_size=4096, intermediate_size=14336,
    ...     num_hidden_layers=32, num_attention_heads=32, num_key_value_heads=8, head_dim=128,
    ...     vocab_size=128256, max_position_embeddings=8192)
    >>> kv_cache_bytes_per_token(llama_3_8b, tensor_parallel_size=1)
    131072
    """
    element_bytes = 2
    if architecture.kv_lora_rank:
        latent = architecture.kv_lora_rank + architecture.qk_rope_head_dim
        return architecture.num_hidden_layers * latent * element_bytes
    heads = max(1, architecture.num_key_value_heads // tensor_parallel_size)
    return 2 * architecture.num_hidden_layers * heads * architecture.head_dim * element_bytes


def activation_bytes(
    architecture: Architecture, *, batched_tokens: int, tensor_parallel_size: int
) -> int:
    """Peak of the activations of one forward pass on one GPU, an estimate.

    Source: tokens x (4 hidden + 2 intermediate / TP + (q + 2 kv) heads x head_dim / TP) x 2 bytes;
        the form is that of one decoder layer, checked against vllm#14452 (1.0 to 1.8 GiB measured).
    """
    heads = architecture.num_attention_heads + 2 * architecture.num_key_value_heads
    width = (
        4 * architecture.hidden_size
        + 2 * architecture.intermediate_size / tensor_parallel_size
        + heads * architecture.head_dim / tensor_parallel_size
    )
    return int(batched_tokens * width * 2)


def logits_bytes(architecture: Architecture, *, max_num_seqs: int) -> int:
    """The logits of one step and one copy of them, in 32 bit.

    Source: sequences x vocabulary x 4 bytes x 2, as vLLM's sampler holds them.
    """
    return max_num_seqs * architecture.vocab_size * 4 * 2


def memory_terms(
    architecture: Architecture,
    *,
    weights_bytes: int,
    tensor_parallel_size: int,
    max_model_len: int,
    max_num_seqs: int,
    context_mib: float,
) -> tuple[Term, ...]:
    """What one of ``tensor_parallel_size`` GPUs must hold.

    The weights are the bytes of the files that are loaded. With several GPUs 3 % are added for
    what every GPU holds whole (norms, routers, padding of the vocabulary).
    """
    replicated = 1.03 if tensor_parallel_size > 1 else 1.0
    per_token = kv_cache_bytes_per_token(architecture, tensor_parallel_size=tensor_parallel_size)
    batched_tokens = max(1, min(max_model_len, 2048))  # vLLM's default max_num_batched_tokens
    return (
        Term(
            name="weights",
            bytes=int(weights_bytes / tensor_parallel_size * replicated),
            source="bytes of the files on the Hub",
        ),
        Term(
            name="kv_cache",
            bytes=per_token * max_model_len * max_num_seqs,
            source="config.json, 16 bit, full context for every sequence",
        ),
        Term(
            name="activations",
            bytes=activation_bytes(
                architecture,
                batched_tokens=batched_tokens,
                tensor_parallel_size=tensor_parallel_size,
            )
            + logits_bytes(architecture, max_num_seqs=max_num_seqs),
            source="estimate from config.json",
        ),
        Term(
            name="context",
            bytes=int(context_mib * MIB),
            source="engine table",
        ),
    )
