"""What a step moves and computes, and how long that takes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cfslurm.core.models.rates import (
    Deployment,
    Load,
    Range,
    Rates,
    arithmetic,
    attention_kind,
    rates,
    speed_key,
    step_work,
)
from cfslurm.core.models.roofline import (
    Efficiency,
    Placement,
    decode_step_s,
    parameters,
    prefill_s,
)
from cfslurm.core.models.speed_table import Found
from cfslurm.core.models.variants import (
    Architecture,
    Caching,
    LayerGroup,
    ModelFile,
    Variant,
    WeightsSummary,
)
from tests.builders import CATALOGUE

IDEAL = Efficiency(
    weight_read=1, kv_read=1, prefill=1, decode=1, step_s=0, layer_s=0, sequence_s=0, hop_s=0
)
FOUND = Found(efficiency=IDEAL, spread=0.1, rows=3, basis="test")
LLAMA_8B = Architecture(
    model_type="llama",
    hidden_size=4096,
    intermediate_size=14336,
    num_hidden_layers=32,
    num_attention_heads=32,
    num_key_value_heads=8,
    head_dim=128,
    vocab_size=128256,
    max_position_embeddings=131072,
    parameters=8_030_261_248,
)
MIXTRAL = replace(
    LLAMA_8B,
    vocab_size=32000,
    num_experts=8,
    num_experts_per_tok=2,
    parameters=46_702_792_704,
)
A100, H100, T4 = (CATALOGUE.cards[key] for key in ("a100_80", "h100", "t4"))


def variant(
    architecture: Architecture = LLAMA_8B,
    *,
    size: int = 16_060_522_496,
    quantization: str = "none",
    weights: WeightsSummary | None = None,
) -> Variant:
    return Variant(
        repo_id="org/m",
        revision="0" * 40,
        quantization=quantization,
        dtype="bfloat16",
        files=(ModelFile(path="m", size_bytes=size, git_sha1="0" * 40, is_weights=True),),
        architecture=architecture,
        quality=100,
        quality_source="",
        weights=weights,
    )


def deployment(**changes: object) -> Deployment:
    return replace(Deployment(variant=variant(), gpu=A100, engine="vllm"), **changes)  # type: ignore[arg-type]


def told(made: Deployment, load: Load) -> Rates:
    return rates(made, load, FOUND)


def test_one_sequence_on_an_ideal_card_takes_the_time_of_reading_the_weights() -> None:
    # 8.03e9 - 128256 x 4096 parameters of 2 bytes are read, and 512 + 32 cached tokens of 131072 bytes.
    expected = (8_030_261_248 - 128_256 * 4096) * 2 + (512 + 32) * 131_072
    found = told(deployment(), Load(tokens_in=512, tokens_out=64))
    assert found.step_s == pytest.approx(expected / 2039e9, rel=1e-3)


def test_a_prompt_on_an_ideal_card_takes_the_time_of_its_arithmetic() -> None:
    found = told(deployment(), Load(tokens_in=2048, tokens_out=1))
    operations = 2 * (8_030_261_248 - 128_256 * 4096) * 2048
    scores = 2 * 32 * 2048 * 2048 * 4096 / 0.45
    assert found.ttft_s == pytest.approx((operations + scores) / 312e12, rel=1e-6)


def test_more_sequences_raise_the_throughput_and_lengthen_each_step() -> None:
    loads = [Load(tokens_in=512, tokens_out=128, sequences=2**n) for n in range(9)]
    found = [told(deployment(), load) for load in loads]
    throughputs = [one.output_tokens_per_s for one in found]
    steps = [one.step_s for one in found]
    assert throughputs == sorted(throughputs)
    assert steps == sorted(steps)
    assert throughputs[8] / throughputs[7] < throughputs[1] / throughputs[0]


def test_two_gpus_are_faster_than_one_and_less_than_twice_as_fast() -> None:
    slow = Efficiency(
        weight_read=0.8, kv_read=0.8, prefill=0.6, decode=0.5, step_s=1e-3, layer_s=3e-5,
        sequence_s=0, hop_s=2e-5,
    )  # fmt: skip
    found = replace(FOUND, efficiency=slow)
    load = Load(tokens_in=512, tokens_out=128)
    one, two = (rates(deployment(tensor_parallel_size=size), load, found) for size in (1, 2))
    assert one.step_s / 2 < two.step_s < one.step_s
    assert one.ttft_s / 2 < two.ttft_s < one.ttft_s


def test_split_by_layers_gpus_work_one_after_the_other() -> None:
    load = Load(tokens_in=512, tokens_out=128)
    one = told(deployment(split="layers"), load)
    four = told(deployment(split="layers", tensor_parallel_size=4), load)
    assert four.step_s == pytest.approx(one.step_s)


def test_pipeline_stages_help_many_sequences_and_not_one() -> None:
    two = deployment(pipeline_parallel_size=2)
    one_sequence = Load(tokens_in=64, tokens_out=64)
    assert told(two, one_sequence) == told(deployment(), one_sequence)
    many = replace(one_sequence, sequences=8)
    assert told(deployment(), many).output_tokens_per_s < told(two, many).output_tokens_per_s


def test_a_mixture_reads_the_experts_that_its_tokens_pick() -> None:
    work = step_work(deployment(variant=variant(MIXTRAL, size=93_405_585_408)))
    assert work.weights_read(1) == pytest.approx(work.dense_bytes + work.expert_bytes / 4)
    assert work.weights_read(64) == pytest.approx(work.dense_bytes + work.expert_bytes, rel=1e-6)
    # Source: Jiang et al., "Mixtral of Experts", arXiv:2401.04088: 13B of 47B parameters are active.
    assert work.active_parameters == pytest.approx(12.9e9, rel=0.03)


def test_bytes_of_headers_replace_estimates() -> None:
    told_bytes = WeightsSummary(
        parameters=46_702_792_704,
        parameters_by_dtype={"BF16": 46_702_792_704},
        bytes_by_part={"embedding": 10, "experts": 1000, "attention": 100, "output": 7, "mtp": 5},
    )
    work = step_work(deployment(variant=variant(MIXTRAL, size=5000, weights=told_bytes)))
    assert (work.dense_bytes, work.expert_bytes) == (107, 1000)


def test_a_sliding_window_stops_the_cache_from_growing() -> None:
    layers = (
        LayerGroup(
            caching=Caching.SLIDING,
            count=16,
            num_key_value_heads=8,
            key_dim=128,
            value_dim=128,
            window=1024,
        ),
        LayerGroup(
            caching=Caching.FULL, count=16, num_key_value_heads=8, key_dim=128, value_dim=128
        ),
    )
    work = step_work(deployment(variant=variant(replace(LLAMA_8B, layers=layers))))
    assert work.cache_read(8192) == 16 * 8 * 256 * 2 * (1024 + 8192)


def test_a_latent_is_read_whole_on_every_gpu() -> None:
    mla = replace(LLAMA_8B, kv_lora_rank=512, qk_rope_head_dim=64)
    for size in (1, 8):
        work = step_work(deployment(variant=variant(mla), tensor_parallel_size=size))
        assert work.cache_read(1) == 32 * 576 * 2
    assert attention_kind(mla) == "mla"


def test_more_gpus_than_kv_heads_read_no_less_of_the_cache() -> None:
    eight, sixteen = (step_work(deployment(tensor_parallel_size=size)) for size in (8, 16))
    assert eight.cache_read(100) == sixteen.cache_read(100)


@pytest.mark.parametrize(
    ("quantization", "gpu", "expected"),
    [
        ("none", A100, ("f16", 312)),
        ("fp8", H100, ("fp8", 1979)),
        ("fp8", A100, ("w8", 312)),
        ("int8", A100, ("int8", 624)),
        ("int8", CATALOGUE.cards["v100_16"], ("w8", 125)),
        ("int8", CATALOGUE.cards["mi300x"], ("int8", 2614)),
        ("awq", H100, ("w4", 989)),
        ("nvfp4", H100, ("w4", 989)),
        ("nvfp4", CATALOGUE.cards["b200"], ("fp8", 4500)),
        ("gguf:Q4_K_M", T4, ("gguf", 65)),
    ],
)
def test_formats_compute_at_the_rate_of_their_arithmetic(
    quantization: str, gpu: object, expected: tuple[str, float]
) -> None:
    made = variant(quantization=quantization)
    assert arithmetic(made, gpu) == expected  # type: ignore[arg-type]


def test_parameters_come_from_the_shape_where_nothing_counts_them() -> None:
    uncounted = replace(LLAMA_8B, parameters=None)
    assert parameters(uncounted) == pytest.approx(8_030_261_248, rel=0.001)
    assert parameters(replace(MIXTRAL, parameters=None)) == pytest.approx(46.7e9, rel=0.001)


def test_no_prompt_takes_no_time() -> None:
    place = Placement(gpu=A100, tflops=312)
    assert prefill_s(step_work(deployment()), place, IDEAL, prompts=1, tokens=0) == 0
    found = told(deployment(), Load(tokens_in=0, tokens_out=8))
    assert found.ttft_s == found.step_s
    assert found.prefill_tokens_per_s == 0


def test_a_card_of_which_nothing_is_known_does_not_divide_by_zero() -> None:
    unknown = replace(A100, bandwidth_gbs=0.0, fp16_tflops=0.0, link_gbs=0.0)
    found = told(deployment(gpu=unknown, tensor_parallel_size=2), Load(tokens_in=9, tokens_out=9))
    assert found.request_s > 1


def test_a_link_that_is_slow_is_felt() -> None:
    work = step_work(deployment())
    nvlink = Placement(gpu=A100, tflops=312, tensor_parallel_size=4)
    pcie = replace(nvlink, gpu=replace(A100, link_gbs=16))
    fast, slow = (
        decode_step_s(work, place, IDEAL, sequences=256, context=1) for place in (nvlink, pcie)
    )
    assert slow > fast


def test_a_range_is_as_wide_above_as_below() -> None:
    around = Range.around(50.0, 0.2)
    assert around.likely / around.low == pytest.approx(around.high / around.likely)


def test_the_key_says_what_arithmetic_and_attention_are_used() -> None:
    key = speed_key(deployment(engine_version="0.7", variant=variant(quantization="awq")))
    assert (key.engine, key.version, key.gpu) == ("vllm", "0.7", "a100_80")
    assert (key.capability, key.dtype, key.attention) == ("8.0", "w4", "gqa")
