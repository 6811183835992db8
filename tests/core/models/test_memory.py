"""Memory terms against published models.

Source of the vectors: bytes of KV cache per token, calculated by hand from the models' config.json
with the formulas of vllm/v1/kv_cache_interface.py; where a URL stands, a start-up log says the same.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from cfslurm.core.hardware.gpus import UNKNOWN_GPU
from cfslurm.core.models.activations import activation_bytes, batched_tokens, expert_bytes
from cfslurm.core.models.engines import Engine, MemoryModel, Overheads, format_rules
from cfslurm.core.models.kv_cache import kv_cache_bytes_per_token, kv_cache_terms
from cfslurm.core.models.memory import budgeted, memory_terms, usable_bytes
from cfslurm.core.models.serving import Certainty, Serving, Term
from cfslurm.core.models.variants import (
    Architecture,
    Caching,
    LayerGroup,
    Variant,
    WeightsSummary,
)
from tests.builders import LLAMA_8B, LLAMA_70B, variant
from tests.model_configs import CONFIGS, architecture_of

GIB = 1 << 30
H100 = replace(UNKNOWN_GPU, key="h100", vendor="nvidia", memory_mib=81559, compute_capability="9.0")
VLLM = Engine(
    formats=format_rules({"none": 7.5}),
    overheads=(Overheads(activation_mib=100, sampler_bytes=14.25, source="test"),),
)
LLAMACPP = replace(VLLM, memory=MemoryModel.BUFFERS, tensor_parallel="layers")


def asked(length: int = 8192, sequences: int = 1, **changes: int) -> Serving:
    return replace(Serving(max_model_len=length, max_num_seqs=sequences), **changes)


def cache(found: Architecture, serving: Serving, engine: Engine = VLLM, batched: int = 2048) -> int:
    terms = kv_cache_terms(found, serving, engine, batched_tokens=batched)
    return sum(term.bytes for term in terms)


@pytest.mark.parametrize(
    ("repo", "on", "dtype", "expected"),
    [
        ("Llama-3.1-8B", 1, "auto", 131072),
        ("Llama-3.1-70B", 1, "auto", 327680),
        ("Llama-3.1-70B", 8, "auto", 40960),
        pytest.param("Llama-3.1-70B", 16, "auto", 40960, id="heads are replicated"),
        ("Llama-3.1-405B", 1, "auto", 516096),
        ("Qwen2.5-7B", 1, "auto", 57344),
        ("Qwen2.5-7B", 1, "fp8", 28672),
        ("Qwen3-30B-A3B", 1, "auto", 98304),
        ("Phi-3-mini", 1, "auto", 393216),
        ("DeepSeek-V3", 1, "auto", 70272),
        pytest.param("DeepSeek-V3", 8, "auto", 70272, id="a latent is on every GPU"),
        ("DeepSeek-V3", 8, "fp8_ds_mla", 40016),
        pytest.param("gpt-oss-120b", 1, "auto", 36864, id="full attention in every second layer"),
        pytest.param("Gemma-3-27B", 1, "auto", 81920, id="every sixth layer sees everything"),
        ("Llama-3.1-8B", 1, "q8_0", 69632),
        ("Llama-3.1-8B", 1, "q4_0", 36864),
        pytest.param("Qwen3-Next-80B", 1, "auto", 24576, id="12 of 48 layers have attention"),
    ],
)
def test_kv_cache_of_known_models(repo: str, on: int, dtype: str, expected: int) -> None:
    found = architecture_of(repo)
    size = kv_cache_bytes_per_token(found, tensor_parallel_size=on, kv_cache_dtype=dtype)
    assert size == expected


@pytest.mark.parametrize(
    ("repo", "on", "per_token"),
    [
        # 19.53 GiB for 36,560 tokens: 62 layers are paid for as 70, in groups of 10.
        ("Gemma-3-27B", 1, 573440),
        # 59.32 GiB for 2,591,776 tokens on each of two.
        ("gpt-oss-20b", 2, 24576),
        # 16.75 GiB for 365,968 tokens on each of four.
        ("Llama-4-Scout", 4, 49152),
    ],
)
def test_layers_are_paid_for_in_groups(repo: str, on: int, per_token: int) -> None:
    """As in the logs of llm-d-planner/accuracy/results/v0.19.0: windows do not save at 8192 tokens."""
    serving = asked(tensor_parallel_size=on)
    assert cache(architecture_of(repo), serving, batched=8192) == 8192 * per_token


def test_a_window_saves_where_it_is_shorter_than_the_context() -> None:
    gemma = architecture_of("Gemma-3-27B")
    long = cache(gemma, asked(131072))
    assert 131072 * 81920 < long < 131072 * 81920 + 60 * 8192 * (1024 + 2048 + 48)
    many = cache(gemma, asked(131072, 8))
    assert many < 8 * long


def test_tokens_are_rounded_up_to_blocks() -> None:
    assert cache(LLAMA_8B, asked(1)) == 16 * 131072
    assert cache(LLAMA_8B, asked(17, 3)) == 3 * 32 * 131072


def test_recurrent_states_do_not_grow() -> None:
    qwen = architecture_of("Qwen3-Next-80B")
    (group,) = [g for g in qwen.layers if g.caching is Caching.RECURRENT]
    assert (group.count, group.state_elements, group.conv_elements) == (
        36, 32 * 128 * 128, (2 * 16 * 128 + 32 * 128) * 3,
    )  # fmt: skip
    short, long = (
        {t.name: t.bytes for t in kv_cache_terms(qwen, asked(n), VLLM, batched_tokens=2048)}
        for n in (4096, 65536)
    )
    assert short["recurrent_state"] == long["recurrent_state"] > 36 * 4 * group.state_elements
    assert short["kv_cache"] < long["kv_cache"]


def test_the_block_size_of_a_hybrid_model_as_logged() -> None:
    """Attention block size 1568 tokens, 0.13 % of padding: noonghunna/club-3090/issues/1047."""
    qwen = architecture_of("Qwen3.5-27B")
    serving = replace(asked(1), kv_cache_dtype="fp8")
    terms = kv_cache_terms(qwen, serving, VLLM, batched_tokens=2048)
    sizes = {term.name: term.bytes for term in terms}
    assert sizes["kv_cache"] == 16 * 1568 * 4 * 2 * 256
    assert sizes["recurrent_state"] == 48 * 1568 * 4 * 2 * 256


def test_attention_pages_are_as_large_as_a_state() -> None:
    """The hybrid models' pages: attention blocks of many tokens, states padded to the same bytes."""
    qwen = architecture_of("Qwen3-Next-80B")
    one, block = cache(qwen, asked(1)), cache(qwen, asked(500))
    assert one == block
    assert cache(qwen, asked(2000)) > block


