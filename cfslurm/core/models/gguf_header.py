"""The header of a GGUF file: key-value pairs and tensor table, read without the data, and bounded.

Source: the GGUF specification (ggml, docs/gguf.md) and llama.cpp's own reader (ggml/src/gguf.cpp), whose
checks of alignment, order and bounds are repeated here. Why not a library: the ``gguf`` package maps a
local file with numpy and believes what stands in it.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from cfslurm.core.models.headers import GgufFacts, Tensor, WeightsHeader, rows_of
from cfslurm.core.models.refusal import Refusal
from cfslurm.core.slurm.units import MIB

LONGEST_HEADER_BYTES = 64 * MIB
FIRST_BYTES = MIB  # tokenizers make headers of 5 to 15 MiB; small models have less
_MOST_PAIRS = 65_536
_MOST_TENSORS = 200_000
_MOST_ELEMENTS = 1 << 24
_LONGEST_KEY = 1024
_LONGEST_TEXT_BYTES = 8 * MIB
_MOST_NUMBERS = 2**50
_LARGEST_ALIGNMENT = 1 << 16
_SPLIT_NUMBER, _SPLIT_COUNT = "split.no", "split.count"
# Value types of key-value pairs: struct's letter and bytes; 8 is a text, 9 an array.
_SCALARS = {
    0: ("B", 1), 1: ("b", 1), 2: ("H", 2), 3: ("h", 2), 4: ("I", 4), 5: ("i", 4), 6: ("f", 4),
    7: ("?", 1), 10: ("Q", 8), 11: ("q", 8), 12: ("d", 8),
}  # fmt: skip
_TEXT, _ARRAY = 8, 9
# Tensor types: name, numbers in a block, bytes of a block. Source: gguf 0.19, GGML_QUANT_SIZES.
TYPES: Mapping[int, tuple[str, int, int]] = {
    0: ("F32", 1, 4), 1: ("F16", 1, 2), 2: ("Q4_0", 32, 18), 3: ("Q4_1", 32, 20),
    6: ("Q5_0", 32, 22), 7: ("Q5_1", 32, 24), 8: ("Q8_0", 32, 34), 9: ("Q8_1", 32, 40),
    10: ("Q2_K", 256, 84), 11: ("Q3_K", 256, 110), 12: ("Q4_K", 256, 144), 13: ("Q5_K", 256, 176),
    14: ("Q6_K", 256, 210), 15: ("Q8_K", 256, 292), 16: ("IQ2_XXS", 256, 66), 17: ("IQ2_XS", 256, 74),
    18: ("IQ3_XXS", 256, 98), 19: ("IQ1_S", 256, 50), 20: ("IQ4_NL", 32, 18), 21: ("IQ3_S", 256, 110),
    22: ("IQ2_S", 256, 82), 23: ("IQ4_XS", 256, 136), 24: ("I8", 1, 1), 25: ("I16", 1, 2),
    26: ("I32", 1, 4), 27: ("I64", 1, 8), 28: ("F64", 1, 8), 29: ("IQ1_M", 256, 56), 30: ("BF16", 1, 2),
    34: ("TQ1_0", 256, 54), 35: ("TQ2_0", 256, 66), 39: ("MXFP4", 32, 17), 40: ("NVFP4", 64, 36),
    41: ("Q1_0", 128, 18),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class NeedMore:
    """The header goes on: at least so many bytes from the file's beginning are needed."""

    bytes: int


def read_gguf_header(data: bytes, *, file_bytes: int) -> WeightsHeader | NeedMore | Refusal:
    """The header that begins a file; refused where it contradicts the file or itself.

    ``data`` is the beginning of the file, ``file_bytes`` the size of the whole.
    """
    cursor = _Cursor(data)
    try:
        pairs, tensors = _read(cursor, file_bytes)
    except _MoreError as more:
        needed = more.bytes
        if needed > file_bytes:
            return Refusal(f"its GGUF header does not end within the file's {file_bytes} bytes")
        if needed > LONGEST_HEADER_BYTES:
            return Refusal(f"its GGUF header is longer than {LONGEST_HEADER_BYTES // MIB} MiB")
        return NeedMore(needed)
    except _WrongHeaderError as wrong:
        return Refusal(f"its GGUF header {wrong}")
    return WeightsHeader(rows=rows_of(tensors), gguf=_facts(pairs))


