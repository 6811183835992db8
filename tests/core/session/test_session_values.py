"""Values: what goes in comes out, or is refused with the place and a way out."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import enum
import math
import pathlib
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from cfslurm.core.session import arrays, values
from cfslurm.errors import SessionError

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=10**30, max_value=10**400)
    | st.floats()
    | TEXT
    | st.binary(max_size=2000)
)
SIMPLE_DTYPES = (
    npst.boolean_dtypes()
    | npst.integer_dtypes()
    | npst.unsigned_integer_dtypes()
    | npst.floating_dtypes(sizes=(16, 32, 64))
    | npst.complex_number_dtypes(sizes=(64, 128))
    | npst.datetime64_dtypes()
    | npst.timedelta64_dtypes()
    | npst.byte_string_dtypes(min_len=1, max_len=5)
    | npst.unicode_string_dtypes(min_len=1, max_len=5)
)
ARRAYS = npst.arrays(SIMPLE_DTYPES, npst.array_shapes(min_dims=0, min_side=0, max_side=3))
NUMPY_SCALARS = npst.arrays(
    npst.scalar_dtypes().filter(
        lambda dtype: dtype.kind in "biufcmM" and arrays.objection(dtype) is None
    ),
    (1,),
).map(lambda array: array[0])
LEAVES = SCALARS | ARRAYS | NUMPY_SCALARS
TREES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(TEXT | st.sampled_from(["$int", "$$", "$", "", ".", "a/b"]), inner)
    ),
    max_leaves=12,
)


def same(left: Any, right: Any) -> bool:
    """Equal, of the same types, to the last bit of every number; NaN is NaN."""
    if isinstance(left, np.ndarray) and isinstance(right, np.ndarray):
        if left.dtype != right.dtype or left.shape != right.shape:
            return False
        return np.ascontiguousarray(left).tobytes() == np.ascontiguousarray(right).tobytes()
    if type(left) is not type(right):
        return False
    if isinstance(left, np.generic):
        return left.dtype == right.dtype and left.tobytes() == right.tobytes()
    if isinstance(left, float):
        if math.isnan(left):
            return math.isnan(right)
        return struct.pack("<d", left) == struct.pack("<d", right)
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict):
        return list(left) == list(right) and all(same(left[key], right[key]) for key in left)
    return bool(left == right)


@given(TREES)
@settings(max_examples=300, deadline=None)
def test_values_come_back_from_json_alone(value: Any) -> None:
    tree = values.encode(value, name="event")
    line = values.to_bytes(tree)
    assert b"\n" not in line
    assert same(values.decode(values.from_bytes(line)), value)


@given(st.dictionaries(TEXT, TREES))
@settings(max_examples=300, deadline=None)
def test_values_come_back_from_json_and_data(state: dict[str, Any]) -> None:
    data: dict[str, Any] = {}
    tree = values.encode(state, name="session", data=data)
    for path in data:
        assert path.isascii()
        assert not any(part in ("", ".", "..") for part in path.split("/"))
    assert same(values.decode(values.from_bytes(values.to_bytes(tree)), data=data), state)


@pytest.mark.parametrize(
    "value",
    [
        "\x00a\x00", 2**53, -(2**53), math.nan, math.inf, -math.inf, -0.0, 5e-324,
        b"", b"\xff" * 5000, (), ((1,), [2]), {"$int": "no"}, {"$data": "x"}, {"$": {"$$": 1}},
        np.float32(0.1), np.bool_(True), np.datetime64("2026-11-21T00:00:00", "ns"),
        np.datetime64("NaT", "s"), np.zeros((0, 3)), np.array(7), np.arange(3, dtype=">i4"),
        np.arange(10)[::-2], np.asfortranarray(np.arange(6).reshape(2, 3)),
        np.array(["", "é", "\U0001f600"]), np.array([b"a\0b", b""]),
    ],
)  # fmt: skip
def test_value_comes_back(value: Any) -> None:
    data: dict[str, Any] = {}
    tree = values.encode({"key": value}, name="session", data=data)
    assert same(values.decode(values.from_bytes(values.to_bytes(tree)), data=data), {"key": value})
    assert same(values.decode(values.encode(value, name="event")), value)


def test_integer_of_any_size_comes_back() -> None:
    for value in (10**5000, -(10**5000)):
        assert (
            values.decode(values.from_bytes(values.to_bytes(values.encode(value, name="v"))))
            == value
        )


class Colour(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Point:
    x: int = 1


class Text(str):
    pass


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        ({1, 2}, "sorted"),
        (1j, "real"),
        (bytearray(b"a"), "bytes(value)"),
        (datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC), "isoformat"),
        (pathlib.Path("/a"), "str(value)"),
        (Colour.RED, "value.value"),
        (Point(), "asdict"),
        (Text("a"), "str(value)"),
        (collections.OrderedDict(a=1), "dict(value)"),
        (collections.namedtuple("P", "x")(1), "tuple(value)"),
        (object(), "what it was made from"),
        (len, "what it was made from"),
        (lambda: 0, "name of what to call"),
        ("\ud800", "surrogateescape"),
        ({1: 2}, "text as keys"),
        ({"\udcff": 2}, "surrogateescape"),
        (np.array([object()]), "objects"),
        (np.longdouble(1), "extended"),
        (np.zeros(2, np.longdouble), "astype"),
        (np.zeros(2, "V3"), "view"),
        (np.void(b"abc"), "item"),
        (np.str_("a"), "item"),
        (np.ma.masked_array([1]), "asarray"),
        (np.zeros(1, [("a", "U3")]), "array of its own"),
        (np.zeros(1, [("r", "f8"), ("i", "f8")]), "complex"),
        (np.zeros(1, [(("title", "a"), "f8")]), "without titles"),
        (np.zeros(1, {"names": ["a", "b"], "formats": ["i4", "i4"], "offsets": [0, 2]}), "overlap"),
        (np.zeros(1, {"names": ["a"], "formats": [object]}), "objects"),
        (np.zeros((1,) * 33), "Reshape"),
        (np.zeros((1,) * 32, "U1"), "Reshape"),
    ],
)
def test_other_value_is_refused_with_place_and_hint(value: Any, hint: str) -> None:
    with pytest.raises(SessionError) as caught:
        values.encode({"deep": [0, {"er": value}]}, name="session", data={})
    assert caught.value.message.startswith("session['deep'][1]['er']")
    assert hint in caught.value.remedy


def test_structure_belongs_into_the_state() -> None:
    records = np.zeros(2, [("a", "<i4"), ("b", ">f8", (2,)), ("c", "S3")])
    assert values.encode({"r": records}, name="session", data={}) == {"r": {"$data": "r"}}
    with pytest.raises(SessionError, match="event is an array"):
        values.encode(records, name="event")


def test_value_that_contains_itself_is_refused() -> None:
    value: list[Any] = []
    value.append(value)
    with pytest.raises(SessionError, match="contains itself"):
        values.encode({"key": value}, name="session", data={})


def test_deepest_value_comes_back() -> None:
    value: Any = ()
    for _ in range(values.MAX_DEPTH - 1):
        value = (value,)
    tree = values.encode({"key": value}, name="session", data={})
    assert values.decode(values.from_bytes(values.to_bytes(tree))) == {"key": value}


@pytest.mark.parametrize(
    "raw",
    [
        b'{"$new": 1}',
        b'{"$int": "x"}',
        b'{"$int": 1}',
        b'{"$float": "1e3"}',
        b'{"$bytes": "a"}',
        b'{"$tuple": 1}',
        b'{"$data": "weights"}',
        b'{"$a": 1, "b": 2}',
        b'{"$array": ["|O", [1], "AAAAAAAAAAA="]}',
        b'{"$array": ["<f4", [4611686018427387904], ""]}',
        b'{"$array": ["<f4", [-1], ""]}',
        b'{"$array": ["<f4", [true], "AAAAAA=="]}',
        b'{"$array": ["<U0", [1], ""]}',
        b'{"$array": ["<M8[xx]", [0], ""]}',
        b'{"$scalar": ["<f4", "00"]}',
        b'{"$scalar": ["<f4", "zz"]}',
        b"NaN",
        b"",
        b"\xff",
        b"[" * 100_000,
        b"[" * 900 + b"]" * 900,
    ],
)
def test_what_was_never_written_is_refused(raw: bytes) -> None:
    with pytest.raises(SessionError):
        values.decode(values.from_bytes(raw))


def test_data_that_nothing_refers_to_is_refused() -> None:
    with pytest.raises(SessionError, match="nothing refers to"):
        values.decode({}, data={"lost": b"x"})


def test_data_is_used_once() -> None:
    with pytest.raises(SessionError):
        values.decode([{"$data": "a"}, {"$data": "a"}], data={"a": b"x"})