def test_the_cache_of_llamacpp_as_logged() -> None:
    found = architecture_of("Qwen2.5-3B")
    assert cache(found, asked(4096), LLAMACPP) == 144 * 1024 * 1024


def test_llamacpp_pads_windows_and_splits_layers() -> None:
    gemma = architecture_of("Gemma-3-27B")
    whole = cache(gemma, asked(32768), LLAMACPP)
    assert whole == 32768 * 10 * 8192 + 3072 * 52 * 8192
    assert cache(gemma, asked(32768, tensor_parallel_size=2), LLAMACPP) == whole // 2


def test_an_unknown_type_is_counted_whole_and_said() -> None:
    found = architecture_of("gpt-oss-20b", model_type="gpt9000")
    (term,) = kv_cache_terms(found, asked(8192), VLLM, batched_tokens=2048)
    assert term.bytes == 8192 * 24 * 2048
    assert term.certainty is Certainty.ESTIMATE
    assert "'gpt9000' is not known" in term.source


def test_activations_grow_with_tokens_and_shrink_with_gpus() -> None:
    one = activation_bytes(LLAMA_8B, batched_tokens=2048, tensor_parallel_size=1)
    assert one == 2048 * 2 * (3 * 14336 + 3 * 4096)
    assert activation_bytes(LLAMA_8B, batched_tokens=2048, tensor_parallel_size=2) < one


