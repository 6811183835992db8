"""Which quantization a GGUF file has, and which model it is."""

from __future__ import annotations

from dataclasses import replace

import gguf
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cfslurm.core.models.gguf_architecture import gguf_architecture
from cfslurm.core.models.gguf_kind import FILE_TYPES, gguf_kind, no_model
from cfslurm.core.models.headers import GgufFacts, TensorRow, WeightsHeader
from cfslurm.core.models.refusal import Refusal
from cfslurm.core.models.variants import Architecture

FACTS = GgufFacts(
    version=3, architecture="llama", kind="model", file_type=-1, split_number=0, split_count=1
)


def header(file_type: int, **shares: int) -> WeightsHeader:
    rows = tuple(
        TensorRow(part="mlp", layer=0, dtype=name, role="weight", count=1, numbers=n, bytes=n)
        for name, n in shares.items()
    )
    norm = TensorRow(
        part="norm", layer=0, dtype="F32", role="weight", count=9, numbers=999, bytes=1
    )
    return WeightsHeader(rows=(*rows, norm), gguf=replace(FACTS, file_type=file_type))


def test_the_types_of_files_are_those_of_llama_cpp() -> None:
    theirs = {
        int(kind): kind.name.removeprefix("MOSTLY_").removeprefix("ALL_")
        for kind in gguf.LlamaFileType
        if kind.name != "GUESSED"
    }
    assert theirs == FILE_TYPES


@pytest.mark.parametrize(
    ("name", "found", "label", "note"),
    [
        ("Q4_K_M", header(15, Q4_K=9), "Q4_K_M", ""),
        ("UD-Q4_K_XL", header(15, Q4_K=9), "UD-Q4_K_XL", ""),
        ("Q6_K_L", header(18, Q6_K=9), "Q6_K_L", ""),
        ("UD-IQ2_M", header(29, IQ2_S=9), "UD-IQ2_M", ""),
        ("MXFP4", header(38, MXFP4=9), "MXFP4", ""),
        ("", header(7, Q8_0=9), "Q8_0", ""),
        ("Q8_0", header(15, Q4_K=9), "Q4_K_M", "its file name says Q8_0, its header Q4_K_M"),
        ("Q4_K_M", header(30, IQ4_XS=9), "IQ4_XS", "its file name says Q4_K_M, its header IQ4_XS"),
        # No type in the header, or one that is newer than this table: the tensors tell.
        ("Q4_K_M", header(-1, Q4_K=6, Q6_K=4), "Q4_K_M", ""),
        ("Q4_K_M", header(1024, Q4_K=3, Q5_0=7), "Q4_K_M", ""),
        (
            "Q4_K_M",
            header(99, Q4_K=1, Q8_0=9),
            "Q8_0",
            "its file name says Q4_K_M, its header Q8_0",
        ),
        ("", header(-1, Q4_K=6, Q6_K=4), "Q4_K", ""),
    ],
)
def test_the_header_decides(name: str, found: WeightsHeader, label: str, note: str) -> None:
    assert gguf_kind(name, [found]) == (label, note)


def test_nothing_tells_anything() -> None:
    assert isinstance(gguf_kind("", [WeightsHeader(rows=(), gguf=FACTS)]), Refusal)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (FACTS, ""),
        (replace(FACTS, kind="adapter"), "it is an adapter, not a model"),
        (replace(FACTS, kind="imatrix"), "it is an importance matrix, not a model"),
        (replace(FACTS, kind="mmproj"), "it is a projector, not a model"),
        (replace(FACTS, architecture="clip"), "it is a part, not a model"),
    ],
)
def test_what_is_no_model(facts: GgufFacts, words: str) -> None:
    assert no_model(facts) == words


TOLD = {
    "block_count": 62,
    "nextn_predict_layers": 1,
    "embedding_length": 7168,
    "attention.head_count": 128,
    "attention.head_count_kv": 1,
    "attention.key_length": 576,
    "feed_forward_length": 18432,
    "context_length": 163840,
    "expert_count": 256,
    "expert_used_count": 8,
    "expert_feed_forward_length": 2048,
}


def test_the_shape_that_a_header_tells() -> None:
    found = gguf_architecture(replace(FACTS, numbers=TOLD, vocabulary=129280))
    assert isinstance(found, Architecture)
    assert (found.num_hidden_layers, found.hidden_size, found.vocab_size) == (61, 7168, 129280)
    assert (found.num_attention_heads, found.num_key_value_heads, found.head_dim) == (128, 1, 576)
    assert (found.num_experts, found.num_experts_per_tok, found.moe_intermediate_size) == (
        256,
        8,
        2048,
    )


@given(numbers=st.dictionaries(st.sampled_from(sorted(TOLD)), st.integers(-(2**63), 2**64)))
def test_no_numbers_break_it(numbers: dict[str, int]) -> None:
    found = gguf_architecture(replace(FACTS, numbers={**TOLD, **numbers}))
    if isinstance(found, Architecture):
        assert 0 < found.num_hidden_layers <= 4096
        assert 0 < found.hidden_size <= 2**20
        assert found.head_dim >= 0
