"""Objects as data: what comes back is equal, what was not named is refused, nothing is executed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import Enum
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cfslurm.errors import SessionError
from cfslurm.integrations.objects import Objects


@dataclass(slots=True)
class Point:
    """With slots."""

    x: int
    y: object = None


class Colour(Enum):
    """Members by name."""

    RED = object()


class Plain:
    """With a __setstate__ that must not run."""

    def __init__(self, value: object) -> None:
        self.value = value

    def __setstate__(self, state: object) -> None:
        raise AssertionError("never called")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Plain) and self.value == other.value

    __hash__ = None  # type: ignore[assignment]


KNOWN = Objects((Point, Colour, Plain))
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
    | st.binary() | st.datetimes(timezones=st.just(UTC)) | st.dates() | st.times()
    | st.timedeltas() | st.uuids() | st.just(Colour.RED)
)  # fmt: skip
KEYS = st.text() | st.integers() | st.sampled_from(["*", "attributes", "items"])
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(KEYS, inner)
        | st.builds(Point, x=st.integers(), y=inner)
        | st.builds(Plain, inner)
        | st.frozensets(st.integers() | st.text())
        | st.sets(st.integers() | st.text())
    ),
    max_leaves=20,
)


@given(VALUES)
def test_what_is_encoded_comes_back(value: object) -> None:
    found = KNOWN.decode(KNOWN.encode(value))
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    "value", [date(2026, 1, 2), time(3), timedelta(days=-1, microseconds=5), UUID(int=7)]
)
def test_standard_values(value: object) -> None:
    assert KNOWN.decode(KNOWN.encode({"one": [value]})) == {"one": [value]}


def test_a_class_that_was_not_named_is_refused_when_saved() -> None:
    with pytest.raises(SessionError, match=r"test_objects\.Point") as refused:
        Objects(()).encode({"deep": [Point(1)]})
    assert "types=" in refused.value.remedy


def test_a_function_is_refused() -> None:
    with pytest.raises(SessionError, match="function"):
        KNOWN.encode(print)


@pytest.mark.parametrize(
    "data",
    [
        {"*": "os:system", "attributes": {}},
        {"*": "subprocess:Popen", "attributes": {"args": "true"}},
        {"*": "builtins:eval", "attributes": {}},
        {"*": "nonsense", "attributes": {}},
    ],
)
def test_data_cannot_name_other_classes(data: Any) -> None:
    with pytest.raises(SessionError, match="no object of the class"):
        KNOWN.decode(data)


def test_a_name_in_an_allowed_package_that_is_no_class() -> None:
    with pytest.raises(SessionError, match="there is no class"):
        Objects((), packages=("json",)).decode({"*": "json:loads", "attributes": {}})


def test_an_aware_datetime_keeps_its_zone() -> None:
    moment = datetime(2026, 11, 21, tzinfo=UTC)
    assert KNOWN.decode(KNOWN.encode(moment)).tzinfo is not None