def test_experts_have_a_workspace() -> None:
    mixtral = architecture_of("Mixtral-8x7B")
    found = expert_bytes(mixtral, batched_tokens=8192, tensor_parallel_size=2)
    assert found == 2 * 8192 * 2 * (7168 + 14336)
    assert expert_bytes(LLAMA_8B, batched_tokens=8192, tensor_parallel_size=1) == 0


@pytest.mark.parametrize(
    ("key", "memory_mib", "tokens"),
    [("h100", 81559, 8192), ("a100_80", 81920, 2048), ("rtx4090", 24564, 2048)],
)
def test_large_cards_take_larger_batches(key: str, memory_mib: int, tokens: int) -> None:
    overheads = (Overheads(batched_tokens=2048, batched_tokens_large=8192, source="test"),)
    gpu = replace(H100, key=key, memory_mib=memory_mib)
    engine = replace(VLLM, overheads=overheads)
    assert batched_tokens(asked(32768, 4), gpu, engine) == tokens
    assert batched_tokens(asked(100, 2), gpu, engine) == 200


def by_name(terms: tuple[Term, ...]) -> dict[str, Term]:
    return {term.name: term for term in terms}


def test_terms_have_names_sources_formulas_and_ranges() -> None:
    terms = memory_terms(variant("none", 15.0), asked(tensor_parallel_size=2), H100, VLLM)
    assert [term.name for term in terms] == [
        "weights", "rotary_table", "kv_cache", "activations", "logits", "engine",
    ]  # fmt: skip
    assert all(term.source and term.formula for term in terms)
    assert all(term.low_bytes <= term.bytes <= term.high_bytes for term in terms)
    for term in terms:
        exact = term.certainty is not Certainty.ESTIMATE
        assert (term.low_bytes == term.high_bytes == term.bytes) is exact or term.bytes == 0
    assert budgeted(terms) == sum(term.bytes for term in terms)


@pytest.mark.parametrize(("on", "gib"), [(1, 14.99), (2, 7.51), (4, 3.77)])
def test_weights_of_llama_as_logged(on: int, gib: float) -> None:
    """14.99, 7.51 and 3.77 GiB in the logs; the table of rotations is on every GPU."""
    llama = replace(variant("none", 1.0), architecture=architecture_of("Llama-3.1-8B"))
    llama = sized(llama, 16_060_522_496)
    terms = by_name(memory_terms(llama, asked(tensor_parallel_size=on), H100, VLLM))
    loaded = terms["weights"].bytes + terms["rotary_table"].bytes
    assert loaded / GIB == pytest.approx(gib, abs=0.006)


def sized(found: Variant, size: int) -> Variant:
    return replace(found, files=(replace(found.files[0], size_bytes=size),))


def test_parts_that_headers_tell_count_as_they_are() -> None:
    summary = WeightsSummary(
        parameters=1,
        parameters_by_dtype={},
        bytes_by_part={"embedding": 2000, "mlp": 8000, "norm": 100, "latent": 300, "mtp": 5000},
    )
    found = replace(variant("none", 1.0), weights=summary)
    one = by_name(memory_terms(found, asked(tensor_parallel_size=2), H100, VLLM))["weights"]
    assert one.bytes == (2000 + 8000) / 2 + 400
    assert one.certainty is Certainty.EXACT


def test_float32_is_cast_to_16_bit() -> None:
    found = variant("none", 15.0)
    half = by_name(memory_terms(replace(found, dtype="float32"), asked(), H100, VLLM))["weights"]
    whole = by_name(memory_terms(found, asked(), H100, VLLM))["weights"]
    assert half.bytes == pytest.approx(whole.bytes / 2, rel=0.01)


def test_stages_of_a_pipeline_have_embeddings_at_one_end() -> None:
    """4.26 GiB on the first of four GPUs for Llama-3.1-8B (llm-d-planner, v0.19.0, PP 4)."""
    llama = replace(variant("none", 1.0), architecture=architecture_of("Llama-3.1-8B"))
    llama = sized(llama, 16_060_522_496)
    terms = by_name(memory_terms(llama, asked(pipeline_parallel_size=4), H100, VLLM))
    loaded = terms["weights"].bytes + terms["rotary_table"].bytes
    assert loaded / GIB == pytest.approx(4.26, abs=0.01)
    assert terms["kv_cache"].bytes == 8192 * 131072 // 4


