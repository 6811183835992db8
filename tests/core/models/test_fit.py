"""Does a variant go onto some GPUs, and if not, why?"""

from __future__ import annotations

from dataclasses import replace

import pytest

from cfslurm.core.hardware.gpus import UNKNOWN_GPU
from cfslurm.core.models.engines import Engine
from cfslurm.core.models.fit import Verdict, fit, split_refusal
from cfslurm.core.models.variants import Architecture, ModelFile, Variant
from cfslurm.core.workflow.model import Model

GIB = 1 << 30
QWEN_7B = Architecture(
    model_type="qwen2",
    hidden_size=3584,
    intermediate_size=18944,
    num_hidden_layers=28,
    num_attention_heads=28,
    num_key_value_heads=4,
    head_dim=128,
    vocab_size=152064,
    max_position_embeddings=32768,
)
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
MODEL = Model(repo="acme/qwen")
ENGINE = Engine(formats={"none": 7.5, "awq": 7.5}, context_mib=2048, gpu_memory_utilization=0.92)
GPU = replace(
    UNKNOWN_GPU, key="rtx4090", vendor="nvidia", memory_mib=24564, compute_capability="8.9"
)


def test_a_7b_model_goes_onto_a_24_gb_card() -> None:
    found = fit(VARIANT, MODEL, GPU, ENGINE, tensor_parallel_size=1)
    assert found.verdict is Verdict.FITS
    assert found.reason == ""
    assert found.need_bytes == sum(term.bytes for term in found.terms)


def test_a_tight_fit_is_said_to_be_tight() -> None:
    need = fit(VARIANT, MODEL, GPU, ENGINE, tensor_parallel_size=1).need_bytes
    small = replace(GPU, memory_mib=int(need / 0.95 / 0.92) >> 20)
    assert fit(VARIANT, MODEL, small, ENGINE, tensor_parallel_size=1).verdict is Verdict.TIGHT


def test_too_large_says_how_much() -> None:
    small = replace(GPU, key="l4", memory_mib=16000)
    found = fit(VARIANT, MODEL, small, ENGINE, tensor_parallel_size=1)
    assert found.verdict is Verdict.NO
    assert "l4 gives 14.4G" in found.reason


@pytest.mark.parametrize(
    ("changes", "gpu", "model", "reason"),
    [
        ({}, replace(GPU, memory_mib=0), MODEL, "is unknown"),
        ({"quantization": "gguf:Q8_0"}, GPU, MODEL, "vllm does not run gguf models"),
        ({}, replace(GPU, compute_capability="7.0"), MODEL, "from compute capability 7.5"),
        ({}, replace(GPU, vendor="amd"), MODEL, "on AMD cards"),
        ({}, GPU, replace(MODEL, max_model_len=65536), "more than the model's 32768"),
    ],
)
def test_other_reasons(changes: dict[str, str], gpu: object, model: Model, reason: str) -> None:
    found = fit(replace(VARIANT, **changes), model, gpu, ENGINE, tensor_parallel_size=1)  # type: ignore[arg-type]
    assert found.verdict is Verdict.NO
    assert reason in found.reason


@pytest.mark.parametrize(
    ("size", "fits"), [(1, True), (2, True), (3, False), (4, True), (7, False)]
)
def test_heads_are_split_evenly(size: int, fits: bool) -> None:
    assert (split_refusal(VARIANT, tensor_parallel_size=size) == "") is fits


def test_quantization_groups_are_not_cut() -> None:
    awq = replace(VARIANT, quantization="awq", group_size=128)
    assert split_refusal(awq, tensor_parallel_size=2) == ""
    odd = replace(awq, architecture=replace(QWEN_7B, intermediate_size=128 * 3))
    assert "cut the quantization groups of 128" in split_refusal(odd, tensor_parallel_size=2)


def test_an_engine_that_splits_layers_takes_any_number() -> None:
    layers = replace(ENGINE, tensor_parallel="layers")
    assert fit(VARIANT, MODEL, GPU, layers, tensor_parallel_size=3).verdict is Verdict.FITS
