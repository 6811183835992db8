from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cfslurm.adapters.yaml_file import MAX_BYTES, read_yaml, write_yaml
from cfslurm.errors import InvalidFileError

_BOMB = b"a: &a [x,x,x,x,x,x,x,x,x]\n" + b"".join(
    b"%c: &%c [%s]\n" % (98 + i, 98 + i, b",".join([b"*%c" % (97 + i)] * 9)) for i in range(9)
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2:00:00", "2:00:00"),
        ("1:30", "1:30"),
        ("012", 12),
        ("0x1F", "0x1F"),
        ("1_000", "1_000"),
        ("1.10", 1.1),
        ("1e3", 1000.0),
        ("2026-11-20", "2026-11-20"),
        (".inf", ".inf"),
        ("1e999", "1e999"),
        ("~", None),
        ("null", None),
        ("true", True),
        ("'true'", "true"),
        ('"8"', "8"),
        ("", None),
    ],
)
def test_scalars_mean_what_yaml_1_2_says(text: str, value: object) -> None:
    document = read_yaml(f"k: {text}\n".encode(), "f")
    assert document.data == {"k": value}
    assert type(document.data["k"]) is type(value)  # type: ignore[index,call-overload]


@pytest.mark.parametrize(
    ("raw", "message", "line"),
    [
        (b"a: 1\nb: 2\na: 3\n", "the key 'a' stands here twice", 3),
        (b"a: yes\n", "yes is a boolean in YAML 1.1", 1),
        (b"a: !!python/object/apply:os.system [x]\n", "the tag", 1),
        (b"a: !mine x\n", "the tag", 1),
        (b"b: &b {c: 1}\na:\n  <<: *b\n", "merge keys", 3),
        (b"a: &a [*a]\n", "contains itself", 1),
        (b"a: [\n", "not YAML", 2),
        (b"a: b: c\n", "not YAML", 1),
        (b"a: *nobody\n", "not YAML", 1),
        (b"? [a]\n: b\n", "a key that is no text", 1),
    ],
)
def test_mistake_is_told_with_its_line(raw: bytes, message: str, line: int) -> None:
    with pytest.raises(InvalidFileError) as error:
        read_yaml(raw, "f.yaml")
    problem = error.value.problems[0]
    assert message in problem.message
    assert problem.line == line


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (_BOMB, "more than 100000 values, aliases expanded"),
        (b"a" * (MAX_BYTES + 1), "bytes, more than"),
        (b"a: \xff\n", "no UTF-8"),
        (b"a: \0\n", "NUL"),
        (b"[" * 60 + b"]" * 60, "nested deeper"),
        (b"[" * 100_000, "nested deeper"),
    ],
)
def test_bombs_are_refused_at_once(raw: bytes, message: str) -> None:
    with pytest.raises(InvalidFileError) as error:
        read_yaml(raw, "f.yaml")
    assert message in error.value.problems[0].message


def test_aliases_in_measure_are_fine() -> None:
    assert read_yaml(b"a: &x {b: 1}\nc: *x\n", "f").data == {"a": {"b": 1}, "c": {"b": 1}}


def test_place_of_a_missing_key_is_that_of_its_parent() -> None:
    document = read_yaml(b"tasks:\n  t:\n    command: [a]\n", "f")
    assert document.place(("tasks", "t", "time", "x")) == (2, 3)
    assert document.place(("tasks", "t", "command", 0)) == (3, 15)


_TEXT = (
    st.text(max_size=20)
    | st.text(alphabet="0189.eE+-_:~", max_size=6)
    | st.text(alphabet="ab \n\t\r\x85\u2028\ufeff'\"#|", max_size=12)
)
_SCALAR = st.none() | st.booleans() | st.integers(-(10**20), 10**20) | _TEXT | st.floats(-1e9, 1e9)
_DATA = st.recursive(
    _SCALAR,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXT, inner, max_size=4),
    max_leaves=20,
)


@pytest.mark.parametrize(
    "text",
    ["08", "1e5", "+.5", "-.0", "0o7", "12:30", "no", "~", "a\x85b", "\x85", "a\n b\n\nc", " a\n"],
)
def test_text_stays_text(text: str) -> None:
    assert read_yaml(write_yaml({"k": [text], text: 1}).encode(), "f").data == {
        "k": [text],
        text: 1,
    }


def test_script_is_written_as_a_block() -> None:
    assert write_yaml({"s": "set -e\necho a"}) == "s: |-\n  set -e\n  echo a\n"


@given(st.dictionaries(_TEXT, _DATA, max_size=4))
def test_what_we_write_we_read_back(data: dict[str, object]) -> None:
    assert read_yaml(write_yaml(data).encode(), "f").data == data  # type: ignore[arg-type]


@given(st.binary(max_size=60))
def test_no_bytes_escape_the_error_tree(raw: bytes) -> None:
    with contextlib.suppress(InvalidFileError):
        read_yaml(raw, "f")