class _MoreError(Exception):
    """The data ends here; never leaves this module."""

    def __init__(self, needed: int) -> None:
        super().__init__()
        self.bytes = needed


class _WrongHeaderError(Exception):
    """What is wrong; never leaves this module."""


@dataclass(frozen=True, slots=True)
class _Array:
    """A value that is an array, of which only the length is kept."""

    length: int


_Value = int | str | _Array
_Pairs = dict[str, _Value]


class _Cursor:
    """A place in the bytes."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def skip(self, count: int) -> int:
        """Step over some bytes; where they begin."""
        begin, end = self.at, self.at + count
        if end > len(self.data):
            raise _MoreError(end)
        self.at = end
        return begin

    def number(self, letter: str, size: int) -> int:
        return int(struct.unpack_from(f"<{letter}", self.data, self.skip(size))[0])

    def u32(self) -> int:
        return self.number("I", 4)

    def u64(self) -> int:
        return self.number("Q", 8)

    def text(self, longest: int) -> bytes:
        length = self.u64()
        if length > longest:
            raise _WrongHeaderError(f"has a text of {length} bytes")
        begin = self.skip(length)
        return self.data[begin : begin + length]

    def skip_texts(self, count: int) -> None:
        """Step over an array of texts; the inner loop of every tokenizer."""
        unpack, data, at, end = struct.Struct("<Q").unpack_from, self.data, self.at, len(self.data)
        for _ in range(count):
            if at + 8 > end:
                raise _MoreError(at + 8)
            length = unpack(data, at)[0]
            if length > _LONGEST_TEXT_BYTES:
                raise _WrongHeaderError(f"has a text of {length} bytes")
            at += 8 + length
        self.at = at
        self.skip(0)


def _read(cursor: _Cursor, file_bytes: int) -> tuple[_Pairs, tuple[Tensor, ...]]:
    begin = cursor.skip(4)
    if cursor.data[begin : begin + 4] != b"GGUF":
        raise _WrongHeaderError("does not begin with GGUF")
    version = cursor.u32()
    if version and version & 0xFFFF == 0:
        raise _WrongHeaderError("is big-endian, which GPU nodes do not load")
    if version not in (2, 3):
        raise _WrongHeaderError(f"is of version {version}; known are 2 and 3")
    tensor_count, pair_count = cursor.u64(), cursor.u64()
    if tensor_count > _MOST_TENSORS or pair_count > _MOST_PAIRS:
        raise _WrongHeaderError(f"claims {tensor_count} tensors and {pair_count} keys")
    pairs: _Pairs = {"version": version}
    for _ in range(pair_count):
        key = _name(cursor)
        if key in pairs:
            raise _WrongHeaderError(f"has the key {key[:60]!r} twice")
        pairs[key] = _value(cursor)
    return pairs, _table(cursor, tensor_count, _alignment(pairs), file_bytes)


def _name(cursor: _Cursor) -> str:
    return cursor.text(_LONGEST_KEY).decode("ascii", "backslashreplace")


def _value(cursor: _Cursor) -> _Value:
    """A whole number, a text, or how long an array is; what else there is counts as ``""``."""
    kind = cursor.u32()
    if kind in _SCALARS:
        letter, size = _SCALARS[kind]
        if letter in "fd":
            cursor.skip(size)
            return ""
        return cursor.number(letter, size)
    if kind == _TEXT:
        return cursor.text(_LONGEST_TEXT_BYTES).decode("utf-8", "surrogateescape")
    if kind != _ARRAY:
        raise _WrongHeaderError(f"has a value of type {kind}")
    kind, count = cursor.u32(), cursor.u64()
    if count > _MOST_ELEMENTS:
        raise _WrongHeaderError(f"has an array of {count} elements")
    if kind in _SCALARS:
        cursor.skip(count * _SCALARS[kind][1])
    elif kind == _TEXT:
        cursor.skip_texts(count)
    else:
        raise _WrongHeaderError("has an array of arrays")
    return _Array(count)


def _alignment(pairs: _Pairs) -> int:
    value = pairs.get("general.alignment", 32)
    is_power = isinstance(value, int) and value > 0 and value & (value - 1) == 0
    if not isinstance(value, int) or not is_power or value > _LARGEST_ALIGNMENT:
        raise _WrongHeaderError(f"has the alignment {str(value)[:20]!r}")
    return value


def _table(cursor: _Cursor, count: int, alignment: int, file_bytes: int) -> tuple[Tensor, ...]:
    """The tensors; their data must follow each other, aligned, and end within the file."""
    tensors = tuple(_tensors(cursor, count, alignment))
    if len({tensor.name for tensor in tensors}) < count:
        raise _WrongHeaderError("names two tensors alike")
    data_begins = _aligned(cursor.at, alignment)
    ends = sum(_aligned(tensor.bytes, alignment) for tensor in tensors[:-1])
    ends += data_begins + (tensors[-1].bytes if tensors else 0)
    if tensors and ends > file_bytes:
        raise _WrongHeaderError(f"places tensors up to byte {ends}, the file has {file_bytes}")
    return tensors


def _tensors(cursor: _Cursor, count: int, alignment: int) -> Iterator[Tensor]:
    expected = 0
    for _ in range(count):
        name = _name(cursor)
        axes = cursor.u32()
        if axes > 4:
            raise _WrongHeaderError(f"gives {name[:60]!r} {axes} axes")
        shape = [cursor.u64() for _ in range(axes)]
        kind, offset = cursor.u32(), cursor.u64()
        if kind not in TYPES:
            raise _WrongHeaderError(f"gives {name[:60]!r} the type {kind}, which is unknown")
        dtype, block, block_bytes = TYPES[kind]
        numbers = _numbers(name, shape)
        if (shape[0] if shape else 1) % block:
            raise _WrongHeaderError(f"cuts the rows of {name[:60]!r} in the middle of a block")
        size = numbers // block * block_bytes
        if offset != expected:
            raise _WrongHeaderError(f"places {name[:60]!r} at {offset} instead of {expected}")
        expected = _aligned(expected + size, alignment)
        yield Tensor(name, dtype, numbers, size)


def _numbers(name: str, shape: list[int]) -> int:
    numbers = 1
    for axis in shape:
        numbers *= axis
        if numbers > _MOST_NUMBERS:
            raise _WrongHeaderError(f"gives {name[:60]!r} a shape beyond belief")
    return numbers


def _aligned(value: int, alignment: int) -> int:
    return -(-value // alignment) * alignment


def _facts(pairs: _Pairs) -> GgufFacts:
    architecture = _text(pairs, "general.architecture")[:80]
    prefix = f"{architecture}."
    template = _text(pairs, "tokenizer.chat_template")
    tokens = pairs.get("tokenizer.ggml.tokens")
    return GgufFacts(
        version=_number(pairs, "version"),
        architecture=architecture,
        kind=_text(pairs, "general.type")[:40] or "model",
        file_type=_number(pairs, "general.file_type"),
        split_number=max(0, _number(pairs, _SPLIT_NUMBER)),
        split_count=max(1, _number(pairs, _SPLIT_COUNT)),
        vocabulary=tokens.length if isinstance(tokens, _Array) else 0,
        numbers={
            key.removeprefix(prefix): value
            for key, value in sorted(pairs.items())
            if architecture and key.startswith(prefix) and isinstance(value, int)
        },
        chat_template_sha256=template_digest(template) if template else "",
    )


def template_digest(template: str) -> str:
    """What tells one chat template from another; blanks around it do not count."""
    return hashlib.sha256(template.strip().encode("utf-8", "surrogatepass")).hexdigest()


def _text(pairs: _Pairs, key: str) -> str:
    value = pairs.get(key, "")
    return value if isinstance(value, str) else ""


def _number(pairs: _Pairs, key: str) -> int:
    value = pairs.get(key, -1)
    return value if isinstance(value, int) else -1
