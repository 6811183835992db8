"""Names and their order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cfslurm.core.session import layout
from cfslurm.core.session.layout import GenerationId, Listing, read_listing
from cfslurm.errors import SessionError

IDS = st.builds(GenerationId, st.integers(0, 10**8), st.integers(0, 10**12 - 1))


@given(st.lists(IDS, unique=True))
def test_names_are_read_back_in_order(ids: list[GenerationId]) -> None:
    names = [n for which in ids for n in (which.file_name, which.journal_name, which.parts_name)]
    listing = read_listing(names)
    assert listing.generations == listing.journals == listing.holders == tuple(sorted(ids))


def test_epoch_counts_before_generation() -> None:
    assert GenerationId(4, 58) > GenerationId(3, 9000)


def test_strange_names_are_passed_over() -> None:
    names = [
        "notes.txt", "g0001-1.h5", "g0001-000000000001.log", "j0001-000000000001.h5", "p0001-000000000001.log", "epoch-1",
        "epoch-0001.open", "g00001-000000000001.h5", ".tmp-0001-xyz", "G0001-000000000001.h5", "",
    ]  # fmt: skip
    assert read_listing(names) == Listing()


def test_newest_epoch_is_seen_in_any_file() -> None:
    assert Listing().newest_epoch == 0
    assert read_listing(["epoch-0002", "g0007-000000000001.h5"]).newest_epoch == 7
    assert read_listing(["epoch-0009.closed"]).newest_epoch == 9


def test_labels() -> None:
    assert layout.is_label("coder.12")
    for bad in ("", ".", "..", "a/b", "-a", "a\n", "é", "a" * 201):
        assert not layout.is_label(bad)


def test_version_zero_never_existed() -> None:
    with pytest.raises(SessionError, match="never existed"):
        layout.check_version(0)
