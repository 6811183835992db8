from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cfslurm.core.slurm.units import duration_s, size_mib, slurm_time_s, time_limit
from cfslurm.errors import UserInputError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("30m", 1800),
        ("2h", 7200),
        ("1d12h", 129_600),
        ("2h30m", 9000),
        ("02:00:00", 7200),
        ("1-00:00:00", 86_400),
        ("1-12", 129_600),
        ("1-12:30", 131_400),
    ],
)
def test_duration_with_unit(text: str, seconds: int) -> None:
    assert duration_s(text) == seconds


@pytest.mark.parametrize(
    "text", ["90", "1.5", "0", "1:30", "", "0s", "-5m", "5 m", "1h1d", "999d", "ten", "1e9s", "५m"]
)
def test_duration_that_two_people_read_differently_is_refused(text: str) -> None:
    with pytest.raises(UserInputError):
        duration_s(text)


def test_remedy_for_a_bare_number_shows_all_units() -> None:
    with pytest.raises(UserInputError) as error:
        duration_s("90")
    assert error.value.remedy == "Write 90m for minutes, 90h for hours or 90s for seconds."


@given(st.integers(min_value=60, max_value=365 * 86_400))
def test_time_limit_is_never_shorter_than_asked(seconds: int) -> None:
    read = slurm_time_s(time_limit(seconds))
    assert read is not None
    assert 0 <= read - seconds < 60


@pytest.mark.parametrize("text", ["UNLIMITED", "INFINITE", "NONE", "(null)", "N/A"])
def test_no_limit_is_none(text: str) -> None:
    assert slurm_time_s(text) is None


@pytest.mark.parametrize(
    ("text", "seconds"), [("05:30", 330), ("01:00:00", 3600), ("1-00:00:00", 86_400)]
)
def test_times_as_slurm_prints_them(text: str, seconds: int) -> None:
    assert slurm_time_s(text) == seconds


@pytest.mark.parametrize(
    ("text", "mib"),
    [("512M", 512), ("4G", 4096), ("1.5T", 1_572_864), ("1K", 1), ("4GiB", 4096), ("4gb", 4096)],
)
def test_size_with_unit(text: str, mib: int) -> None:
    assert size_mib(text) == mib


@pytest.mark.parametrize("text", ["4", "4 G", "G", "0G", "-1G", "4GG", "", "4P"])
def test_size_without_sense_is_refused(text: str) -> None:
    with pytest.raises(UserInputError):
        size_mib(text)


@given(st.text(max_size=20))
def test_no_text_escapes_the_error_tree(text: str) -> None:
    for parse in (duration_s, size_mib, slurm_time_s):
        with contextlib.suppress(UserInputError):
            parse(text)
