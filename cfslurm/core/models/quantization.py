"""How a checkpoint is quantized: read from its own configuration, never from its name.

Source: vLLM, ``get_quant_config`` and the classes in model_executor/layers/quantization;
compressed-tensors 0.20 for its formats; NVIDIA ModelOpt for hf_quant_config.json.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from cfslurm.core.documents import Json
from cfslurm.core.models.refusal import Refusal

_LARGEST_GROUP = 65536
_NVFP4_GROUP = 16  # part of the format. Source: NVIDIA, "Introducing NVFP4"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantization:
    """A family that engines know, and how many weights in a row share a scale; 0: no such rows.

    ``bits`` is how many a packed weight has.
    """

    family: str
    group_size: int = 0
    bits: int = 16


NOT_QUANTIZED = Quantization(family="none")


def read_quantization(config: Json, hf_quant_config: Json | None) -> Quantization | Refusal:
    """The quantization of a checkpoint; refused where cfslurm does not know it.

    Looked at in vLLM's order: ``quantization_config``, ``compression_config``, the same two of the
    nested text model, hf_quant_config.json.
    """
    for place in _places(config):
        for key in ("quantization_config", "compression_config"):
            settings = place.get(key)
            if settings is not None:
                return _by_method(settings)
    if hf_quant_config is not None:
        return _modelopt_file(hf_quant_config)
    return NOT_QUANTIZED


def _places(config: Json) -> Iterator[Mapping[str, Json]]:
    if isinstance(config, dict):
        yield config
        for key in ("text_config", "llm_config", "language_config"):
            nested = config.get(key)
            if isinstance(nested, dict):
                yield nested


def _by_method(settings: Json) -> Quantization | Refusal:
    if not isinstance(settings, dict):
        return Refusal("its quantization_config is no object")
    method = settings.get("quant_method")
    match method:
        case "fp8":
            size = _block(settings.get("weight_block_size"))
            return Quantization(family="fp8", group_size=size, bits=8)
        case "awq" | "gptq":
            return _integer_groups(method, settings)
        case "compressed-tensors":
            return _compressed_tensors(settings)
        case "mxfp4":
            return Quantization(family=method, bits=4)
        case "bitsandbytes":
            bits = 8 if settings.get("load_in_8bit") is True else 4
            return Quantization(family=method, bits=bits)
        case "modelopt" | "modelopt_fp4":
            return _modelopt(settings)
        case str():
            return Refusal(f"cfslurm does not know the quantization method {method[:40]!r}")
        case _:
            return Refusal("its quantization_config names no quant_method")


def _integer_groups(method: str, settings: Mapping[str, Json]) -> Quantization | Refusal:
    bits = settings.get("bits", settings.get("w_bit"))
    known = (4,) if method == "awq" else (4, 8)
    if bits not in known or isinstance(bits, bool):
        return Refusal(f"{method} with {str(bits)[:20]} bits is not supported")
    size = settings.get("group_size", settings.get("q_group_size"))
    return Quantization(family=method, group_size=_group(size), bits=int(str(bits)))


def _compressed_tensors(settings: Mapping[str, Json]) -> Quantization | Refusal:
    kind = settings.get("format")
    groups = settings.get("config_groups")
    found = [_weights(group) for group in groups.values()] if isinstance(groups, dict) else []
    if not found or len(set(found)) > 1:
        return Refusal("its layers are quantized in different ways, or in none that is told")
    bits, size, is_weight_only = found[0]
    family = {
        ("float-quantized", 8): "fp8",
        ("int-quantized", 8): "int8",
        ("pack-quantized", 4): "w4a16" if is_weight_only else "",
        ("nvfp4-pack-quantized", 4): "nvfp4",
        ("mxfp4-pack-quantized", 4): "mxfp4",
    }.get((str(kind), bits), "")
    if not family:
        words = f"format {str(kind)[:40]!r} with {bits} bits"
        return Refusal(f"compressed-tensors {words} is not supported")
    return Quantization(family=family, group_size=size, bits=bits)


def _weights(group: Json) -> tuple[int, int, bool]:
    """Bits, group size, and whether only weights are quantized, of one group of layers."""
    weights = group.get("weights") if isinstance(group, dict) else None
    if not isinstance(group, dict) or not isinstance(weights, dict):
        return 0, 0, False
    bits = weights.get("num_bits")
    size = _group(weights.get("group_size")) or _block(weights.get("block_structure"))
    return (
        bits if isinstance(bits, int) else 0,
        size,
        group.get("input_activations") is None,
    )


def _modelopt_file(content: Json) -> Quantization | Refusal:
    settings = content.get("quantization") if isinstance(content, dict) else None
    if not isinstance(settings, dict):
        return Refusal("its hf_quant_config.json tells no quantization")
    return _modelopt(settings)


def _modelopt(settings: Mapping[str, Json]) -> Quantization | Refusal:
    nested = settings.get("quantization")  # a config.json that repeats hf_quant_config.json
    if isinstance(nested, dict):
        settings = nested
    algorithm = settings.get("quant_algo")
    match algorithm:
        case "FP8":
            return Quantization(family="fp8", bits=8)
        case "NVFP4":
            size = _group(settings.get("group_size")) or _NVFP4_GROUP
            return Quantization(family="nvfp4", group_size=size, bits=4)
        case _:
            return Refusal(f"ModelOpt's {str(algorithm)[:40]!r} is not supported")


def _group(value: Json) -> int:
    """A group size; 0 for -1 (a whole row shares a scale) and for what is no size."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _LARGEST_GROUP:
        return value
    return 0


def _block(value: Json) -> int:
    """The group size of square blocks: two GPUs may not cut one."""
    return _group(value[-1]) if isinstance(value, list) and value else 0
