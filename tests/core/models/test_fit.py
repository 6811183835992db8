"""Does a variant go onto some GPUs, and if not, why? How much further could it go?"""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cfslurm.core.hardware.gpus import UNKNOWN_GPU, GpuFacts
from cfslurm.core.models.engines import Engine, Overheads, format_rules
from cfslurm.core.models.fit import (
    Fit,
    Verdict,
    fit,
    longest_context,
    most_sequences,
)
from cfslurm.core.models.serving import Serving
from cfslurm.core.models.splitting import split_refusal
from cfslurm.core.models.variants import ModelFile, Variant
from tests.model_configs import CONFIGS, architecture_of

GIB = 1 << 30
QWEN_7B = architecture_of("Qwen2.5-7B")
VARIANT = Variant(
    repo_id="acme/qwen",
    revision="1" * 40,
    quantization="none",
    dtype="bfloat16",
    files=(ModelFile(path="w", size_bytes=15 * GIB, sha256="a" * 64, is_weights=True),),
    architecture=QWEN_7B,
    quality=100,
    quality_source="x",
)
ONE = Serving(max_model_len=4096, max_num_seqs=1)
ENGINE = Engine(
    formats=format_rules({"none": 7.5, "awq": 7.5}), context_mib=2048, gpu_memory_utilization=0.92
)
GPU = replace(
    UNKNOWN_GPU, key="rtx4090", vendor="nvidia", memory_mib=24564, compute_capability="8.9"
)


def fitted(
    variant: Variant = VARIANT,
    serving: Serving = ONE,
    gpu: GpuFacts = GPU,
    engine: Engine = ENGINE,
) -> Fit:
    return fit(variant, serving, gpu, engine, engine_name="vllm")


def test_a_7b_model_goes_onto_a_24_gb_card() -> None:
    found = fitted()
    assert found.verdict is Verdict.FITS
    assert found.reason == ""
    assert found.need_bytes == sum(term.bytes for term in found.terms if term.is_budgeted)
    assert found.slack_bytes == found.limit_bytes - found.need_bytes > 0


def test_a_tight_fit_is_said_to_be_tight() -> None:
    need = fitted().need_bytes
    small = replace(GPU, memory_mib=int(need / 0.95 / 0.92 / 0.98) >> 20)
    assert fitted(gpu=small).verdict is Verdict.TIGHT


def test_a_fit_that_an_estimate_may_break_is_tight() -> None:
    """More than a tenth is left, but pictures may need twice what is estimated."""
    seeing = replace(QWEN_7B, vision_hidden_size=1280, image_tokens=270_000)
    found = fitted(replace(VARIANT, architecture=seeing))
    assert found.slack_bytes > 0.10 * found.limit_bytes
    assert found.slack_bytes < sum(t.high_bytes - t.bytes for t in found.terms)
    assert found.verdict is Verdict.TIGHT


def test_too_large_says_how_much() -> None:
    found = fitted(gpu=replace(GPU, key="l4", memory_mib=16000))
    assert found.verdict is Verdict.NO
    assert "l4 gives 14.1G" in found.reason


@pytest.mark.parametrize(
    ("changes", "gpu", "serving", "reason"),
    [
        ({}, replace(GPU, memory_mib=0), ONE, "is unknown"),
        ({"quantization": "gguf:Q8_0"}, GPU, ONE, "vllm does not run gguf models"),
        ({}, replace(GPU, compute_capability="7.0"), ONE, "from compute capability 7.5"),
        ({}, GPU, replace(ONE, max_model_len=65536), "more than the model's 32768"),
        ({}, GPU, replace(ONE, kv_cache_dtype="q4_0"), "no KV cache in q4_0 (it has auto)"),
        ({}, replace(GPU, link="MIG"), replace(ONE, tensor_parallel_size=2), "(MIG)"),
        ({}, GPU, replace(ONE, pipeline_parallel_size=29), "29 stages are more than the 28 layers"),
    ],
)
def test_other_reasons(
    changes: dict[str, str], gpu: GpuFacts, serving: Serving, reason: str
) -> None:
    found = fitted(replace(VARIANT, **changes), serving, gpu)  # type: ignore[arg-type]
    assert found.verdict is Verdict.NO
    assert reason in found.reason


@pytest.mark.parametrize(
    ("size", "fits"),
    [(1, True), (2, True), (3, False), (4, True), (5, False), (7, False), (8, False)],
)
def test_heads_are_split_evenly(size: int, fits: bool) -> None:
    assert (split_refusal(VARIANT, tensor_parallel_size=size) == "") is fits


