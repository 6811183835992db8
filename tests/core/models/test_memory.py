"""Memory terms against published models.

Source of the vectors: bytes of KV cache per token in 16 bit, calculated by hand from the models'
config.json with the formulas of vllm/v1/kv_cache_interface.py.
"""

from __future__ import annotations

import pytest

from cfslurm.core.models.memory import (
    activation_bytes,
    kv_cache_bytes_per_token,
    logits_bytes,
    memory_terms,
)
from cfslurm.core.models.variants import Architecture


def architecture(layers: int, kv_heads: int, head_dim: int, **changes: int) -> Architecture:
    return Architecture(
        model_type="x",
        hidden_size=changes.get("hidden_size", 4096),
        intermediate_size=changes.get("intermediate_size", 14336),
        num_hidden_layers=layers,
        num_attention_heads=32,
        num_key_value_heads=kv_heads,
        head_dim=head_dim,
        vocab_size=changes.get("vocab_size", 128256),
        max_position_embeddings=8192,
        kv_lora_rank=changes.get("kv_lora_rank", 0),
        qk_rope_head_dim=changes.get("qk_rope_head_dim", 0),
    )


@pytest.mark.parametrize(
    ("layers", "kv_heads", "head_dim", "on", "expected"),
    [
        pytest.param(32, 8, 128, 1, 131072, id="Llama-3.1-8B"),
        pytest.param(80, 8, 128, 1, 327680, id="Llama-3.1-70B"),
        pytest.param(80, 8, 128, 8, 40960, id="Llama-3.1-70B on 8"),
        pytest.param(80, 8, 128, 16, 40960, id="Llama-3.1-70B on 16: heads are replicated"),
        pytest.param(126, 8, 128, 1, 516096, id="Llama-3.1-405B"),
        pytest.param(28, 4, 128, 1, 57344, id="Qwen2.5-7B"),
        pytest.param(48, 4, 128, 1, 98304, id="Qwen3-30B-A3B"),
        pytest.param(32, 32, 96, 1, 393216, id="Phi-3-mini"),
    ],
)
def test_kv_cache_of_known_models(
    layers: int, kv_heads: int, head_dim: int, on: int, expected: int
) -> None:
    found = architecture(layers, kv_heads, head_dim)
    assert kv_cache_bytes_per_token(found, tensor_parallel_size=on) == expected


@pytest.mark.parametrize("on", [1, 8])
def test_a_latent_is_on_every_gpu(on: int) -> None:
    deepseek_v3 = architecture(61, 128, 128, kv_lora_rank=512, qk_rope_head_dim=64)
    assert kv_cache_bytes_per_token(deepseek_v3, tensor_parallel_size=on) == 70272


def test_logits_of_many_sequences() -> None:
    qwen = architecture(28, 4, 128, vocab_size=151936)
    assert logits_bytes(qwen, max_num_seqs=1024) == 1024 * 151936 * 4 * 2


def test_activations_grow_with_tokens_and_shrink_with_gpus() -> None:
    llama = architecture(32, 8, 128)
    one = activation_bytes(llama, batched_tokens=2048, tensor_parallel_size=1)
    assert one == 2048 * 2 * (4 * 4096 + 2 * 14336 + (32 + 16) * 128)
    assert activation_bytes(llama, batched_tokens=2048, tensor_parallel_size=2) < one


def test_terms_have_names_and_sources() -> None:
    terms = memory_terms(
        architecture(32, 8, 128),
        weights_bytes=1 << 34,
        tensor_parallel_size=2,
        max_model_len=8192,
        max_num_seqs=4,
        context_mib=1024,
    )
    by_name = {term.name: term for term in terms}
    assert list(by_name) == ["weights", "kv_cache", "activations", "context"]
    assert by_name["weights"].bytes == int((1 << 33) * 1.03)
    assert by_name["kv_cache"].bytes == 65536 * 8192 * 4
    assert by_name["context"].bytes == 1 << 30
    assert all(term.source for term in terms)
