"""Headers of safetensors files, compared with the library that writes them."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest
import safetensors
from hypothesis import given, settings
from hypothesis import strategies as st

from cfslurm.core.models.headers import WeightsHeader
from cfslurm.core.models.refusal import Refusal
from cfslurm.core.models.safetensors_header import (
    LENGTH_BYTES,
    header_length,
    read_safetensors_header,
)

TENSORS: Mapping[str, tuple[str, list[int]]] = {
    "model.embed_tokens.weight": ("BF16", [8, 4]),
    "model.layers.0.self_attn.q_proj.weight": ("F8_E4M3", [4, 4]),
    "model.layers.0.self_attn.q_proj.weight_scale": ("F32", []),
    "model.norm.weight": ("F32", [4]),
}
_BYTES = {"BF16": 2, "F8_E4M3": 1, "F32": 4, "I32": 4, "U8": 1}


def written(tensors: Mapping[str, tuple[str, list[int]]] = TENSORS) -> bytes:
    """A file, header by hand: the library's writer would need numpy's dtypes."""
    header, at = {}, 0
    for name, (dtype, shape) in tensors.items():
        size = _BYTES[dtype]
        for axis in shape:
            size *= axis
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + size]}
        at += size
    return file_with(json.dumps(header).encode(), at)


def file_with(text: bytes, data_bytes: int) -> bytes:
    return len(text).to_bytes(8, "little") + text + bytes(data_bytes)


def read(data: bytes) -> WeightsHeader | Refusal:
    length = header_length(data, file_bytes=len(data))
    if isinstance(length, Refusal):
        return length
    return read_safetensors_header(data[LENGTH_BYTES : LENGTH_BYTES + length], file_bytes=len(data))


def entry(**changes: object) -> bytes:
    fields = {"dtype": "U8", "shape": [4], "data_offsets": [0, 4], **changes}
    return file_with(json.dumps({"a": fields}).encode(), 4)


def test_tensors_are_added_up_by_part_layer_and_dtype() -> None:
    found = read(written())
    assert isinstance(found, WeightsHeader)
    rows = {
        (row.part, row.layer, row.dtype, row.role): (row.numbers, row.bytes) for row in found.rows
    }
    assert rows == {
        ("embedding", -1, "BF16", "weight"): (32, 64),
        ("attention", 0, "F8_E4M3", "weight"): (16, 16),
        ("attention", 0, "F32", "companion"): (1, 4),
        ("norm", -1, "F32", "weight"): (4, 16),
    }


def test_metadata_is_no_tensor() -> None:
    text = json.dumps({"__metadata__": {"format": "pt"}}).encode()
    assert read(file_with(text, 0)) == WeightsHeader(rows=())


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "0 bytes"),
        (b"<html>", "6 bytes"),
        (b"<!DOCTYPE html><html></html>", "claims"),
        ((1 << 32).to_bytes(8, "little") + b"{}", "claims 4294967296 bytes; no safetensors file"),
        ((2**64 - 1).to_bytes(8, "little") + b"{}", "claims 18446744073709551615"),
        ((100).to_bytes(8, "little") + b"{}", "claims 100 bytes; the file has 10"),
        (file_with(b"[]", 0), "is no object"),
        (file_with(b"{]", 0), "no JSON"),
        (file_with(b"\xff\xfe", 0), "no JSON"),
        (file_with(b"[" * 100_000, 0), "no JSON"),
        (file_with(b'{"a": ' + b"9" * 5000 + b"}", 0), "no JSON"),
        (file_with(b'{"a": NaN}', 0), "no JSON"),
        (file_with(b'{"a": 1, "a": 1}', 0), "same key twice"),
        (entry(dtype="Q4"), "dtype that is unknown"),
        (entry(dtype=None), "dtype that is unknown"),
        (entry(shape=[-4]), "shape that is none"),
        (entry(shape=4), "shape that is none"),
        (entry(shape=[True, 4]), "shape that is none"),
        (entry(shape=[1] * 17), "shape that is none"),
        (entry(shape=[2**40, 2**40]), "beyond belief"),
        (entry(shape=[5]), "4 bytes; its shape and dtype make 5"),
        (entry(data_offsets=[0]), "data_offsets that are none"),
        (entry(data_offsets=[0, 2**70], shape=[2**40]), "its shape and dtype make"),
        (entry(data_offsets=[4, 0]), "-4 bytes"),
        (entry(data_offsets=[1, 5]), "leaves a hole"),
        (entry(data_offsets=[0, 8], shape=[8]), "places 8 bytes of tensors, the file has 4"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(data: bytes, reason: str) -> None:
    found = read(data)
    assert isinstance(found, Refusal)
    assert reason in found.reason
    assert found.reason.isprintable()


def test_tensors_that_overlap() -> None:
    fields = {"dtype": "U8", "shape": [4]}
    content = {
        "a": {**fields, "data_offsets": [0, 4]},
        "\x1b[31m": {**fields, "data_offsets": [2, 6]},
    }
    found = read(file_with(json.dumps(content).encode(), 6))
    assert isinstance(found, Refusal)
    assert "overlaps the one before" in found.reason
    assert "\x1b" not in found.reason


def library_takes(data: bytes) -> bool:
    try:
        safetensors.deserialize(data)
    except safetensors.SafetensorError:
        return False
    return True


def test_the_library_reads_what_the_tests_write() -> None:
    assert library_takes(written())


@given(data=st.binary(max_size=200))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    assert isinstance(read(data), Refusal) or library_takes(data)


SHAPES = st.lists(st.integers(0, 5), max_size=3)
NAMES = st.text(alphabet="abc._é\0", max_size=6)


@given(
    tensors=st.dictionaries(NAMES, st.tuples(st.sampled_from(sorted(_BYTES)), SHAPES), max_size=4)
)
def test_every_true_file_is_read_as_the_library_reads_it(
    tensors: dict[str, tuple[str, list[int]]],
) -> None:
    tensors.pop("__metadata__", None)
    data = written(tensors)
    found = read(data)
    assert isinstance(found, WeightsHeader)
    assert sum(row.count for row in found.rows) == len(safetensors.deserialize(data))
    assert sum(row.bytes for row in found.rows) == len(data) - LENGTH_BYTES - header_end(data)


def header_end(data: bytes) -> int:
    return int.from_bytes(data[:8], "little")


MUTATIONS = st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=3)


def check_mutated(changes: list[tuple[int, int]]) -> None:
    """A file with some bytes changed: what we take, the library takes too."""
    data = bytearray(written())
    for at, value in changes:
        data[at % len(data)] = value
    found = read(bytes(data))
    if isinstance(found, Refusal):
        assert found.reason.isprintable()
    else:
        assert library_takes(bytes(data))


@given(changes=MUTATIONS)
def test_what_is_taken_the_library_takes_too(changes: list[tuple[int, int]]) -> None:
    check_mutated(changes)


@pytest.mark.soak
@given(changes=MUTATIONS)
@settings(max_examples=50_000, deadline=None)
def test_what_is_taken_the_library_takes_too_at_length(changes: list[tuple[int, int]]) -> None:
    check_mutated(changes)
