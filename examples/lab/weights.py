"""Reads model files with numpy alone: safetensors in 16 bit, FP8, AWQ and GPTQ, and GGUF.

Enough of each format to take one expert's matrix out of a mixture-of-experts model. A real program
would use vLLM, transformers or llama.cpp; this one shows that every node got the files it was promised.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float32]
GROUP = 128


def open_weights(path: Path) -> Safetensors | Gguf:
    """The weights at CFSLURM_MODEL_PATH: a folder of safetensors files, or a .gguf file."""
    return Gguf(path) if path.suffix == ".gguf" else Safetensors(path)


class Safetensors:
    """All safetensors files of a folder.

    Shape: a file is 8 bytes of header length, the header as JSON (name → dtype, shape, offsets), data.
    """

    def __init__(self, folder: Path) -> None:
        self._files: dict[str, tuple[Path, int, dict[str, Any]]] = {}
        for path in sorted(folder.glob("*.safetensors")):
            with path.open("rb") as file:
                (length,) = struct.unpack("<Q", file.read(8))
                header = json.loads(file.read(length))
            for name, entry in header.items():
                if name != "__metadata__":
                    self._files[name] = (path, 8 + length, entry)
        self.experts = (
            max(int(name.split(".")[5]) for name in self._files if ".experts." in name) + 1
        )

    def expert(self, number: int) -> Matrix:
        """The matrix w1 of an expert of the first layer, whatever it is packed as: [256, 128]."""
        name = f"model.layers.0.block_sparse_moe.experts.{number}.w1"
        if f"{name}.scales" in self._files:
            if f"{name}.g_idx" in self._files:
                return self._gptq(name)
            return self._awq(name)
        weight = self._raw(f"{name}.weight")
        if self._files[f"{name}.weight"][2]["dtype"] == "BF16":
            return bf16(weight.view(np.uint16)).reshape(self._shape(f"{name}.weight"))
        scale = self._raw(f"{name}.weight_scale").view(np.float32)
        return fp8_e4m3(weight).reshape(self._shape(f"{name}.weight")) * scale

    def _shape(self, name: str) -> tuple[int, ...]:
        return tuple(self._files[name][2]["shape"])

    def _raw(self, name: str) -> npt.NDArray[np.uint8]:
        path, start, entry = self._files[name]
        first, last = entry["data_offsets"]
        with path.open("rb") as file:
            file.seek(start + first)
            return np.frombuffer(file.read(last - first), dtype=np.uint8)

    def _awq(self, name: str) -> Matrix:
        """Qweight [in, out/8], eight numbers in each int32 in AWQ's order."""
        order = (0, 4, 1, 5, 2, 6, 3, 7)
        numbers = _nibbles(
            self._raw(f"{name}.qweight"), self._shape(f"{name}.qweight"), order, axis=1
        )
        zeros = _nibbles(self._raw(f"{name}.qzeros"), self._shape(f"{name}.qzeros"), order, axis=1)
        return _dequantized(numbers, zeros, self._scales(name))

    def _gptq(self, name: str) -> Matrix:
        """Qweight [in/8, out], eight numbers in each int32 in their own order."""
        order = tuple(range(8))
        numbers = _nibbles(
            self._raw(f"{name}.qweight"), self._shape(f"{name}.qweight"), order, axis=0
        )
        zeros = _nibbles(self._raw(f"{name}.qzeros"), self._shape(f"{name}.qzeros"), order, axis=1)
        return _dequantized(numbers, zeros, self._scales(name))

    def _scales(self, name: str) -> Matrix:
        raw = self._raw(f"{name}.scales").view(np.float16)
        return raw.reshape(self._shape(f"{name}.scales")).astype(np.float32)


def bf16(words: npt.NDArray[np.uint16]) -> Matrix:
    """bfloat16 is the upper half of a float32."""
    return (words.astype(np.uint32) << 16).view(np.float32)


def fp8_e4m3(data: npt.NDArray[np.uint8]) -> Matrix:
    """E4M3: sign, four bits of exponent (bias 7), three of mantissa; no infinities."""
    sign = np.where(data & 0x80, -1.0, 1.0)
    exponent, mantissa = (data >> 3) & 0x0F, (data & 0x07).astype(np.float32)
    normal = (1 + mantissa / 8) * np.exp2(exponent.astype(np.float32) - 7)
    subnormal = mantissa / 8 * 2.0**-6
    return (sign * np.where(exponent == 0, subnormal, normal)).astype(np.float32)


