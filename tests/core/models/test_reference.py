"""Cases that people know: where published models go, and where they do not.

The configurations are those of the published repositories, the sizes those of their files. Cards are
those of the catalogue, engines those of the built-in table.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from cfslurm.adapters.engines_file import built_in_engines
from cfslurm.adapters.resources import shipped_text
from cfslurm.core.hardware.gpus import read_catalogue
from cfslurm.core.models.fit import Fit, Verdict, fit, longest_context
from cfslurm.core.models.serving import Serving
from cfslurm.core.models.splitting import split_refusal
from cfslurm.core.models.variants import ModelFile, Variant
from tests.model_configs import architecture_of

ENGINES = built_in_engines()
CARDS = read_catalogue(shipped_text("core/hardware/gpus.csv")).cards
# Bytes of weight files as their repositories on the Hub have them; index and headers not counted.
SIZES = {
    "Llama-3.1-8B": 16_060_522_496,
    "Llama-3.1-70B": 141_107_412_992,
    "Llama-3.1-70B awq": 39_767_797_760,
    "Llama-3.1-8B awq": 5_727_000_000,
    "Mixtral-8x7B": 93_405_585_408,
    "DeepSeek-Coder-33B": 66_685_984_768,
    "DeepSeek-V3": 688_586_727_753,
    "gpt-oss-20b": 13_761_264_768,
    "gpt-oss-120b": 65_248_815_744,
    "LLaVA-NeXT-34B": 69_502_000_000,
    "LLaVA-NeXT-34B awq": 20_300_000_000,
    "Qwen2.5-7B": 15_231_233_024,
}


def published(repo: str, quantization: str = "none", *, group_size: int = 0) -> Variant:
    name = f"{repo} {quantization}" if f"{repo} {quantization}" in SIZES else repo
    return Variant(
        repo_id=f"acme/{repo}",
        revision="1" * 40,
        quantization=quantization,
        dtype="bfloat16",
        files=(ModelFile(path="w", size_bytes=SIZES[name], sha256="a" * 64, is_weights=True),),
        architecture=architecture_of(repo),
        quality=100,
        quality_source="published",
        group_size=group_size,
    )


def on(
    variant: Variant, card: str, gpus: int = 1, *, share: float = 0.0, **changes: int | str
) -> Fit:
    engine = ENGINES["vllm"]
    if share:
        engine = replace(engine, gpu_memory_utilization=share)
    serving = replace(
        Serving(max_model_len=4096, max_num_seqs=1, tensor_parallel_size=gpus),
        **changes,  # type: ignore[arg-type]
    )
    return fit(variant, serving, CARDS[card], engine, engine_name="vllm")


def test_mixtral_in_16_bit_is_more_than_one_80_gb_card() -> None:
    mixtral = published("Mixtral-8x7B")
    for card in ("a100_80", "h100", "rtx6000ada"):
        assert on(mixtral, card).verdict is Verdict.NO
    weights = next(t for t in on(mixtral, "a100_80").terms if t.name == "weights")
    assert weights.bytes == SIZES["Mixtral-8x7B"]


def test_mixtral_in_16_bit_needs_all_of_two_48_gb_cards() -> None:
    """43.5 GiB of weights each: with nearly all of the card, not with the 92 % that vLLM takes."""
    mixtral = published("Mixtral-8x7B")
    assert on(mixtral, "rtx6000ada", 2, share=0.99).verdict is Verdict.TIGHT
    usual = on(mixtral, "rtx6000ada", 2)
    assert usual.verdict is Verdict.NO
    assert "too much" in usual.reason
    assert on(mixtral, "rtx6000ada", 4).verdict is Verdict.FITS
    assert on(mixtral, "a100_80", 2).verdict is Verdict.FITS


def test_llama_70b_in_4_bit_goes_onto_two_24_gb_cards() -> None:
    awq = published("Llama-3.1-70B", "awq", group_size=128)
    assert on(awq, "rtx4090").verdict is Verdict.NO
    assert on(awq, "rtx4090", 2).verdict is Verdict.TIGHT
    assert on(awq, "rtx3090", 2).verdict is Verdict.TIGHT
    assert on(awq, "rtx4090", 4).verdict is Verdict.FITS
    assert on(awq, "rtx6000ada").verdict is not Verdict.NO


def test_llama_70b_in_16_bit_is_tight_on_two_80_gb_cards() -> None:
    llama = published("Llama-3.1-70B")
    assert on(llama, "h100").verdict is Verdict.NO
    assert on(llama, "h100", 2).verdict is Verdict.TIGHT
    assert on(llama, "h100", 4).verdict is Verdict.FITS


@pytest.mark.parametrize("quantization", ["none", "awq"])
def test_an_8b_model_goes_onto_one_consumer_card(quantization: str) -> None:
    llama = published("Llama-3.1-8B", quantization, group_size=128 if quantization == "awq" else 0)
    assert on(llama, "rtx4090").verdict in {Verdict.FITS, Verdict.TIGHT}
    assert on(llama, "rtx4090", max_model_len=131072, max_num_seqs=4).verdict is Verdict.NO


def test_an_8b_model_in_4_bit_has_room_on_a_consumer_card() -> None:
    llama = published("Llama-3.1-8B", "awq", group_size=128)
    assert on(llama, "rtx4090", max_model_len=32768, max_num_seqs=2).verdict is Verdict.FITS


def test_a_vision_model_goes_quantized_onto_a_24_gb_card() -> None:
    awq = published("LLaVA-NeXT-34B", "awq", group_size=128)
    found = on(awq, "rtx4090", max_model_len=3072)
    assert found.verdict is Verdict.TIGHT
    vision = next(t for t in found.terms if t.name == "vision")
    assert vision.formula.startswith("2880 tokens"), "a picture of five tiles and the whole"
    assert on(published("LLaVA-NeXT-34B"), "rtx4090").verdict is Verdict.NO
    assert on(published("LLaVA-NeXT-34B"), "a100_80").verdict is not Verdict.NO


def test_deepseek_coder_33b_goes_onto_one_80_gb_card() -> None:
    coder = published("DeepSeek-Coder-33B")
    assert on(coder, "a100_80").verdict is not Verdict.NO
    assert on(coder, "rtx6000ada").verdict is Verdict.NO
    serving = Serving(max_model_len=4096, max_num_seqs=1)
    longest = longest_context(coder, serving, CARDS["a100_80"], ENGINES["vllm"])
    assert longest == 16384, "its whole context: 253,952 bytes a token, 3.9 GiB"


def test_deepseek_v3_needs_eight_cards_of_141_gb() -> None:
    v3 = published("DeepSeek-V3", "fp8", group_size=128)
    assert on(v3, "h100", 8).verdict is Verdict.NO
    found = on(v3, "h200", 8, max_model_len=32768, max_num_seqs=4)
    assert found.verdict is not Verdict.NO
    cache = next(t for t in found.terms if t.name == "kv_cache")
    assert cache.bytes == 70272 * 32768 * 4, "one latent, on every GPU"
    assert on(v3, "h100", 8, pipeline_parallel_size=2).verdict is not Verdict.NO


def test_gpt_oss_runs_in_its_own_four_bits() -> None:
    small, large = published("gpt-oss-20b", "mxfp4"), published("gpt-oss-120b", "mxfp4")
    assert on(small, "rtx4090").verdict is not Verdict.NO
    assert on(large, "h100").verdict is not Verdict.NO
    assert on(large, "rtx4090", 2).verdict is Verdict.NO
    assert "from compute capability 8" in on(small, "t4").reason


def test_28_heads_are_split_over_1_2_4_and_7_gpus_of_a_node() -> None:
    qwen = published("Qwen2.5-7B")
    shape = replace(qwen.architecture, num_key_value_heads=28, intermediate_size=18816)
    heads = replace(qwen, architecture=shape)
    legal = [n for n in range(1, 9) if not split_refusal(heads, tensor_parallel_size=n)]
    assert legal == [1, 2, 4, 7]


@pytest.mark.parametrize(
    ("size", "reason"),
    [
        (3, "28 attention heads cannot be split over 3 GPUs"),
        (7, "4 KV heads can be neither split over 7 GPUs nor replicated evenly"),
        (8, "28 attention heads cannot be split over 8 GPUs"),
    ],
)
def test_qwen_with_its_four_kv_heads_is_not_split_over_seven(size: int, reason: str) -> None:
    assert split_refusal(published("Qwen2.5-7B"), tensor_parallel_size=size) == reason
