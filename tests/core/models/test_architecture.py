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
from cfslurm.core.models.variants import Architecture

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
