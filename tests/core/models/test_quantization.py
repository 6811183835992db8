"""What a checkpoint's own configuration says of its quantization."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cfslurm.core.documents import Json
from cfslurm.core.models.quantization import Quantization, read_quantization
from cfslurm.core.models.refusal import Refusal

# Shapes as the tools write them: vLLM's llm-compressor, AutoAWQ, GPTQModel, DeepSeek, gpt-oss, ModelOpt.
FP8 = {"quant_method": "fp8", "activation_scheme": "dynamic"}
BLOCK_FP8 = {**FP8, "weight_block_size": [128, 128]}
AWQ = {"quant_method": "awq", "bits": 4, "group_size": 128, "version": "gemm", "zero_point": True}
GPTQ = {"quant_method": "gptq", "bits": 4, "group_size": 32, "desc_act": False, "sym": True}
NVIDIA = {
    "producer": {"name": "modelopt"},
    "quantization": {"quant_algo": "NVFP4", "group_size": 16},
}


def compressed(kind: str, bits: int, *, activations: Json = None, **weights: Json) -> Json:
    group: Json = {
        "weights": {"num_bits": bits, **weights},
        "input_activations": activations,
        "targets": ["Linear"],
    }
    return {
        "quant_method": "compressed-tensors",
        "format": kind,
        "config_groups": {"group_0": group},
        "ignore": ["lm_head"],
    }


@pytest.mark.parametrize(
    ("settings", "family", "group_size", "bits"),
    [
        (FP8, "fp8", 0, 8),
        (BLOCK_FP8, "fp8", 128, 8),
        (AWQ, "awq", 128, 4),
        (GPTQ, "gptq", 32, 4),
        ({**GPTQ, "bits": 8, "group_size": -1}, "gptq", 0, 8),
        ({"quant_method": "bitsandbytes", "load_in_4bit": True}, "bitsandbytes", 0, 4),
        ({"quant_method": "bitsandbytes", "load_in_8bit": True}, "bitsandbytes", 0, 8),
        ({"quant_method": "mxfp4", "modules_to_not_convert": []}, "mxfp4", 0, 4),
        ({"quant_method": "modelopt", "quant_algo": "FP8"}, "fp8", 0, 8),
        ({"quant_method": "modelopt", "quant_algo": "NVFP4", "group_size": 16}, "nvfp4", 16, 4),
        ({"quant_method": "modelopt", "quant_algo": "NVFP4"}, "nvfp4", 16, 4),
        ({"quant_method": "modelopt", "quantization": {"quant_algo": "FP8"}}, "fp8", 0, 8),
        (compressed("float-quantized", 8, activations={"num_bits": 8}), "fp8", 0, 8),
        (compressed("float-quantized", 8, block_structure=[128, 128]), "fp8", 128, 8),
        (compressed("int-quantized", 8, activations={"num_bits": 8}), "int8", 0, 8),
        (compressed("pack-quantized", 4, group_size=128), "w4a16", 128, 4),
        (compressed("nvfp4-pack-quantized", 4, group_size=16), "nvfp4", 16, 4),
        (compressed("mxfp4-pack-quantized", 4, group_size=32), "mxfp4", 32, 4),
    ],
)
def test_methods_that_engines_know(settings: Json, family: str, group_size: int, bits: int) -> None:
    found = read_quantization({"quantization_config": settings}, None)
    assert found == Quantization(family=family, group_size=group_size, bits=bits)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"quant_method": "exl9"}, "does not know the quantization method 'exl9'"),
        ({"bits": 4}, "names no quant_method"),
        ("fp8", "is no object"),
        ({**AWQ, "bits": 3}, "awq with 3 bits is not supported"),
        ({**GPTQ, "bits": True}, "gptq with True bits is not supported"),
        ({"quant_method": "modelopt", "quant_algo": "W4A8"}, "ModelOpt's 'W4A8' is not supported"),
        (compressed("pack-quantized", 8), "'pack-quantized' with 8 bits is not supported"),
        (
            compressed("pack-quantized", 4, activations={"num_bits": 8}),
            "'pack-quantized' with 4 bits is not supported",
        ),
        (compressed("mixed-precision", 4), "'mixed-precision' with 4 bits is not supported"),
        ({"quant_method": "compressed-tensors", "format": "int-quantized"}, "none that is told"),
    ],
)
def test_methods_that_are_refused(settings: Json, reason: str) -> None:
    found = read_quantization({"quantization_config": settings}, None)
    assert isinstance(found, Refusal)
    assert reason in found.reason


def test_layers_quantized_in_different_ways_are_refused() -> None:
    settings = compressed("int-quantized", 8)
    assert isinstance(settings, dict)
    groups = settings["config_groups"]
    assert isinstance(groups, dict)
    groups["group_1"] = {"weights": {"num_bits": 4}, "input_activations": None}
    assert isinstance(read_quantization({"quantization_config": settings}, None), Refusal)


def test_nothing_said_is_not_quantized() -> None:
    assert read_quantization({"hidden_size": 4}, None) == Quantization(family="none")


@pytest.mark.parametrize(
    "config",
    [
        {"quantization_config": AWQ, "compression_config": FP8},
        {"compression_config": AWQ, "text_config": {"quantization_config": FP8}},
        {"text_config": {"quantization_config": AWQ}},
    ],
)
def test_places_are_looked_at_in_the_order_of_vllm(config: Json) -> None:
    assert read_quantization(config, NVIDIA) == Quantization(family="awq", group_size=128, bits=4)


def test_the_file_of_modelopt_counts_last() -> None:
    assert read_quantization({}, NVIDIA) == Quantization(family="nvfp4", group_size=16, bits=4)


@pytest.mark.parametrize("content", [[], {}, {"quantization": "FP8"}])
def test_a_file_of_modelopt_without_quantization_is_refused(content: Json) -> None:
    assert isinstance(read_quantization({}, content), Refusal)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "quant_method",
                    "format",
                    "config_groups",
                    "weights",
                    "num_bits",
                    "group_size",
                    "x",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        "quant_method": st.sampled_from(["fp8", "awq", "gptq", "compressed-tensors", "modelopt"])
        | JSON,
        "format": st.sampled_from(["float-quantized", "pack-quantized"]) | JSON,
        "bits": JSON,
        "group_size": JSON,
        "weight_block_size": JSON,
        "config_groups": JSON,
        "quant_algo": JSON,
    },
)


@given(config=JSON | st.fixed_dictionaries({"quantization_config": SETTINGS}), file=JSON)
def test_no_configuration_breaks_the_reader(config: Json, file: Json) -> None:
    found = read_quantization(config, file)
    if isinstance(found, Quantization):
        assert 0 <= found.group_size <= 65536
    else:
        assert len(found.reason) < 200