def _nibbles(
    raw: npt.NDArray[np.uint8], shape: tuple[int, ...], order: tuple[int, ...], *, axis: int
) -> Matrix:
    words = raw.view(np.uint32).reshape(shape)
    parts = [(words >> np.uint32(4 * position)) & np.uint32(0xF) for position in order]
    stacked = np.stack(parts, axis=axis + 1)
    return stacked.reshape(
        *(size * 8 if index == axis else size for index, size in enumerate(shape))
    ).astype(np.float32)


def _dequantized(numbers: Matrix, zeros: Matrix, scales: Matrix) -> Matrix:
    groups = np.arange(numbers.shape[0]) // GROUP
    return ((numbers - zeros[groups]) * scales[groups]).T


class Gguf:
    """A GGUF file, or the first part of a split one with its parts beside it.

    Shape: magic, version, counts, key-value pairs, tensor table, data aligned to 32 bytes.
    """

    def __init__(self, path: Path) -> None:
        self._tensors: dict[str, tuple[Path, int, tuple[int, ...], int]] = {}
        for part in self._parts(path):
            self._read_table(part)
        self.experts = self._tensors["blk.0.ffn_gate_exps.weight"][2][0]

    @staticmethod
    def _parts(path: Path) -> Iterator[Path]:
        stem, of, rest = path.name.partition("-00001-of-")
        if not of:
            yield path
        else:
            yield from sorted(path.parent.glob(f"{stem}-*-of-{rest}"))

    def _read_table(self, path: Path) -> None:
        with path.open("rb") as file:
            magic, _version, tensors, pairs = struct.unpack("<4sIQQ", file.read(24))
            if magic != b"GGUF":
                raise ValueError(f"{path} is no GGUF file")
            for _ in range(pairs):
                _string(file)
                _skip_value(file, _u32(file))
            table = []
            for _ in range(tensors):
                name = _string(file)
                sizes = struct.unpack(f"<{(count := _u32(file))}Q", file.read(8 * count))
                kind, offset = _u32(file), _u64(file)
                table.append((name, sizes[::-1], kind, offset))
            data = -(-file.tell() // 32) * 32
        for name, shape, kind, offset in table:
            self._tensors[name] = (path, data + offset, shape, kind)

    def expert(self, number: int) -> Matrix:
        """The gate matrix of an expert of the first layer: [256, 128]."""
        path, start, (experts, rows, columns), kind = self._tensors["blk.0.ffn_gate_exps.weight"]
        block_bytes, decode = _BLOCKS[kind]
        size = rows * columns // 32 * block_bytes
        with path.open("rb") as file:
            file.seek(start + (number % experts) * size)
            blocks = np.frombuffer(file.read(size), dtype=np.uint8).reshape(-1, block_bytes)
        return decode(blocks).reshape(rows, columns)


def _u32(file: BinaryIO) -> int:
    return int(struct.unpack("<I", file.read(4))[0])


def _u64(file: BinaryIO) -> int:
    return int(struct.unpack("<Q", file.read(8))[0])


def _string(file: BinaryIO) -> str:
    return file.read(_u64(file)).decode()


_SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}


def _skip_value(file: BinaryIO, kind: int) -> None:
    if kind == 8:
        _string(file)
    elif kind == 9:
        inner, count = _u32(file), _u64(file)
        for _ in range(count):
            _skip_value(file, inner)
    else:
        file.read(_SIZES[kind])


def _q8_0(blocks: npt.NDArray[np.uint8]) -> Matrix:
    """32 numbers: a scale in 16 bit, then signed bytes."""
    scale = blocks[:, :2].copy().view(np.float16).astype(np.float32)
    return scale * blocks[:, 2:].view(np.int8)


def _q5_0(blocks: npt.NDArray[np.uint8]) -> Matrix:
    """32 numbers: a scale, one high bit for each, then two times sixteen low halves."""
    scale = blocks[:, :2].copy().view(np.float16).astype(np.float32)
    high = np.unpackbits(blocks[:, 2:6], axis=1, bitorder="little")
    low = np.concatenate([blocks[:, 6:] & 0xF, blocks[:, 6:] >> 4], axis=1)
    return scale * (low.astype(np.float32) + 16 * high - 16)


_BLOCKS = {8: (34, _q8_0), 6: (22, _q5_0)}
