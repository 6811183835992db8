"""Headers of weight files, piece by piece from wherever the bytes lie."""

from __future__ import annotations

from typing import Protocol

from cfslurm.core.models.gguf_header import FIRST_BYTES, NeedMore, read_gguf_header
from cfslurm.core.models.headers import WeightsHeader
from cfslurm.core.models.hub import FileRecord
from cfslurm.core.models.refusal import Refusal
from cfslurm.core.models.safetensors_header import (
    LENGTH_BYTES,
    header_length,
    read_safetensors_header,
)

# Source: huggingface_hub, which found 97 % of the headers on the Hub to be shorter.
_FIRST_SAFETENSORS_BYTES = 100_000


class ReadRange(Protocol):
    """Some bytes of a file."""

    def __call__(self, *, begin: int, end: int) -> bytes:
        """From ``begin`` up to, not including, ``end``; fewer where the file ends before."""
        ...


def read_header(read: ReadRange, file: FileRecord) -> WeightsHeader | Refusal:
    """The header of a weight file, by the ending of its name; refused where it is damaged."""
    if file.path.lower().endswith(".gguf"):
        return _gguf(read, file.size_bytes)
    return _safetensors(read, file.size_bytes)


def _safetensors(read: ReadRange, file_bytes: int) -> WeightsHeader | Refusal:
    data = read(begin=0, end=min(_FIRST_SAFETENSORS_BYTES, max(file_bytes, 1)))
    length = header_length(data, file_bytes=file_bytes)
    if isinstance(length, Refusal):
        return length
    end = LENGTH_BYTES + length
    if end > len(data):
        data += read(begin=len(data), end=end)
    if end > len(data):
        return Refusal(f"its header ends after {len(data)} of {end} bytes")
    return read_safetensors_header(data[LENGTH_BYTES:end], file_bytes=file_bytes)


def _gguf(read: ReadRange, file_bytes: int) -> WeightsHeader | Refusal:
    data, step = b"", FIRST_BYTES
    while True:
        begin = len(data)
        data += read(begin=begin, end=min(begin + step, max(file_bytes, begin + 1)))
        found = read_gguf_header(data, file_bytes=file_bytes)
        if not isinstance(found, NeedMore):
            return found
        if len(data) == begin:
            return Refusal(f"its header ends after {begin} bytes")
        step = max(len(data), found.bytes - len(data))
