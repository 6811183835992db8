"""The header of a safetensors file: read without its data, bounded, and checked against the file's size.

Source: the format's own description (huggingface/safetensors, README): 8 bytes length, unsigned and
little-endian; that many bytes of JSON; data without holes. Why not a library: safetensors opens local
files only, and huggingface_hub's ``get_safetensors_metadata`` takes a whole file into memory from a
server without ranges, lets tensors overlap or end outside the file, keeps the last of two equal keys,
and leaves notes in the user's cache.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import NoReturn

from cfslurm.core.documents import Json
from cfslurm.core.models.headers import Tensor, WeightsHeader, rows_of
from cfslurm.core.models.refusal import Refusal

LENGTH_BYTES = 8
# Source: huggingface_hub.constants.SAFETENSORS_MAX_HEADER_LENGTH.
LONGEST_HEADER_BYTES = 25_000_000
_MOST_TENSORS = 200_000
_MOST_AXES = 16
_MOST_NUMBERS = 2**50
# Source: safetensors 0.8, ``Dtype::bitsize``.
_BITS = {
    "BOOL": 8, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8,
    "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8, "I16": 16, "U16": 16, "F16": 16, "BF16": 16,
    "I32": 32, "U32": 32, "F32": 32, "C64": 64, "F64": 64, "I64": 64, "U64": 64,
}  # fmt: skip


def header_length(head: bytes, *, file_bytes: int) -> int | Refusal:
    """Bytes of the JSON, from the first eight bytes of a file; refused where that cannot be."""
    if len(head) < LENGTH_BYTES:
        return Refusal(f"it has {len(head)} bytes, which is no safetensors file")
    length = int.from_bytes(head[:LENGTH_BYTES], "little")
    if length > LONGEST_HEADER_BYTES:
        return Refusal(f"its header claims {length} bytes; no safetensors file has so many")
    if length < 2 or LENGTH_BYTES + length > file_bytes:
        return Refusal(f"its header claims {length} bytes; the file has {file_bytes}")
    return length


def read_safetensors_header(text: bytes, *, file_bytes: int) -> WeightsHeader | Refusal:
    """The tensors of a file, from its JSON; refused where it contradicts the file or itself.

    ``text`` is the JSON alone, ``file_bytes`` the size of the whole file.
    """
    try:
        content = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
        tensors = tuple(_tensors(content, file_bytes - LENGTH_BYTES - len(text)))
    except _WrongHeaderError as wrong:
        return Refusal(f"its safetensors header {wrong}")
    except (ValueError, RecursionError):
        return Refusal("its safetensors header is no JSON")
    return WeightsHeader(rows=rows_of(tensors))


class _WrongHeaderError(Exception):
    """What is wrong; never leaves this module."""


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    content = dict(pairs)
    if len(content) < len(pairs):
        raise _WrongHeaderError("has the same key twice")
    return content


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _tensors(content: Json, data_bytes: int) -> Iterator[Tensor]:
    """The tensors; their data must follow each other, begin at 0 and end with the file."""
    if not isinstance(content, dict):
        raise _WrongHeaderError("is no object")
    entries = [(name, entry) for name, entry in content.items() if name != "__metadata__"]
    if len(entries) > _MOST_TENSORS:
        raise _WrongHeaderError(f"lists {len(entries)} tensors")
    found = sorted((_tensor(name, entry) for name, entry in entries), key=lambda item: item[:2])
    end = 0
    for begin, stop, tensor in found:
        if begin != end:
            what = "overlaps the one before" if begin < end else "leaves a hole before itself"
            raise _WrongHeaderError(f"is wrong: {_shown(tensor.name)} {what}")
        end = stop
        yield tensor
    if end != data_bytes:
        raise _WrongHeaderError(f"places {end} bytes of tensors, the file has {data_bytes}")


def _tensor(name: str, entry: Json) -> tuple[int, int, Tensor]:
    fields = entry if isinstance(entry, dict) else {}
    dtype, shape, offsets = (fields.get(key) for key in ("dtype", "shape", "data_offsets"))
    axes = _counts(shape)
    bounds = _counts(offsets)
    if not isinstance(dtype, str) or dtype not in _BITS:
        raise _WrongHeaderError(f"gives {_shown(name)} a dtype that is unknown: {_shown(dtype)}")
    if axes is None or len(axes) > _MOST_AXES:
        raise _WrongHeaderError(f"gives {_shown(name)} a shape that is none")
    if bounds is None or len(bounds) != 2:
        raise _WrongHeaderError(f"gives {_shown(name)} data_offsets that are none")
    numbers = 1
    for axis in axes:
        numbers *= axis
        if numbers > _MOST_NUMBERS:
            raise _WrongHeaderError(f"gives {_shown(name)} a shape beyond belief")
    begin, end = bounds
    bits = numbers * _BITS[dtype]
    if bits % 8 or end - begin != bits // 8:
        raise _WrongHeaderError(
            f"gives {_shown(name)} {end - begin} bytes; its shape and dtype make {bits // 8}"
        )
    return begin, end, Tensor(name, dtype, numbers, end - begin)


def _counts(value: Json) -> Sequence[int] | None:
    """A list of numbers from 0 on; None if it is anything else."""
    if not isinstance(value, list):
        return None
    numbers = [n for n in value if isinstance(n, int) and not isinstance(n, bool) and n >= 0]
    return numbers if len(numbers) == len(value) else None


def _shown(value: Json) -> str:
    return re.sub(r"[^\x20-\x7e]", "?", repr(value)[:60])
