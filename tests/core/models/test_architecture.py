"""The shape of a model, from a config.json that a stranger wrote."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cfslurm.core.documents import Json
from cfslurm.core.models.architecture import (
    difference,
    parameters,
    read_architecture,
    read_dtype,
)
from cfslurm.core.models.refusal import Refusal
from cfslurm.core.models.variants import Architecture, Caching
from tests.model_configs import architecture_of

LLAMA: dict[str, Json] = {
    "model_type": "llama",
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
    "max_position_embeddings": 8192,
    "torch_dtype": "bfloat16",
}


def read(config: Json) -> Architecture:
    found = read_architecture(config)
    assert isinstance(found, Architecture), found
    return found


def refusal(config: Json) -> str:
    found = read_architecture(config)
    assert isinstance(found, Refusal)
    return found.reason


def test_llama() -> None:
    found = read(LLAMA)
    assert (found.num_hidden_layers, found.num_key_value_heads, found.head_dim) == (32, 8, 128)
    assert found.model_type == "llama"


def test_kv_heads_default_to_heads() -> None:
    assert read({**LLAMA, "num_key_value_heads": None}).num_key_value_heads == 32


def test_a_written_head_dim_counts() -> None:
    assert read({**LLAMA, "head_dim": 160}).head_dim == 160


def test_head_dim_that_does_not_come_out_even_is_refused() -> None:
    assert "head_dim" in refusal({**LLAMA, "num_attention_heads": 30})


def test_latent_attention() -> None:
    found = read({**LLAMA, "kv_lora_rank": 512, "qk_rope_head_dim": 64})
    assert (found.kv_lora_rank, found.qk_rope_head_dim) == (512, 64)


def test_the_width_of_an_expert_stands_in() -> None:
    config = {key: value for key, value in LLAMA.items() if key != "intermediate_size"}
    assert read({**config, "moe_intermediate_size": 768}).intermediate_size == 768
    assert read(config).intermediate_size == 0


@pytest.mark.parametrize("key", ["text_config", "llm_config", "language_config"])
def test_the_language_part_of_a_vision_model(key: str) -> None:
    config: Json = {"model_type": "llava", key: LLAMA, "vision_config": {"hidden_size": 1024}}
    found = read(config)
    assert (found.model_type, found.hidden_size) == ("llava", 4096)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"hidden_size": None}, "has no hidden_size"),
        ({"num_hidden_layers": 2**63}, "impossible num_hidden_layers: 9223372036854775808"),
        ({"num_hidden_layers": 0}, "impossible num_hidden_layers: 0"),
        ({"num_attention_heads": -1}, "impossible num_attention_heads: -1"),
        ({"vocab_size": "128256"}, "impossible vocab_size: 128256"),
        ({"vocab_size": True}, "impossible vocab_size: True"),
        ({"max_position_embeddings": 4096.5}, "impossible max_position_embeddings: 4096.5"),
        ({"num_key_value_heads": [8, 4]}, "impossible num_key_value_heads"),
    ],
)
def test_numbers_beyond_belief_are_refused(changes: dict[str, Json], reason: str) -> None:
    assert reason in refusal({**LLAMA, **changes})


@pytest.mark.parametrize("config", [None, [], "llama", 7])
def test_what_is_no_object_is_refused(config: Json) -> None:
    assert refusal(config) == "its config.json is no object"


@pytest.mark.parametrize(
    ("config", "dtype"),
    [
        ({"torch_dtype": "bfloat16"}, "bfloat16"),
        ({"dtype": "float16"}, "float16"),
        ({"torch_dtype": "torch.float32"}, "float32"),
        ({"text_config": {"torch_dtype": "bfloat16"}}, "bfloat16"),
        ({"torch_dtype": "int4"}, "auto"),
        ({}, "auto"),
        (None, "auto"),
    ],
)
def test_dtype(config: Json, dtype: str) -> None:
    assert read_dtype(config) == dtype


@pytest.mark.parametrize(
    ("dtype", "count"), [("bfloat16", 500), ("float16", 500), ("float32", 250), ("auto", None)]
)
def test_parameters_are_counted_from_bytes(dtype: str, count: int | None) -> None:
    assert parameters(1000, dtype) == count


def test_another_model_is_told_apart() -> None:
    base = read(LLAMA)
    assert difference(base, read({**LLAMA, "vocab_size": 128320})) == ""
    assert difference(read({**LLAMA, "num_hidden_layers": 40}), base) == (
        "num_hidden_layers is 40, the base model has 32"
    )


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=8)
    | st.integers(1, 5000),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*LLAMA, "text_config", "head_dim"]), inner, max_size=10)
    ),
    max_leaves=30,
)


@given(config=ANYTHING)
def test_no_configuration_breaks_the_reader(config: Json) -> None:
    found = read_architecture(config)
    if isinstance(found, Architecture):
        assert 0 < found.num_hidden_layers <= 4096
        assert found.head_dim > 0
    else:
        assert len(found.reason) < 200
    assert read_dtype(config) in {"auto", "bfloat16", "float16", "float32"}


@given(key=st.sampled_from(sorted(LLAMA)), value=ANYTHING)
def test_no_single_value_breaks_the_reader(key: str, value: Json) -> None:
    read_architecture({**LLAMA, key: value})


HYBRIDS: dict[str, dict[str, Json]] = {
    "mistral v0.1": {"model_type": "mistral", "sliding_window": 4096},
    "mistral v0.3": {"model_type": "mistral", "sliding_window": None},
    "qwen2": {"model_type": "qwen2", "sliding_window": 4096, "use_sliding_window": False},
    "qwen2 sliding": {
        "model_type": "qwen2", "sliding_window": 4096, "use_sliding_window": True,
        "max_window_layers": 20,
    },
    "gemma2": {"model_type": "gemma2", "sliding_window": 4096, "head_dim": 256},
    "cohere2": {"model_type": "cohere2", "sliding_window": 4096, "sliding_window_pattern": 4},
    "exaone4": {"model_type": "exaone4", "sliding_window": 4096, "sliding_window_pattern": "LLLG"},
    "llama4": {
        "model_type": "llama4_text", "attention_chunk_size": 8192, "no_rope_layers": [1, 1, 1, 0] * 8,
    },
    "jamba": {
        "model_type": "jamba", "attn_layer_period": 8, "attn_layer_offset": 4, "mamba_d_state": 16,
        "mamba_d_conv": 4, "mamba_expand": 2,
    },
    "bamba": {
        "model_type": "bamba", "attn_layer_indices": [9, 18, 27], "mamba_n_heads": 128,
        "mamba_d_head": 64, "mamba_d_state": 128, "mamba_d_conv": 4, "mamba_n_groups": 1,
    },
    "granite hybrid": {
        "model_type": "granitemoehybrid", "layer_types": (["mamba"] * 7 + ["attention"]) * 4,
        "mamba_n_heads": 128, "mamba_d_head": 64, "mamba_d_state": 128, "mamba_d_conv": 4,
        "mamba_n_groups": 1,
    },
    "nemotron-h": {
        "model_type": "nemotron_h", "hybrid_override_pattern": "M-M-M*-M" * 4, "mamba_num_heads": 128,
        "mamba_head_dim": 64, "ssm_state_size": 128, "conv_kernel": 4, "n_groups": 8,
    },
    "kimi linear": {
        "model_type": "kimi_linear", "kv_lora_rank": 512, "qk_rope_head_dim": 64,
        "linear_attn_config": {
            "full_attn_layers": [4, 8, 12, 16, 20, 24, 28, 32], "num_heads": 32, "head_dim": 128,
            "short_conv_kernel_size": 4,
        },
    },
    "deepseek v3.2": {
        "model_type": "deepseek_v32", "kv_lora_rank": 512, "qk_rope_head_dim": 64,
        "index_head_dim": 128,
    },
    "gemma 3n": {
        "model_type": "gemma3n_text", "sliding_window": 512, "num_kv_shared_layers": 12,
        "layer_types": (["sliding_attention"] * 3 + ["full_attention"]) * 8,
    },
    "unknown": {"model_type": "gpt9000", "sliding_window": 512},
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("mistral v0.1", {"sliding": 32}),
        ("mistral v0.3", {"full": 32}),
        ("qwen2", {"full": 32}),
        ("qwen2 sliding", {"full": 20, "sliding": 12}),
        ("gemma2", {"full": 16, "sliding": 16}),
        ("cohere2", {"full": 8, "sliding": 24}),
        ("exaone4", {"full": 8, "sliding": 24}),
        ("llama4", {"full": 8, "sliding": 24}),
        ("jamba", {"full": 4, "recurrent": 28}),
        ("bamba", {"full": 3, "recurrent": 29}),
        ("granite hybrid", {"full": 4, "recurrent": 28}),
        ("nemotron-h", {"full": 4, "recurrent": 16}),
        ("kimi linear", {"latent": 8, "recurrent": 24}),
        ("deepseek v3.2", {"latent": 32}),
        ("gemma 3n", {"full": 5, "sliding": 15}),
        ("unknown", {"full": 32}),
    ],
)
def test_what_layers_cache(name: str, kinds: dict[str, int]) -> None:
    found = read({**LLAMA, **HYBRIDS[name]})
    assert {str(group.caching): group.count for group in found.layers} == kinds
    assert bool(found.assumed) is (name == "unknown")


@pytest.mark.parametrize(
    ("name", "state", "conv"),
    [
        ("jamba", 8192 * 16, 8192 * 3),
        ("bamba", 8192 * 128, (8192 + 256) * 3),
        ("nemotron-h", 8192 * 128, (8192 + 2048) * 3),
        ("kimi linear", 32 * 128 * 128, 3 * 4096 * 3),
    ],
)
def test_states_of_recurrent_layers(name: str, state: int, conv: int) -> None:
    found = read({**LLAMA, **HYBRIDS[name]})
    (group,) = [g for g in found.layers if g.caching is Caching.RECURRENT]
    assert (group.state_elements, group.conv_elements) == (state, conv)


def test_the_index_of_sparse_attention_is_cached_too() -> None:
    (group,) = read({**LLAMA, **HYBRIDS["deepseek v3.2"]}).layers
    assert (group.key_dim, group.fixed_bytes) == (576, 132)


def test_a_model_without_attention_has_no_heads() -> None:
    config: dict[str, Json] = {
        "model_type": "falcon_mamba", "hidden_size": 4096, "intermediate_size": 8192,
        "num_hidden_layers": 64, "vocab_size": 65024, "state_size": 16, "conv_kernel": 4,
    }  # fmt: skip
    found = read(config)
    assert found.num_attention_heads == 0
    (group,) = found.layers
    assert (group.count, group.state_elements) == (64, 8192 * 16)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"model_type": "qwen3_next", "layer_types": ["full_attention"] * 5}, "it names 5 layers"),
        ({"model_type": "olmo3", "layer_types": ["warp"] * 32}, "layers of kind 'warp'"),
        (
            {"model_type": "bamba", "attn_layer_indices": [1]},
            "the size of its recurrent states is not told",
        ),
    ],
)
def test_what_is_not_told_counts_as_full_attention(changes: dict[str, Json], says: str) -> None:
    found = read({**LLAMA, **changes})
    assert says in found.assumed
    (group,) = found.layers
    assert (group.caching, group.count) == (Caching.FULL, 32)


def test_text_models_inside_others_take_their_family_defaults() -> None:
    """As the published file of llava-v1.6-mistral-7b-hf leaves them out."""
    found = architecture_of("LLaVA-NeXT-Mistral-7B")
    assert (found.hidden_size, found.num_hidden_layers, found.num_attention_heads) == (4096, 32, 32)
    assert (found.head_dim, found.vision_hidden_size, found.image_tokens) == (128, 1024, 2880)
    assert "has no hidden_size" in refusal({"model_type": "mistral", "num_hidden_layers": 32})


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"sliding_window": -5, "model_type": "mistral"}, "impossible sliding_window"),
        ({"kv_lora_rank": 2**40}, "impossible kv_lora_rank"),
        ({"num_local_experts": "many", "model_type": "mixtral"}, "impossible num_local_experts"),
        (
            {"model_type": "kimi_linear", "linear_attn_config": {"full_attn_layers": [1]}},
            "has no num_heads",
        ),
    ],
)
def test_layers_with_impossible_numbers_are_refused(changes: dict[str, Json], reason: str) -> None:
    assert reason in refusal({**LLAMA, **changes})


@given(
    kind=st.sampled_from(sorted({str(config["model_type"]) for config in HYBRIDS.values()})),
    changes=st.dictionaries(
        st.sampled_from(sorted({key for config in HYBRIDS.values() for key in config})),
        ANYTHING,
        max_size=4,
    ),
)
def test_no_hybrid_breaks_the_reader(kind: str, changes: dict[str, Json]) -> None:
    base = next(config for config in HYBRIDS.values() if config["model_type"] == kind)
    found = read_architecture({**LLAMA, **base, **changes, "vision_config": changes})
    if isinstance(found, Architecture):
        assert sum(group.count for group in found.layers) <= 2 * found.num_hidden_layers


@pytest.mark.parametrize(
    ("config", "kv_heads", "head_dim", "experts"),
    [
        pytest.param(
            {"model_type": "gpt2", "n_embd": 768, "n_layer": 12, "n_head": 12, "n_positions": 1024},
            12, 64, 0, id="gpt2",
        ),
        pytest.param(
            {"model_type": "falcon", "hidden_size": 4544, "num_hidden_layers": 32,
             "num_attention_heads": 71, "multi_query": True, "max_position_embeddings": 2048},
            1, 64, 0, id="falcon-7b",
        ),
        pytest.param(
            {"model_type": "falcon", "hidden_size": 8192, "num_hidden_layers": 60,
             "num_attention_heads": 128, "num_kv_heads": 8, "multi_query": True,
             "new_decoder_architecture": True, "max_position_embeddings": 2048},
            8, 64, 0, id="falcon-40b",
        ),
        pytest.param(
            {"model_type": "chatglm", "hidden_size": 4096, "num_layers": 40, "seq_length": 131072,
             "num_attention_heads": 32, "multi_query_group_num": 2, "kv_channels": 128,
             "ffn_hidden_size": 13696, "padded_vocab_size": 151552},
            2, 128, 0, id="glm-4-9b",
        ),
        pytest.param(
            {"model_type": "dbrx", "d_model": 6144, "n_layers": 40, "n_heads": 48,
             "max_seq_len": 32768, "attn_config": {"kv_n_heads": 8},
             "ffn_config": {"moe_num_experts": 16, "moe_top_k": 4, "ffn_hidden_size": 10752}},
            8, 128, 16, id="dbrx",
        ),
        pytest.param(
            {"model_type": "gpt_bigcode", "n_embd": 6144, "n_layer": 40, "n_head": 48,
             "n_positions": 8192, "multi_query": True},
            1, 128, 0, id="starcoder",
        ),
    ],
)  # fmt: skip
def test_older_families_have_names_of_their_own(
    config: dict[str, Json], kv_heads: int, head_dim: int, experts: int
) -> None:
    found = read({"vocab_size": 50257, **config})
    assert (found.num_key_value_heads, found.head_dim, found.num_experts) == (
        kv_heads,
        head_dim,
        experts,
    )
    assert found.assumed == ""


def test_experts_told_in_an_object_of_their_own_count() -> None:
    found = read(
        {
            "model_type": "dbrx", "d_model": 6144, "n_layers": 40, "n_heads": 48, "vocab_size": 100352,
            "max_seq_len": 32768, "attn_config": {"kv_n_heads": 8},
            "ffn_config": {"moe_num_experts": 16, "moe_top_k": 4, "ffn_hidden_size": 10752},
        }
    )  # fmt: skip
    assert (found.num_experts_per_tok, found.intermediate_size) == (4, 10752)
