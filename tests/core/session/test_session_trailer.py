"""The trailer: every changed bit of it is noticed, newer ones are refused."""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace

import pytest

from cfslurm.core.session.layout import Damage, GenerationId
from cfslurm.core.session.trailer import (
    TRAILER_BYTES,
    Digest,
    Trailer,
    read_trailer,
    write_trailer,
)
from cfslurm.errors import SessionError

TRAILER = Trailer(
    id=GenerationId(3, 57),
    payload_bytes=1000,
    digest=bytes(range(16)),
    about_at=900,
    about_bytes=100,
)


def test_trailer_has_64_bytes_and_comes_back() -> None:
    raw = write_trailer(TRAILER)
    assert len(raw) == TRAILER_BYTES
    assert read_trailer(raw, file_bytes=1064) == TRAILER
    other = replace(TRAILER, kind=Digest.SHA256, is_sealed=True)
    length = 1000 + 16 + 16 + 64  # a salt, and a tag for the one frame
    assert read_trailer(write_trailer(other), file_bytes=length) == other


def test_every_changed_bit_of_a_trailer_is_noticed() -> None:
    raw = write_trailer(TRAILER)
    for bit in range(8 * len(raw)):
        changed = bytearray(raw)
        changed[bit // 8] ^= 1 << bit % 8
        assert isinstance(read_trailer(bytes(changed), file_bytes=1064), Damage)


def test_trailer_of_another_length_is_damage() -> None:
    raw = write_trailer(TRAILER)
    for length in (0, 64, 1063, 1065):
        assert isinstance(read_trailer(raw, file_bytes=length), Damage)
    assert isinstance(read_trailer(raw[:63], file_bytes=63), Damage)


@pytest.mark.parametrize(("offset", "what"), [(8, "format version 3"), (10, "digest kind 4")])
def test_newer_trailer_is_refused(offset: int, what: str) -> None:
    raw = bytearray(write_trailer(TRAILER))
    struct.pack_into("<H", raw, offset, 3 if offset == 8 else 4)
    struct.pack_into("<I", raw, 60, zlib.crc32(raw[:60]))
    with pytest.raises(SessionError, match=what) as caught:
        read_trailer(bytes(raw), file_bytes=1064)
    assert "Upgrade cfslurm" in caught.value.remedy


def test_description_behind_the_end_is_damage() -> None:
    raw = write_trailer(replace(TRAILER, about_bytes=101))
    assert isinstance(read_trailer(raw, file_bytes=1064), Damage)