@pytest.mark.parametrize(("size", "fits"), [(2, True), (4, True), (8, False)])
def test_quantization_groups_are_not_cut(size: int, fits: bool) -> None:
    """18944 = 148 x 128: 8 GPUs would have 18.5 groups each."""
    heads = replace(QWEN_7B, num_attention_heads=32)
    awq = replace(VARIANT, quantization="awq", group_size=128, architecture=heads)
    assert (split_refusal(awq, tensor_parallel_size=size) == "") is fits


def test_kernels_want_multiples() -> None:
    odd = replace(QWEN_7B, intermediate_size=128 * 3)
    for quantization, group, says in (
        ("gptq", 64, "no multiple of 128, which kernels for gptq need"),
        ("gptq", 128, "cut the quantization groups of 128"),
        ("fp8", 128, "cut the quantization groups of 128"),
    ):
        found = replace(VARIANT, quantization=quantization, group_size=group, architecture=odd)
        assert says in split_refusal(found, tensor_parallel_size=2)


def test_an_expert_is_what_is_split_in_a_mixture() -> None:
    qwen = replace(
        VARIANT,
        quantization="fp8",
        group_size=128,
        architecture=architecture_of("Qwen3-30B-A3B"),
    )
    assert split_refusal(qwen, tensor_parallel_size=2) == ""
    assert "128" in split_refusal(qwen, tensor_parallel_size=4)


def test_an_engine_that_splits_layers_takes_any_number() -> None:
    layers = replace(ENGINE, tensor_parallel="layers")
    three = replace(ONE, tensor_parallel_size=3)
    assert fitted(serving=three, engine=layers).verdict is Verdict.FITS


def test_what_is_outside_of_the_share_must_go_into_the_rest() -> None:
    beyond = replace(
        ENGINE, context_mib=None, overheads=(Overheads(outside_mib=600, source="test"),)
    )
    need = fitted(engine=beyond).need_bytes
    gpu = replace(GPU, memory_mib=int(need / 0.94 / 0.982) >> 20)
    assert fitted(gpu=gpu, engine=beyond).verdict is Verdict.NO
    inside = replace(beyond, gpu_memory_utilization=0.99)
    assert fitted(gpu=gpu, engine=inside).verdict is Verdict.TIGHT
    more = replace(inside, overheads=(Overheads(outside_mib=6000, source="test"),))
    assert "too much" in fitted(gpu=gpu, engine=more).reason


@given(
    repo=st.sampled_from(sorted(CONFIGS)),
    gib=st.integers(8, 90),
    sequences=st.integers(1, 64),
    on=st.sampled_from([1, 2, 4]),
)
def test_the_longest_context_is_the_longest(repo: str, gib: int, sequences: int, on: int) -> None:
    """The formula the other way round: one token more does not fit, one less does."""
    variant = replace(VARIANT, architecture=architecture_of(repo))
    gpu = replace(GPU, memory_mib=gib * 1024)
    serving = replace(ONE, max_num_seqs=sequences, tensor_parallel_size=on)
    longest = longest_context(variant, serving, gpu, ENGINE)
    assert 0 <= longest <= variant.architecture.max_position_embeddings

    def goes(length: int) -> bool:
        found = fitted(variant, replace(serving, max_model_len=length), gpu)
        return "too much" not in found.reason

    assert not longest or goes(longest)
    assert longest == variant.architecture.max_position_embeddings or not goes(longest + 1)


@given(gib=st.integers(8, 90), length=st.integers(1, 32768))
def test_the_most_sequences_are_the_most(gib: int, length: int) -> None:
    gpu = replace(GPU, memory_mib=gib * 1024)
    serving = replace(ONE, max_model_len=length)
    most = most_sequences(VARIANT, serving, gpu, ENGINE)
    for count, expected in ((most, True), (most + 1, False)):
        if 0 < count <= 65536:
            found = fitted(serving=replace(serving, max_num_seqs=count), gpu=gpu)
            assert ("too much" not in found.reason) is expected


@given(
    repo=st.sampled_from(sorted(CONFIGS)), length=st.integers(1, 30000), more=st.integers(1, 4000)
)
def test_a_longer_context_never_needs_less(repo: str, length: int, more: int) -> None:
    variant = replace(VARIANT, architecture=architecture_of(repo))
    short = fitted(variant, replace(ONE, max_model_len=length))
    long = fitted(variant, replace(ONE, max_model_len=length + more))
    assert long.need_bytes >= short.need_bytes