def test_mxfp4_is_padded_for_its_kernel() -> None:
    """7.01 GiB on each of two GPUs (llm-d-planner, v0.19.0), 6.41 in the files."""
    found = replace(variant("mxfp4", 1.0), architecture=architecture_of("gpt-oss-20b"))
    found = sized(found, 13_761_264_768)
    terms = by_name(memory_terms(found, asked(tensor_parallel_size=2), H100, VLLM))
    loaded = sum(terms[n].bytes for n in ("weights", "rotary_table", "kernel_padding"))
    assert loaded / GIB == pytest.approx(7.01, rel=0.02)


@pytest.mark.parametrize(
    ("repo", "mib"), [("Llama-3.1-8B", 258.5), ("Qwen2.5-7B", 304.0), ("Qwen2.5-3B", 300.75)]
)
def test_the_compute_buffer_of_llamacpp(repo: str, mib: float) -> None:
    """As in llama.cpp's logs; the last with its cache of 144 MiB: SciSharp/LLamaSharp/issues/1099."""
    found = replace(variant("gguf:Q8_0", 8.0), architecture=architecture_of(repo))
    terms = by_name(memory_terms(found, asked(8192), H100, LLAMACPP))
    assert terms["compute_buffer"].bytes == mib * 1024 * 1024
    endless = by_name(memory_terms(found, asked(8192, 100), H100, LLAMACPP))
    assert endless["compute_buffer"].bytes > 512 * 819200 * 2, "the mask of very long contexts"


@pytest.mark.parametrize(
    ("mib", "gib"),
    [(24576, 23.58), (32607, 31.37), (46068, 44.35), (81559, 79.19), (81920, 79.25)],
)
def test_programs_see_less_than_the_driver_reports(mib: int, gib: float) -> None:
    found = usable_bytes(replace(H100, memory_mib=mib))
    assert found / GIB == pytest.approx(gib, rel=0.004)


@pytest.mark.parametrize(
    ("memory", "inside", "beyond"),
    [
        (MemoryModel.PAGED, {"weights", "kv_cache", "activations", "logits", "engine"}, set()),
        (MemoryModel.STATIC, {"weights", "kv_cache", "engine"}, {"activations", "logits"}),
        (MemoryModel.BUFFERS, {"weights", "kv_cache", "compute_buffer", "engine"}, set()),
        (MemoryModel.DYNAMIC, {"weights", "kv_cache", "activations", "logits", "engine"}, set()),
    ],
)
def test_what_counts_against_the_share_of_each_engine(
    memory: MemoryModel, inside: set[str], beyond: set[str]
) -> None:
    terms = memory_terms(variant("none", 15.0), asked(), H100, replace(VLLM, memory=memory))
    found = {term.name for term in terms if term.is_budgeted} - {"rotary_table"}
    assert found == inside
    assert {term.name for term in terms if not term.is_budgeted} == beyond


def test_transformers_reads_whole_prompts() -> None:
    """All tokens of all sequences are in one step, where vLLM takes some thousand at a time."""
    eager = replace(
        VLLM,
        memory=MemoryModel.DYNAMIC,
        overheads=(Overheads(batched_tokens=0, batched_tokens_large=0, source="test"),),
    )
    found = by_name(memory_terms(variant("none", 15.0), asked(8192, 4), H100, eager))
    assert found["activations"].bytes == activation_bytes(
        LLAMA_8B, batched_tokens=4 * 8192, tensor_parallel_size=1
    )
    assert found["kv_cache"].bytes == 4 * 8192 * 131072


def test_layers_without_a_word_have_full_attention() -> None:
    told = replace(
        LLAMA_70B,
        layers=(
            LayerGroup(
                caching=Caching.FULL, count=80, num_key_value_heads=8, key_dim=128, value_dim=128
            ),
        ),
    )
    assert cache(told, asked()) == cache(LLAMA_70B, asked())


def test_every_configuration_is_read_without_assumptions() -> None:
    assert {repo: architecture_of(repo).assumed for repo in CONFIGS} == dict.fromkeys(CONFIGS, "")
