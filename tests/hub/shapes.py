"""The shape of a made-up mixture-of-experts model, and the names and sizes of its tensors.

Why experts: the plan's estimate of activations grows with the hidden size and the width of one
expert, the weights grow with the number of experts. So a model of 40 MiB behaves on a GPU of 48 MiB
as one of 40 GiB does on a GPU of 48 GiB.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

HIDDEN = 128  # one quantization group
EXPERT_WIDTH = 256  # two groups, so that two GPUs can share an expert without cutting one
HEADS = 16
HEAD_DIM = 8
KV_HEADS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What differs between the made-up models."""

    layers: int
    experts: int
    vocab: int
    context: int = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Linear:
    """A weight matrix that quantization packs: ``y = weight @ x``."""

    name: str
    rows: int  # output features
    columns: int  # input features


def linears(shape: Shape) -> Iterator[Linear]:
    """All matrices that quantization packs, in the order of the layers."""
    for layer in range(shape.layers):
        attention = f"model.layers.{layer}.self_attn"
        width, narrow = HEADS * HEAD_DIM, KV_HEADS * HEAD_DIM
        yield Linear(name=f"{attention}.q_proj", rows=width, columns=HIDDEN)
        yield Linear(name=f"{attention}.k_proj", rows=narrow, columns=HIDDEN)
        yield Linear(name=f"{attention}.v_proj", rows=narrow, columns=HIDDEN)
        yield Linear(name=f"{attention}.o_proj", rows=HIDDEN, columns=width)
        for number in range(shape.experts):
            expert = f"model.layers.{layer}.block_sparse_moe.experts.{number}"
            yield Linear(name=f"{expert}.w1", rows=EXPERT_WIDTH, columns=HIDDEN)
            yield Linear(name=f"{expert}.w2", rows=HIDDEN, columns=EXPERT_WIDTH)
            yield Linear(name=f"{expert}.w3", rows=EXPERT_WIDTH, columns=HIDDEN)


def kept(shape: Shape) -> Iterator[tuple[str, tuple[int, ...]]]:
    """All tensors that stay in 16 bit in every quantization, with their shapes."""
    yield "model.embed_tokens.weight", (shape.vocab, HIDDEN)
    for layer in range(shape.layers):
        prefix = f"model.layers.{layer}"
        yield f"{prefix}.input_layernorm.weight", (HIDDEN,)
        yield f"{prefix}.post_attention_layernorm.weight", (HIDDEN,)
        yield f"{prefix}.block_sparse_moe.gate.weight", (shape.experts, HIDDEN)
    yield "model.norm.weight", (HIDDEN,)
    yield "lm_head.weight", (shape.vocab, HIDDEN)


def config(shape: Shape) -> dict[str, object]:
    """The config.json of the unquantized model."""
    return {
        "architectures": ["MixtralForCausalLM"],
        "bos_token_id": 1,
        "eos_token_id": 2,
        "head_dim": HEAD_DIM,
        "hidden_act": "silu",
        "hidden_size": HIDDEN,
        "intermediate_size": EXPERT_WIDTH,
        "max_position_embeddings": shape.context,
        "model_type": "mixtral",
        "num_attention_heads": HEADS,
        "num_experts_per_tok": 2,
        "num_hidden_layers": shape.layers,
        "num_key_value_heads": KV_HEADS,
        "num_local_experts": shape.experts,
        "rms_norm_eps": 1e-05,
        "rope_theta": 1000000.0,
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
        "vocab_size": shape.vocab,
    }
