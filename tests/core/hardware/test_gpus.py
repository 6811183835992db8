"""Names of cards: those of drivers, of Slurm's AutoDetect, and those that sites write."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cfslurm.core.hardware.gpus import Source, cards_named, identify
from cfslurm.core.hardware.mig import find_profile, mig_name, profiles_of
from tests.builders import CATALOGUE

_TABLE = Path(__file__).parents[3] / "cfslurm/core/hardware/gpus.csv"
_ROWS = list(
    csv.DictReader(line for line in _TABLE.read_text().splitlines() if not line.startswith("#"))
)


def _autodetect(name: str) -> str:
    """As Slurm's gpu_nvml.c makes a GRES type of a driver's name."""
    return name.lower().replace(" ", "_")


@pytest.mark.parametrize("row", _ROWS, ids=lambda row: str(row["key"]))
def test_every_name_of_a_row_means_its_card(row: dict[str, str]) -> None:
    drivers = row["nvml_or_smi_name"].split(";")
    for name in [row["key"], *drivers, *map(_autodetect, drivers), *row["gres_aliases"].split("|")]:
        found = identify(name, (), CATALOGUE)
        assert row["key"] in cards_named(name, CATALOGUE), name
        assert found.source in (Source.TABLE, Source.AMBIGUOUS)
        # Where several cards share the name, a key that is nobody else's name settles it.
        if cards_named(row["key"], CATALOGUE) == (row["key"],):
            assert identify(name, (row["key"],), CATALOGUE).key == row["key"]
    assert identify("", (row["key"],), CATALOGUE).source in (Source.TABLE, Source.AMBIGUOUS)


@pytest.mark.parametrize("row", _ROWS, ids=lambda row: str(row["key"]))
def test_every_row_has_a_source_and_sane_numbers(row: dict[str, str]) -> None:
    assert row["source"]
    assert row["conf"] in ("v", "m", "l")
    visible, box = int(row["mem_mib_visible"]), int(row["mem_gb"])
    assert 0.9 * box * 1000 <= visible <= 1.03 * box * 1024
    assert float(row["mem_bw_gbs"]) > 0


@pytest.mark.parametrize("key", ["a100_40", "a100_80", "v100_32", "h100_nvl", "rtx6000ada"])
def test_an_ambiguous_name_is_settled_by_a_feature(key: str) -> None:
    bare = {"a": "a100", "v": "v100", "h": "h100", "r": "rtx6000"}[key[0]]
    assert identify(bare, (), CATALOGUE).source is Source.AMBIGUOUS
    settled = identify(bare, ("ib", key), CATALOGUE)
    assert (settled.key, settled.source) == (key, Source.TABLE)


@pytest.mark.parametrize(
    ("name", "features", "key"),
    [
        ("a100-80g", ("a100-sxm4-80gb",), "a100_80"),
        ("h100", ("94gb",), "h100_nvl"),
        ("h100", ("gpu_mem_94gb",), "h100_nvl"),
        ("v100", ("vram16", "tesla_v100-sxm2-16gb"), "v100_16"),
        ("gpu_l40s", (), "l40s"),
        ("Tesla_T4_x", (), "t4"),
        ("nvidia_gh200_480gb", (), "gh200_96"),  # the 480 GB are the CPU's
    ],
)
def test_other_ways_to_write_it(name: str, features: tuple[str, ...], key: str) -> None:
    found = identify(name, features, CATALOGUE)
    assert (found.key, found.source) == (key, Source.TABLE)


def test_a_part_of_a_name_is_said_to_be_one() -> None:
    assert "is taken for rtx4090" in identify("geforce_rtx_4090_d", (), CATALOGUE).note
    assert identify("a10g4", (), CATALOGUE).source is Source.UNKNOWN  # not between underscores


@pytest.mark.parametrize(
    ("name", "features", "key", "memory_mib"),
    [
        ("nvidia_a100_3g.20gb", (), "a100_40_3g.20gb", 19_456),
        ("nvidia_a100_3g.39gb", ("a100_80",), "a100_80_3g.40gb", 38_912),  # 40,192 MiB are 39 GiB
        ("a100_1g.5gb", (), "a100_40_1g.5gb", 4_864),
        ("mig-1g.10gb", ("a100_80",), "a100_80_1g.10gb", 9_728),
        ("nvidia_h100_80gb_hbm3_1g.10gb", (), "h100_1g.10gb", 9_685),
        ("nvidia_h100_nvl_1g.24gb", (), "h100_nvl_1g.24gb", 22_759),
        ("nvidia_h200_2g.35gb", (), "h200_2g.35gb", 34_145),
        ("1c.3g.71gb", ("h200",), "h200_3g.71gb", 68_291),
        ("nvidia_b200_1g.23gb+me", (), "b200_1g.23gb", 21_773),
        ("nvidia_a30_2g.12gb", (), "a30_2g.12gb", 11_673),
    ],
)
def test_mig_instances(name: str, features: tuple[str, ...], key: str, memory_mib: int) -> None:
    found = identify(name, features, CATALOGUE)
    assert (found.key, found.memory_mib, found.source) == (key, memory_mib, Source.TABLE)
    assert not found.has_nvlink
    assert found.note == "memory estimated until probed"


def test_a_profile_that_no_card_of_the_name_has() -> None:
    assert identify("a100_9g.99gb", (), CATALOGUE).source is Source.UNKNOWN
    assert identify("l40s_1g.10gb", (), CATALOGUE).source is Source.UNKNOWN
    assert identify("1g.10gb", (), CATALOGUE).source is Source.AMBIGUOUS


# NVIDIA's own numbers, as nvidia-smi prints them on these cards.
@pytest.mark.parametrize(
    ("card", "slices", "gb", "driver_mib"),
    [("a100_40", 1, 5, 4864), ("a100_40", 3, 20, 20_096), ("a100_80", 1, 10, 9728),
     ("a100_80", 3, 40, 40_192), ("h100", 1, 10, 9984)],
)  # fmt: skip
def test_an_estimate_is_never_more_than_the_driver_gives(
    card: str, slices: int, gb: int, driver_mib: int
) -> None:
    estimate = identify(f"{card}_{slices}g.{gb}gb", (), CATALOGUE).memory_mib
    assert 0.94 * driver_mib <= estimate <= driver_mib


@given(
    card=st.sampled_from([key for key in CATALOGUE.cards if profiles_of(key)]),
    data=st.data(),
    prefix=st.sampled_from(["", "mig-", "mig_"]),
)
def test_every_profile_is_found_by_its_name(card: str, data: st.DataObject, prefix: str) -> None:
    profile = data.draw(st.sampled_from(profiles_of(card)))
    read = mig_name(f"{card}_{prefix}{profile.name}")
    assert read is not None
    assert read.card.removesuffix("_mig").rstrip("_-") == card
    assert find_profile(card, read.slices, read.memory_gb) == profile
    found = identify(f"{card}_{profile.name}", (), CATALOGUE)
    assert found.key == f"{card}_{profile.name}"
    assert 0 < found.memory_mib < CATALOGUE.cards[card].memory_mib


@given(name=st.text(max_size=60), features=st.lists(st.text(max_size=20), max_size=4))
def test_any_text_is_a_card_of_the_table_or_unknown(name: str, features: list[str]) -> None:
    found = identify(name, features, CATALOGUE)
    assert (found.source is Source.UNKNOWN) == (found.memory_mib == 0)
    assert found.source in (Source.UNKNOWN, Source.TABLE, Source.AMBIGUOUS)
