"""Names, their order, what may be removed, the trailer."""

from __future__ import annotations

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cfslurm.core.session import layout
from cfslurm.core.session.layout import Damage, GenerationId, Listing, Trailer, read_listing
from cfslurm.errors import SessionError

IDS = st.builds(GenerationId, st.integers(0, 10**8), st.integers(0, 10**12 - 1))


@given(st.lists(IDS, unique=True))
def test_names_are_read_back_in_order(ids: list[GenerationId]) -> None:
    names = [name for which in ids for name in (which.file_name, which.journal_name)]
    listing = read_listing(names)
    assert listing.generations == listing.journals == tuple(sorted(ids))


def test_epoch_counts_before_generation() -> None:
    assert GenerationId(4, 58) > GenerationId(3, 9000)


def test_strange_names_are_passed_over() -> None:
    names = [
        "notes.txt", "g0001-1.h5", "g0001-000000000001.log", "j0001-000000000001.h5", "epoch-1",
        "epoch-0001.open", "g00001-000000000001.h5", ".tmp-0001-xyz", "G0001-000000000001.h5", "",
    ]  # fmt: skip
    assert read_listing(names) == Listing()


def test_newest_epoch_is_seen_in_any_file() -> None:
    assert Listing().newest_epoch == 0
    assert read_listing(["epoch-0002", "g0007-000000000001.h5"]).newest_epoch == 7
    assert read_listing(["epoch-0009.closed"]).newest_epoch == 9


def published(*generations: tuple[int, int]) -> list[str]:
    return [GenerationId(*which).file_name for which in generations]


def test_the_last_generations_are_kept() -> None:
    names = published((1, 1), (1, 2), (2, 3), (2, 4), (2, 5))
    names += [GenerationId(1, 2).journal_name, GenerationId(2, 4).journal_name]
    assert set(layout.expendable(read_listing(names), GenerationId(2, 5), keep=3)) == {
        *published((1, 1), (1, 2)),
        GenerationId(1, 2).journal_name,
    }


def test_another_writers_later_generation_is_not_ours_to_remove() -> None:
    names = published((1, 1), (1, 2), (2, 1), (2, 2))
    assert layout.expendable(read_listing(names), GenerationId(1, 2), keep=2) == ()


@given(st.lists(IDS, unique=True, min_size=1), st.integers(-3, 10))
def test_the_published_generation_is_never_removed(ids: list[GenerationId], keep: int) -> None:
    last = max(ids)
    gone = layout.expendable(read_listing(i.file_name for i in ids), last, keep=keep)
    assert last.file_name not in gone
    assert len(ids) - len(gone) == min(len(ids), max(keep, 1))


def test_old_claims_are_removed() -> None:
    names = [*(layout.claim_name(e) for e in range(1, 21)), layout.closed_name(3)]
    gone = layout.expendable(read_listing(names), GenerationId(20, 1), keep=3)
    assert gone == (*(layout.claim_name(e) for e in range(1, 11)), layout.closed_name(3))


def test_labels() -> None:
    assert layout.is_label("coder.12")
    for bad in ("", ".", "..", "a/b", "-a", "a\n", "é", "a" * 201):
        assert not layout.is_label(bad)


TRAILER = Trailer(id=GenerationId(3, 57), payload_bytes=1000, digest=bytes(range(16)))


def test_trailer_has_64_bytes_and_comes_back() -> None:
    raw = layout.write_trailer(TRAILER)
    assert len(raw) == layout.TRAILER_BYTES
    assert layout.read_trailer(raw, file_bytes=1064) == TRAILER


def test_every_changed_bit_of_a_trailer_is_noticed() -> None:
    raw = layout.write_trailer(TRAILER)
    for bit in range(8 * len(raw)):
        changed = bytearray(raw)
        changed[bit // 8] ^= 1 << bit % 8
        assert isinstance(layout.read_trailer(bytes(changed), file_bytes=1064), Damage)


def test_trailer_of_another_length_is_damage() -> None:
    raw = layout.write_trailer(TRAILER)
    for length in (0, 64, 1063, 1065):
        assert isinstance(layout.read_trailer(raw, file_bytes=length), Damage)
    assert isinstance(layout.read_trailer(raw[:63], file_bytes=63), Damage)


@pytest.mark.parametrize(("offset", "what"), [(8, "format version 2"), (10, "digest kind 2")])
def test_newer_trailer_is_refused(offset: int, what: str) -> None:
    raw = bytearray(layout.write_trailer(TRAILER))
    struct.pack_into("<H", raw, offset, 2)
    struct.pack_into("<I", raw, 60, zlib.crc32(raw[:60]))
    with pytest.raises(SessionError, match=what) as caught:
        layout.read_trailer(bytes(raw), file_bytes=1064)
    assert "Upgrade cfslurm" in caught.value.remedy


def test_version_zero_never_existed() -> None:
    with pytest.raises(SessionError, match="never existed"):
        layout.check_version(0)
