"""Headers of GGUF files, compared with llama.cpp's own writer."""

from __future__ import annotations

import struct
from pathlib import Path

import gguf
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cfslurm.core.models.gguf_header import TYPES, NeedMore, read_gguf_header, template_digest
from cfslurm.core.models.headers import WeightsHeader
from cfslurm.core.models.refusal import Refusal

Answer = WeightsHeader | NeedMore | Refusal


def written(path: Path) -> bytes:
    """A small model as llama.cpp's Python package writes it."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    writer.add_block_count(2)
    writer.add_float32("llama.rope.freq_base", 1e6)
    writer.add_bool("llama.is_odd", True)
    writer.add_chat_template(" {{ messages }}\n")
    writer.add_token_list(["<unk>", "é", ""])
    writer.add_token_scores([0.0, 1.0, 2.0])
    writer.add_tensor(
        "token_embd.weight", np.zeros((4, 34), np.uint8), raw_dtype=gguf.GGMLQuantizationType.Q8_0
    )
    writer.add_tensor(
        "blk.1.ffn_down_exps.weight",
        np.zeros((2, 3, 34), np.uint8),
        raw_dtype=gguf.GGMLQuantizationType.Q8_0,
    )
    writer.add_tensor("output_norm.weight", np.zeros(5, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path.read_bytes()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return written(tmp_path_factory.mktemp("gguf") / "x.gguf")


def read(data: bytes) -> Answer:
    return read_gguf_header(data, file_bytes=len(data))


def text(value: bytes) -> bytes:
    return struct.pack("<Q", len(value)) + value


def pair(key: bytes, kind: int, value: bytes) -> bytes:
    return text(key) + struct.pack("<I", kind) + value


def tensor(
    name: bytes = b"a", shape: tuple[int, ...] = (32,), kind: int = 0, offset: int = 0
) -> bytes:
    axes = struct.pack(f"<I{len(shape)}Q", len(shape), *shape)
    return text(name) + axes + struct.pack("<IQ", kind, offset)


def header(
    *, version: int = 3, tensors: tuple[bytes, ...] = (), pairs: tuple[bytes, ...] = ()
) -> bytes:
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(pairs))
    body = head + b"".join(pairs) + b"".join(tensors)
    return body + bytes(-len(body) % 32)


def test_a_model_of_llama_cpp(data: bytes) -> None:
    found = read(data)
    assert isinstance(found, WeightsHeader)
    facts = found.gguf
    assert facts is not None
    assert (facts.architecture, facts.kind, facts.file_type) == ("llama", "model", 7)
    assert facts.numbers == {"block_count": 2, "is_odd": 1}
    assert facts.chat_template_sha256 == template_digest("{{ messages }}")
    rows = {(row.part, row.layer, row.dtype): (row.numbers, row.bytes) for row in found.rows}
    assert rows == {
        ("embedding", -1, "Q8_0"): (128, 136),
        ("experts", 1, "Q8_0"): (192, 204),
        ("norm", -1, "F32"): (5, 20),
    }


def test_sizes_of_types_are_those_of_llama_cpp() -> None:
    theirs = {int(kind): (kind.name, *sizes) for kind, sizes in gguf.GGML_QUANT_SIZES.items()}
    assert dict(TYPES) == theirs


def test_every_beginning_asks_for_more_until_the_header_is_whole(data: bytes) -> None:
    whole = read(data)
    have = 0
    for _ in range(len(data)):
        found = read_gguf_header(data[:have], file_bytes=len(data))
        if not isinstance(found, NeedMore):
            break
        assert have < found.bytes <= len(data)
        have = found.bytes
    assert found == whole
    assert have < len(data)  # the data itself was never asked for


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (b"", "does not end within"),
        (b"<html><body>log in</body></html>", "does not begin with GGUF"),
        (b"GGUF", "does not end within the file's 4 bytes"),
        (header(version=1), "version 1"),
        (header(version=4), "version 4"),
        (header(version=3 << 24), "big-endian"),
        (b"GGUF" + struct.pack("<IQQ", 3, 2**63, 0), "claims 9223372036854775808 tensors"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 2**63), "9223372036854775808 keys"),
        (header(pairs=(struct.pack("<Q", 2**63),)), "a text of 9223372036854775808 bytes"),
        (header(pairs=(pair(b"k", 8, struct.pack("<Q", 1 << 40)),)), "a text of 1099511627776"),
        (header(pairs=(pair(b"k", 8, struct.pack("<Q", 1 << 22)),)), "does not end within"),
        (header(pairs=(pair(b"k", 9, struct.pack("<IQ", 4, 2**60)),)), "array of 1152921504606846976"),
        (header(pairs=(pair(b"k", 9, struct.pack("<IQ", 8, 1 << 20)),)), "does not end within"),
        (header(pairs=(pair(b"k", 9, struct.pack("<IQ", 9, 1)),)), "array of arrays"),
        (header(pairs=(pair(b"k", 77, b""),)), "value of type 77"),
        (header(pairs=(pair(b"k", 0, b"\1"),) * 2), "key 'k' twice"),
        (header(pairs=(pair(b"general.alignment", 4, struct.pack("<I", 3)),)), "alignment '3'"),
        (header(pairs=(pair(b"general.alignment", 4, struct.pack("<I", 0)),)), "alignment '0'"),
        (header(pairs=(pair(b"general.alignment", 4, struct.pack("<I", 1 << 30)),)), "alignment"),
        (header(tensors=(tensor(shape=(1,) * 5),)), "5 axes"),
        (header(tensors=(tensor(kind=5),)), "type 5, which is unknown"),
        (header(tensors=(tensor(shape=(2**40, 2**40)),)), "beyond belief"),
        (header(tensors=(tensor(shape=(33,), kind=8),)), "middle of a block"),
        (header(tensors=(tensor(offset=32),)), "at 32 instead of 0"),
        (header(tensors=(tensor(), tensor(b"b", offset=64))) + bytes(256), "at 64 instead of 128"),
        (header(tensors=(tensor(), tensor(offset=128))) + bytes(256), "two tensors alike"),
        (header(tensors=(tensor(shape=(1 << 20,)),)), "places tensors up to byte"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(broken: bytes, reason: str) -> None:
    found = read(broken)
    assert isinstance(found, Refusal)
    assert reason in found.reason
    assert found.reason.isprintable()


def test_a_header_that_never_ends_is_given_up() -> None:
    long = header(pairs=(pair(b"k", 9, struct.pack("<IQ", 10, 1 << 22)),))
    needed = 24 + 9 + 4 + 12 + (1 << 25)  # counts, key, type, array's type and length, its numbers
    assert read_gguf_header(long, file_bytes=1 << 40) == NeedMore(needed)
    longer = header(pairs=(pair(b"k", 9, struct.pack("<IQ", 10, 1 << 24)),))
    found = read_gguf_header(longer, file_bytes=1 << 40)
    assert found == Refusal("its GGUF header is longer than 64 MiB")


def test_names_with_colours_are_shown_without() -> None:
    found = read(header(tensors=(tensor("\x1b[31mé".encode(), kind=5),)))
    assert isinstance(found, Refusal)
    assert "\x1b" not in found.reason


@given(data=st.binary(max_size=300))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    read(data)
    read(b"GGUF\3\0\0\0" + data)


MUTATIONS = st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), min_size=1, max_size=4)


def check_mutated(data: bytes, changes: list[tuple[int, int]]) -> None:
    """A file with some bytes changed is read or refused, within its bounds."""
    changed = bytearray(data)
    for at, value in changes:
        changed[at % len(data)] = value
    match read(bytes(changed)):
        case WeightsHeader() as found:
            assert sum(row.bytes for row in found.rows) <= len(data)
        case Refusal(reason):
            assert reason.isprintable()
        case NeedMore():
            raise AssertionError("the whole file was there")


@given(changes=MUTATIONS)
def test_changed_bytes_are_read_or_refused(data: bytes, changes: list[tuple[int, int]]) -> None:
    check_mutated(data, changes)


@pytest.mark.soak
@given(changes=MUTATIONS)
@settings(max_examples=50_000, deadline=None)
def test_changed_bytes_are_read_or_refused_at_length(
    data: bytes, changes: list[tuple[int, int]]
) -> None:
    check_mutated(data, changes)
