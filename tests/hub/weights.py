"""Safetensors files of made-up models: bf16, FP8, AWQ and GPTQ, with the true names and packings.

The numbers are random, but small and finite in every format, so that a demo can multiply with them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors import TensorSpec, serialize_file

from tests.hub.shapes import Linear, Shape, kept, linears

GROUP = 128
_DTYPES = {
    "BF16": ("bfloat16", np.uint16),
    "F16": ("float16", np.float16),
    "F32": ("float32", np.float32),
    "F8": ("float8_e4m3fn", np.uint8),
    "I32": ("int32", np.int32),
}

QUANTIZATION_CONFIGS: Mapping[str, dict[str, object] | None] = {
    "full": None,
    "fp8": {
        "quant_method": "fp8",
        "activation_scheme": "dynamic",
        "modules_to_not_convert": ["lm_head", "gate"],
    },
    "awq": {
        "quant_method": "awq",
        "bits": 4,
        "group_size": GROUP,
        "version": "gemm",
        "zero_point": True,
        "modules_to_not_convert": ["gate"],
    },
    "gptq": {
        "quant_method": "gptq",
        "bits": 4,
        "group_size": GROUP,
        "desc_act": False,
        "sym": False,
    },
}


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor's bytes, its dtype as safetensors writes it, and its shape."""

    dtype: str
    data: npt.NDArray[np.generic]


class Noise:
    """Random numbers in the formats that weights have, from one seed."""

    def __init__(self, seed: int) -> None:
        self._generator = np.random.Generator(np.random.SFC64(seed))

    def _words(self, shape: tuple[int, ...], dtype: type[np.generic]) -> npt.NDArray[np.generic]:
        raw = self._generator.bytes(prod(shape) * np.dtype(dtype).itemsize)
        return np.frombuffer(raw, dtype=dtype).reshape(shape)

    def bf16(self, *shape: int) -> Tensor:
        """±0.0078 to ±0.031: a random sign and mantissa, exponent 2^-7 or 2^-6."""
        return Tensor("BF16", (self._words(shape, np.uint16) & 0x80FF) | 0x3C00)

    def fp8(self, *shape: int) -> Tensor:
        """±0.5 to ±1.9 as E4M3; the tensor's scale brings it to the size of the bf16 weights."""
        return Tensor("F8", (self._words(shape, np.uint8) & 0x8F) | 0x30)

    def int32(self, *shape: int) -> Tensor:
        """Eight random 4-bit numbers in each."""
        return Tensor("I32", self._words(shape, np.int32))

    def bytes(self, *shape: int) -> npt.NDArray[np.uint8]:
        """Random bytes that may be written to."""
        return self._words(shape, np.uint8).copy()


def safetensors_of(shape: Shape, form: str, seed: int) -> dict[str, Tensor]:
    """All tensors of a model in one of the forms ``full``, ``fp8``, ``awq``, ``gptq``."""
    noise = Noise(seed)
    tensors = {name: noise.bf16(*size) for name, size in kept(shape)}
    for linear in linears(shape):
        tensors.update(_PACKINGS[form](linear, noise))
    return tensors


def _full(linear: Linear, noise: Noise) -> Iterator[tuple[str, Tensor]]:
    yield f"{linear.name}.weight", noise.bf16(linear.rows, linear.columns)


def _fp8(linear: Linear, noise: Noise) -> Iterator[tuple[str, Tensor]]:
    yield f"{linear.name}.weight", noise.fp8(linear.rows, linear.columns)
    yield f"{linear.name}.weight_scale", Tensor("F32", np.array(2.0**-6, dtype=np.float32))


def _scales(linear: Linear) -> Tensor:
    groups = linear.columns // GROUP
    return Tensor("F16", np.full((groups, linear.rows), 2.0**-9, dtype=np.float16))


def _awq(linear: Linear, noise: Noise) -> Iterator[tuple[str, Tensor]]:
    yield f"{linear.name}.qweight", noise.int32(linear.columns, linear.rows // 8)
    yield f"{linear.name}.qzeros", noise.int32(linear.columns // GROUP, linear.rows // 8)
    yield f"{linear.name}.scales", _scales(linear)


def _gptq(linear: Linear, noise: Noise) -> Iterator[tuple[str, Tensor]]:
    groups = np.arange(linear.columns, dtype=np.int32) // GROUP
    yield f"{linear.name}.qweight", noise.int32(linear.columns // 8, linear.rows)
    yield f"{linear.name}.qzeros", noise.int32(linear.columns // GROUP, linear.rows // 8)
    yield f"{linear.name}.scales", _scales(linear)
    yield f"{linear.name}.g_idx", Tensor("I32", groups)


_PACKINGS = {"full": _full, "fp8": _fp8, "awq": _awq, "gptq": _gptq}


def write_safetensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write one file; the arrays stay referenced until it is written."""
    specs = {}
    for name, tensor in tensors.items():
        dtype, expected = _DTYPES[tensor.dtype]
        assert tensor.data.dtype == expected
        assert tensor.data.flags.c_contiguous
        specs[name] = TensorSpec(
            dtype=dtype,
            shape=list(tensor.data.shape),
            data_ptr=tensor.data.ctypes.data,
            data_len=tensor.data.nbytes,
        )
    serialize_file(specs, path, {"format": "pt"})


def shards(tensors: Mapping[str, Tensor], count: int) -> Iterator[tuple[str, dict[str, Tensor]]]:
    """The tensors in ``count`` files of about the same number of tensors, with their names."""
    names = list(tensors)
    size = -(-len(names) // count)
    for number in range(count):
        part = names[number * size : (number + 1) * size]
        name = f"model-{number + 1:05}-of-{count:05}.safetensors"
        yield name if count > 1 else "model.safetensors", {key: tensors[key] for key in part}
