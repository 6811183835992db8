"""The shape of a transformer, from a GGUF header: to compare with the base model, or in its place."""

from __future__ import annotations

from cfslurm.core.models.headers import GgufFacts
from cfslurm.core.models.refusal import Refusal
from cfslurm.core.models.variants import Architecture

# The largest that is believed, as for config.json.
_LIMITS = {
    "embedding_length": 2**20,
    "block_count": 4096,
    "attention.head_count": 2**16,
    "attention.head_count_kv": 2**16,
    "attention.key_length": 2**16,
    "feed_forward_length": 2**22,
    "context_length": 2**31,
    "expert_count": 2**16,
    "expert_used_count": 2**16,
    "expert_feed_forward_length": 2**22,
    "nextn_predict_layers": 64,
}
_ONLY_IN_HEADER = (
    "read from a GGUF header, which tells less than a config.json: "
    "all layers are counted with full attention"
)


def gguf_architecture(facts: GgufFacts) -> Architecture | Refusal:
    """The architecture that a header tells; refused where a number is missing or beyond belief.

    Source: the GGUF specification's keys, and their defaults in llama.cpp: ``head_count_kv`` is
        ``head_count``, ``key_length`` is ``embedding_length / head_count``.
    """
    for key, limit in _LIMITS.items():
        value = facts.numbers.get(key, 0)
        if not 0 <= value <= limit:
            return Refusal(f"its GGUF header has an impossible {key}: {str(value)[:40]}")
    needed = ("embedding_length", "block_count", "attention.head_count", "context_length")
    missing = [key for key in needed if not facts.numbers.get(key)]
    if missing:
        return Refusal(f"its GGUF header has no {missing[0]}")
    told = facts.numbers
    hidden, heads = told["embedding_length"], told["attention.head_count"]
    layers = told["block_count"] - told.get("nextn_predict_layers", 0)
    if layers <= 0:
        return Refusal("its GGUF header counts no layers")
    return Architecture(
        model_type=facts.architecture,
        hidden_size=hidden,
        intermediate_size=told.get("feed_forward_length", 0),
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=told.get("attention.head_count_kv", 0) or heads,
        head_dim=told.get("attention.key_length", 0) or hidden // heads,
        vocab_size=facts.vocabulary or told.get("vocab_size", 0),
        max_position_embeddings=told["context_length"],
        num_experts=told.get("expert_count", 0),
        num_experts_per_tok=told.get("expert_used_count", 0),
        moe_intermediate_size=told.get("expert_feed_forward_length", 0),
        assumed=_ONLY_IN_HEADER,
    )


def difference_to(facts: GgufFacts, base: Architecture) -> str:
    """Why a header cannot be of a base model; empty if it can.

    Layers for multi-token prediction count in ``block_count``, and not in num_hidden_layers.
    """
    layers = facts.numbers.get("block_count", base.num_hidden_layers)
    allowed = {layers, layers - facts.numbers.get("nextn_predict_layers", 0)}
    if base.num_hidden_layers not in allowed:
        return f"block_count is {layers}, the base model has {base.num_hidden_layers} layers"
    for key, expected in (
        ("embedding_length", base.hidden_size),
        ("attention.head_count", base.num_attention_heads),
    ):
        ours = facts.numbers.get(key, expected)
        if ours != expected:
            return f"{key} is {ours}, the base model has {expected}"
    return ""
