"""A generation as a file: it comes back, plain tools can read it, and hostile ones are refused."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from cfslurm.adapters import session_digest, session_file
from cfslurm.adapters.session_file import Store, write_generation
from cfslurm.adapters.session_load import read_generation
from cfslurm.core.session import arrays, values
from cfslurm.core.session.about import Stamp
from cfslurm.core.session.content import Content, Values, pack, unpack
from cfslurm.core.session.layout import Damage, GenerationId
from cfslurm.core.session.log import EventLog
from cfslurm.core.session.trailer import LEAF_BYTES, Digest, Trailer, write_trailer
from cfslurm.errors import SessionError

STAMP = Stamp(
    id=GenerationId(3, 57), session="coder", writer="cfslurm 0", parent="", saved_at="2026-11-21"
)


def log_of(*lines: bytes) -> EventLog:
    log = EventLog()
    for line in lines:
        log.append(line)
    return log


def write(path: Path, held: Values, stamp: Stamp = STAMP, store: Store | None = None) -> Trailer:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    store = store or Store(folder=path.parent)
    try:
        trailer, _, learn = write_generation(descriptor, stamp, pack(held), store)
        learn()
        return trailer
    finally:
        os.close(descriptor)


def read(path: Path) -> Values:
    found = read_generation(path)
    assert not isinstance(found, Damage), found
    return unpack(found.content)


def example() -> Values:
    return Values(
        state={
            "step": 12,
            "notes": "é\0",
            "weights": np.arange(6, dtype="<f4").reshape(2, 3),
            "layers": {"a/b": [np.ones(2, ">i8"), b"\0" * 5000]},
            "when": np.array(["2026-11-21", "NaT"], "M8[s]"),
            "names": np.array(["ada", "é"]),
            "mask": np.array([True, False]),
        },
        log=log_of(b'{"role":"user"}', b'{"role":"agent"}'),
        steps={"ask": {"$tuple": [1]}},
        rng={"r": {"kind": "x", "state": 1}},
    )


def test_example_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "g.h5"
    write(path, example())
    found = read_generation(path)
    assert not isinstance(found, Damage)
    assert found.about.stamp == STAMP
    held, expected = unpack(found.content), example()
    np.testing.assert_equal(held.state, expected.state)
    assert held.state["layers"]["a/b"][0].dtype == np.dtype(">i8")
    assert held.state["names"].dtype == expected.state["names"].dtype
    assert list(held.log.lines()) == list(expected.log.lines())
    assert (held.steps, held.rng) == (expected.steps, expected.rng)


def test_empty_session_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "g.h5"
    write(path, Values())
    held = read(path)
    assert (held.state, len(held.log), held.steps, held.rng) == ({}, 0, {}, {})


_FIELDS = (
    npst.boolean_dtypes()
    | npst.integer_dtypes()
    | npst.floating_dtypes(sizes=(16, 32, 64))
    | npst.complex_number_dtypes(sizes=(64, 128))
    | npst.byte_string_dtypes(min_len=1, max_len=4)
)
DTYPES = (
    npst.array_dtypes(_FIELDS, max_size=4)
    | npst.nested_dtypes(_FIELDS, max_itemsize=200)
    | npst.datetime64_dtypes()
    | npst.timedelta64_dtypes()
    | npst.unicode_string_dtypes(min_len=1, max_len=4)
).filter(lambda dtype: dtype.subdtype is None and arrays.objection(dtype) is None)
ARRAYS = DTYPES.flatmap(
    lambda dtype: npst.arrays(dtype, npst.array_shapes(min_dims=0, min_side=0, max_side=3))
)


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=9), ARRAYS))
@settings(max_examples=150, deadline=None)
def test_arrays_come_back_to_the_last_bit(
    tmp_path_factory: pytest.TempPathFactory, state: dict[str, Any]
) -> None:
    path = tmp_path_factory.getbasetemp() / "arrays.h5"
    write(path, Values(state=state))
    found = read(path).state
    assert list(found) == list(state)
    for key, array in state.items():
        assert (found[key].dtype, found[key].shape) == (array.dtype, array.shape)
        assert found[key].flags.writeable
        assert raw(found[key]) == raw(array)


def raw(array: Any) -> bytes:
    """The bytes of an array, field by field: the padding between fields is nobody's."""
    if array.dtype.names is None:
        return bytes(array.tobytes())
    return b"".join(raw(array[name]) for name in array.dtype.names)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(24).reshape(2, 3, 4).transpose(2, 0, 1),
        np.arange(10)[::-3],
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.zeros((0, 3, 0)),
        np.array(3.5),
        np.array("é"),
        np.array("2026", "M8[Y]"),
        np.array([np.nan, -0.0, np.inf]),
        np.array([b"a\0b", b"\0"]),
        np.zeros(3, np.dtype([("a", "i1"), ("b", "f8")], align=True)),
        np.zeros((1,) * 32, "i1"),
    ],
    ids=lambda array: f"{array.dtype}{array.shape}"[:40],
)
def test_array_comes_back(tmp_path: Path, array: Any) -> None:
    write(tmp_path / "g.h5", Values(state={"a": array}))
    found = read(tmp_path / "g.h5").state["a"]
    assert (found.dtype, found.shape, found.tobytes()) == (
        array.dtype, array.shape, array.tobytes(),
    )  # fmt: skip


def test_plain_h5py_reads_it(tmp_path: Path) -> None:
    """The contract with everybody who has no cfslurm."""
    path = tmp_path / "g.h5"
    write(path, example())
    with h5py.File(path, "r") as file:
        assert sorted(file) == ["about", "events", "rng", "state", "state_json", "steps"]
        assert dict(file.attrs) == {"schema": b"cfslurm.session", "schema_version": 2}
        about = json.loads(file["about"][()].tobytes())
        assert about == {
            "session": "coder", "writer": "cfslurm 0", "parent": "", "saved_at": "2026-11-21",
            "epoch": 3, "generation": 57, "events": 2, "parts": {}, "small": about["small"],
        }  # fmt: skip
        place = about["small"]["state/weights"]
        assert place["dtype"] == "<f4"
        assert place["at"] == file["state/weights"].id.get_offset()
        assert file["state/weights"][()].tolist() == [[0, 1, 2], [3, 4, 5]]
        assert file["state/weights"].chunks is None
        assert file["state/layers/a%2Fb/0"].dtype == np.dtype(">i8")
        assert file["state/layers/a%2Fb/1"].attrs["kind"] == b"bytes"
        assert file["state/when"].attrs["dtype"] == b"<M8[s]"
        lines = file["events/000000000000"][()].tobytes().split()
        assert lines == [b'{"role":"user"}', b'{"role":"agent"}']
        assert file["state_json"][()].tobytes().startswith(b'{"step":12,')
        assert json.loads(file["steps"][()].tobytes()) == {"ask": {"$tuple": [1]}}


def test_the_fastest_digest_that_is_installed_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    session_digest.fastest.cache_clear()
    assert session_digest.fastest() is Digest.XXH3
    session_digest.fastest.cache_clear()
    monkeypatch.setitem(sys.modules, "xxhash", None)
    assert session_digest.fastest() is session_digest.secure() is not Digest.XXH3
    with pytest.raises(SessionError, match="needs the library xxhash") as caught:
        session_digest.leaf(b"", Digest.XXH3)
    assert "cfslurm[fast]" in caught.value.remedy
    session_digest.fastest.cache_clear()


@pytest.mark.parametrize("kind", list(Digest))
def test_digests_are_as_documented(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Digest
) -> None:
    def leaf(piece: bytes) -> bytes:
        if kind is Digest.XXH3:
            return xxhash.xxh3_128_digest(piece)
        if kind is Digest.SHA256:
            return hashlib.sha256(piece).digest()[:16]
        return hashlib.blake2b(piece, digest_size=16).digest()

    def digest(raw: bytes) -> bytes:
        starts = range(0, len(raw), 4 * 1024**2)
        return leaf(b"".join(leaf(raw[i : i + 4 * 1024**2]) for i in starts))

    monkeypatch.setattr(session_file, "fastest", lambda: kind)
    path = tmp_path / "g.h5"
    for size in (0, 1000, 65536, LEAF_BYTES, 3 * LEAF_BYTES + 5):
        array = np.ones(size, np.uint8)
        trailer = write(path, Values(state={"a": array}))
        raw = path.read_bytes()
        payload, rest = raw[:-64], raw[:-64]
        about = json.loads(payload[trailer.about_at :][: trailer.about_bytes])
        if size >= 65536:
            part = about["parts"]["state/a"]
            assert payload[part["at"] :][: part["stored"]] == array.tobytes()
            assert part["digest"] == f"{kind.name.lower()}:{digest(array.tobytes()).hex()}"
            rest = payload[: part["at"]] + payload[part["at"] + part["stored"] :]
        assert digest(rest) == trailer.digest == raw[-32:-16]
        assert read(path).state["a"].sum() == size


def test_digest_needs_no_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_: Any) -> None:
        raise RuntimeError("can't start new thread")

    path = tmp_path / "g.h5"
    held = Values(state={"a": np.ones(20 * LEAF_BYTES, np.uint8)})
    write(path, held)
    expected = path.read_bytes()
    monkeypatch.setattr("threading.Thread.start", refused)
    write(path, held)
    assert path.read_bytes() == expected
    assert read(path).state["a"].sum() == 20 * LEAF_BYTES


def test_h5dump_reads_it(tmp_path: Path) -> None:
    h5dump = shutil.which("h5dump")
    if h5dump is None:
        pytest.skip("h5dump is not installed (Debian: hdf5-tools)")
    path = tmp_path / "g.h5"
    write(path, example())
    done = subprocess.run([h5dump, str(path)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert 'GROUP "layers"' in done.stdout


def test_every_truncation_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "g.h5"
    write(path, example())
    whole = path.read_bytes()
    for length in [*range(0, len(whole), 512), *range(len(whole) - 65, len(whole))]:
        path.write_bytes(whole[:length])
        assert isinstance(read_generation(path), Damage), length


def test_every_changed_bit_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "g.h5"
    write(path, example())
    whole = bytearray(path.read_bytes())
    for position in [*range(0, len(whole), 13), *range(len(whole) - 64, len(whole))]:
        whole[position] ^= 1 << position % 8
        path.write_bytes(whole)
        assert isinstance(read_generation(path), Damage), position
        whole[position] ^= 1 << position % 8


@pytest.mark.parametrize(
    "change",
    [lambda whole: whole + b"\0", lambda whole: whole + whole[-64:], lambda _: b"", lambda _: b"x"],
)
def test_other_lengths_are_damage(tmp_path: Path, change: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "g.h5"
    write(path, Values())
    path.write_bytes(change(path.read_bytes()))
    assert isinstance(read_generation(path), Damage)


def test_pipe_and_folder_do_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    assert isinstance(read_generation(tmp_path / "pipe"), Damage)
    assert isinstance(read_generation(tmp_path / "folder"), Damage)


def test_symbolic_link_is_not_followed(tmp_path: Path) -> None:
    write(tmp_path / "real", Values())
    (tmp_path / "g.h5").symlink_to(tmp_path / "real")
    with pytest.raises(OSError, match="symbolic"):
        read_generation(tmp_path / "g.h5")


EVERY_CALL_FAILS = """
import errno, gc, os, sys
from pathlib import Path
import numpy as np
from cfslurm.adapters.session_file import Store, write_generation
from cfslurm.adapters.session_load import read_generation
from cfslurm.core.session.about import Stamp
from cfslurm.core.session.content import Values, pack
from cfslurm.core.session.layout import Damage, GenerationId

stamp = Stamp(id=GenerationId(1, 1), session="s", writer="w", parent="", saved_at="t")
parts = {str(n): np.full(9000, n) for n in range(12)}
content = pack(Values(state={"a": np.arange(99.0), "b": {"c": b"x" * 2000}, **parts}))
path = Path(sys.argv[1])
count, bad = 0, 0

def failing(real):
    def call(*args):
        global count
        count += 1
        if count == bad:
            raise OSError(errno.EIO, "Input/output error")
        return real(*args)
    return call

def write():
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    try:
        write_generation(descriptor, stamp, content, Store(folder=path.parent))
    finally:
        os.close(descriptor)

os.preadv, os.pwrite = failing(os.preadv), failing(os.pwrite)
for action in write, lambda: read_generation(path):
    count, bad = 0, 0
    assert not isinstance(action(), Damage)
    total = count
    assert total > 10, total
    for number in range(1, total + 1):
        count, bad = 0, number
        try:
            action()
        except OSError as error:
            assert error.errno == errno.EIO
        else:
            raise AssertionError(f"call {number} of {total} failed, and nobody noticed")
    bad = 0
    write()
if "--uncaught" in sys.argv:
    count, bad = 0, 2
    read_generation(path)
"""


@pytest.mark.parametrize(("arguments", "code"), [([], 0), (["--uncaught"], 1)])
def test_error_of_the_disk_is_no_damage_and_hdf5_survives_it(
    tmp_path: Path, arguments: list[str], code: int
) -> None:
    """In a process of its own, because HDF5 crashes, if at all, when the process ends."""
    done = subprocess.run(
        [sys.executable, "-c", EVERY_CALL_FAILS, str(tmp_path / "g.h5"), *arguments],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    assert ("Input/output error" in done.stderr) is bool(arguments)


# --- Hostile files: whole, with a right digest, but not what cfslurm writes.


def seal(path: Path, *, version: int, at: int = 0, size: int = 0) -> None:
    """Give a file the trailer of a whole generation without parts, whose ``about`` lies there."""
    raw = path.read_bytes()
    found = session_digest.digest_of(raw, Digest.BLAKE2B)
    trailer = Trailer(
        id=STAMP.id, payload_bytes=len(raw), digest=found, about_at=at, about_bytes=size,
        version=version,
    )  # fmt: skip
    path.write_bytes(raw + write_trailer(trailer))


def version_1(path: Path) -> None:
    """What the first version wrote: everything as HDF5 says it."""

    def text(value: bytes) -> Any:
        return np.frombuffer(value, np.uint8)

    with h5py.File(path, "w", libver=("v110", "v110")) as file:
        file.create_dataset("state/a", data=np.arange(3)).attrs["kind"] = np.bytes_(b"array")
        for name, value in (
            ("state_json", b'{"a":{"$data":"a"}}'),
            ("steps", b"{}"),
            ("rng", b"{}"),
        ):
            file[name] = text(value)
        file["events/data"] = text(b"")
        file["events/offsets"] = np.zeros(1, "<u8")
        for name in ("session", "writer", "parent", "saved_at"):
            file.attrs[name] = np.bytes_(b"x")
        file.attrs["schema"] = np.bytes_(b"cfslurm.session")
        numbers = {"schema_version": 1, "epoch": 3, "generation": 57, "complete": 1}
        for name, number in numbers.items():
            file.attrs.create(name, np.int64(number))


@pytest.fixture
def hostile(tmp_path: Path) -> Callable[[Callable[[h5py.File], object]], Path]:
    """Change a good generation of version 1 with h5py and seal it again."""

    def make(change: Callable[[h5py.File], object]) -> Path:
        path = tmp_path / "g.h5"
        version_1(path)
        with h5py.File(path, "r+", libver=("v110", "v110")) as file:
            change(file)
        seal(path, version=1)
        return path

    return make


def replace(file: h5py.File, name: str, **options: Any) -> Any:
    """Put another dataset into the place of one."""
    attributes = dict(file[name].attrs)
    del file[name]
    dataset = file.create_dataset(name, **options)
    dataset.attrs.update(attributes)
    return dataset


def _virtual(file: h5py.File) -> None:
    attributes = dict(file["state/a"].attrs)
    del file["state/a"]
    virtual = h5py.VirtualLayout(shape=(3,), dtype="i8")
    virtual[:] = h5py.VirtualSource("/etc/passwd", "x", shape=(3,))
    file.create_virtual_dataset("state/a", virtual).attrs.update(attributes)


def _soft(file: h5py.File) -> None:
    file["state/b"] = h5py.SoftLink("/state/a")


def _external_link(file: h5py.File) -> None:
    file["state/b"] = h5py.ExternalLink("/etc/passwd", "/x")


def _second_link(file: h5py.File) -> None:
    file["state/b"] = file["state/a"]


def _cycle(file: h5py.File) -> None:
    file["state/loop"] = file["state"]


def _huge(file: h5py.File) -> None:
    """Eight pebibytes that were never written."""
    attributes = dict(file["state/a"].attrs)
    del file["state/a"]
    space = h5py.h5s.create_simple((2**50,))
    h5py.h5d.create(file["state"].id, b"a", h5py.h5t.STD_I64LE, space)
    file["state/a"].attrs.update(attributes)


def _deep(file: h5py.File) -> None:
    file.create_dataset("state/" + "/".join("x" * 80) + "/y", data=1)


def _references(file: h5py.File) -> None:
    file.create_dataset("state/r", data=np.array([file.ref], dtype=h5py.ref_dtype))


def _opaque(file: h5py.File) -> None:
    file.create_dataset("state/o", data=np.zeros(2, "V8"))


def _empty(file: h5py.File) -> None:
    file.create_dataset("state/e", data=h5py.Empty("f8"))


def _named_type(file: h5py.File) -> None:
    file["state/t"] = np.dtype("f8")


def _text_attribute(file: h5py.File) -> None:
    file.attrs["schema"] = "variable length"


def _large_attribute(file: h5py.File) -> None:
    file.attrs["schema"] = np.bytes_(b"x" * 5000)


def _array_attribute(file: h5py.File) -> None:
    file.attrs["schema_version"] = np.array([2, 2])


HOSTILE: dict[str, tuple[Callable[[h5py.File], object], str]] = {
    "soft link": (_soft, "points elsewhere"),
    "external link": (_external_link, "points elsewhere"),
    "second hard link": (_second_link, "two links"),
    "cycle of groups": (_cycle, "two links"),
    "external storage": (
        lambda f: replace(
            f, "state/a", shape=(3,), dtype="i8", external=[("/etc/passwd", 0, 24)]
        ),
        "not stored as plain bytes",
    ),
    "virtual dataset": (_virtual, "not stored as plain bytes"),
    "compressed": (
        lambda f: replace(f, "state/a", data=np.zeros(1000), compression="gzip"),
        "not stored as plain bytes",
    ),
    "chunked": (
        lambda f: replace(f, "state/a", data=np.zeros(1000), chunks=(10,)),
        "not stored as plain bytes",
    ),
    "huge": (_huge, "claims"),
    "deep": (_deep, "too deeply"),
    "references": (_references, "type"),
    "opaque": (_opaque, "type"),
    "variable text": (
        lambda f: f.create_dataset("state/v", data="text", dtype=h5py.string_dtype()), "type",
    ),
    "structure with variable text": (
        lambda f: f.create_dataset("state/v", (1,), np.dtype([("a", h5py.string_dtype())])), "type",
    ),
    "no shape": (_empty, "shape|plain bytes"),
    "named type": (_named_type, "newer"),
    "strange dataset": (lambda f: f.create_dataset("extra", data=1), "newer.*'extra'"),
    "strange group": (lambda f: f.create_group("extra"), "newer.*'extra'"),
    "unused data": (lambda f: f.create_dataset("state/extra", data=1), "no attribute kind"),
    "no steps": (lambda f: f.pop("steps"), "no steps"),
    "no attribute": (lambda f: f.attrs.pop("schema_version"), "no attribute schema_version"),
    "variable attribute": (_text_attribute, "fixed length"),
    "large attribute": (_large_attribute, "strange attribute"),
    "array attribute": (_array_attribute, "strange attribute"),
    "other schema": (lambda f: f.attrs.modify("schema", np.bytes_(b"other")), "no session"),
    "newer": (lambda f: f.attrs.modify("schema_version", np.int64(2)), "does not fit its trailer"),
    "incomplete": (lambda f: f.attrs.modify("complete", np.int64(0)), "do not fit its trailer"),
    "other epoch": (lambda f: f.attrs.modify("epoch", np.int64(4)), "do not fit its trailer"),
    "strange events": (lambda f: f.create_dataset("events/0", data=1), "newer.*'events/0'"),
    "state as numbers": (lambda f: replace(f, "state_json", data=np.zeros(3)), "list of bytes"),
    "wrong dtype": (
        lambda f: f["state/a"].attrs.create("dtype", np.bytes_(b"<U3")), "does not fit its dtype",
    ),
    "object dtype": (
        lambda f: f["state/a"].attrs.create("dtype", np.bytes_(b"|O")), "does not fit its dtype",
    ),
    "other kind": (lambda f: f["state/a"].attrs.modify("kind", np.bytes_(b"pickle")), "newer"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_file_is_refused(
    hostile: Callable[[Callable[[h5py.File], object]], Path], name: str
) -> None:
    change, message = HOSTILE[name]
    path = hostile(change)
    with pytest.raises(SessionError, match=message):
        read_generation(path)


def test_unchanged_file_is_not_refused(
    hostile: Callable[[Callable[[h5py.File], object]], Path],
) -> None:
    assert not isinstance(read_generation(hostile(lambda _: None)), Damage)


def test_user_block_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "g.h5"
    with h5py.File(path, "w", userblock_size=512) as file:
        file.attrs["schema"] = np.bytes_(b"cfslurm.session")
    seal(path, version=1)
    with pytest.raises(SessionError, match="user block"):
        read_generation(path)


def test_whole_file_that_is_no_hdf5_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "g.h5"
    path.write_bytes(b"not HDF5" * 100)
    seal(path, version=1)
    found = read_generation(path)
    assert isinstance(found, Damage)
    assert "HDF5 cannot read it" in found.reason


@pytest.mark.parametrize(
    "change",
    [_soft, _external_link, _second_link, _cycle, _deep, _opaque, _named_type, _references],
)
def test_what_hdf5_says_beside_the_description_is_not_looked_at(
    tmp_path: Path, change: Callable[[h5py.File], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "g.h5"
    trailer = write(path, Values(state={"a": np.arange(3)}))
    path.write_bytes(path.read_bytes()[:-64])
    with h5py.File(path, "r+", libver=("v110", "v110")) as file:
        change(file)
    seal(path, version=2, at=trailer.about_at, size=trailer.about_bytes)
    monkeypatch.setattr(h5py, "File", None)  # it is not even opened
    assert read(path).state["a"].tolist() == [0, 1, 2]


def _part(about: dict[str, Any], **changes: Any) -> None:
    about["parts"]["state/large"].update(changes)


def _small(about: dict[str, Any], **changes: Any) -> None:
    about["small"]["state/a"].update(changes)


DESCRIPTIONS: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "part behind the end": (lambda a: _part(a, at=10**12), "behind its end"),
    "part before the beginning": (lambda a: _part(a, at=-1), "not described as one"),
    "part over others": (lambda a: _part(a, at=0), "overlap"),
    "part elsewhere": (lambda a: _part(a, file="../../../etc/passwd"), "not described as one"),
    "part in a file that is not there": (
        lambda a: _part(a, file="g0001-000000000001.h5"), "which has parts of it, is gone",
    ),
    "part of the future": (lambda a: _part(a, file="g0009-000000000001.h5"), "later generation"),
    "the same part twice": (
        lambda a: a["parts"].update({"state/b": a["parts"]["state/large"]}), "overlap",
    ),
    "bomb": (lambda a: _part(a, packed=True, bytes=10**12), "not described as one"),
    "not packed": (lambda a: _part(a, packed=True, bytes=100_000), "not packed as it says"),
    "huge shape": (lambda a: _part(a, shape=[2**62, 4]), "does not fit its shape"),
    "negative shape": (lambda a: _part(a, shape=[-1]), "not described as one"),
    "too many dimensions": (lambda a: _part(a, shape=[1] * 40), "not described as one"),
    "other dtype": (lambda a: _part(a, dtype="<f4"), "does not fit its shape"),
    "objects": (lambda a: _small(a, dtype="|O"), "does not fit its shape"),
    "huge text": (lambda a: _small(a, dtype="<U99999999"), "does not fit its shape"),
    "structure with objects": (
        lambda a: _small(
            a, dtype='{"names":["x"],"formats":["|O"],"offsets":[0],"itemsize":8}', shape=[3]
        ),
        "does not fit its shape",
    ),
    "structure beyond itself": (
        lambda a: _small(
            a, dtype='{"names":["x"],"formats":["<f8"],"offsets":[9],"itemsize":8}', shape=[3]
        ),
        "does not fit its shape",
    ),
    "nested without end": (lambda a: _small(a, dtype='{"names":' * 5000), "does not fit"),
    "other kind": (lambda a: _small(a, kind="pickle"), "newer"),
    "other tag": (lambda a: _small(a, tag="<U3"), "does not fit its dtype"),
    "unknown dataset": (lambda a: a["small"].update(extra=a["small"].pop("steps")), "newer"),
    "no steps": (lambda a: a["small"].pop("steps"), "no steps"),
    "unused data": (lambda a: a["small"].pop("state/a"), "cannot read"),
    "events that are not there": (lambda a: a.update(events=9), "0 events instead of 9"),
    "state as numbers": (
        lambda a: a["small"]["state_json"].update(dtype="<u2", shape=[128]), "list of bytes",
    ),
    "other epoch": (lambda a: a.update(epoch=4), "does not fit its trailer"),
    "no mapping": (lambda a: a.update(parts=[]), "does not fit its trailer"),
}  # fmt: skip


@pytest.mark.parametrize("name", DESCRIPTIONS)
def test_hostile_description_is_refused(tmp_path: Path, name: str) -> None:
    change, message = DESCRIPTIONS[name]
    path = tmp_path / STAMP.id.file_name
    state = {"a": np.arange(3), "large": np.arange(10_000)}
    trailer = write(path, Values(state=state))
    raw = path.read_bytes()[: trailer.payload_bytes]
    about = json.loads(raw[trailer.about_at :][: trailer.about_bytes])
    part = dict(about["parts"]["state/large"])
    change(about)
    text = values.to_bytes(about)
    rest = raw[: part["at"]] + raw[part["at"] + part["stored"] :] + text
    if name == "part in a file that is not there":
        rest = raw + text  # what lies at its place belongs to nobody then
    path.write_bytes(raw + text)
    told = trailer_of(path, trailer, len(text), session_digest.digest_of(rest, trailer.kind))
    path.write_bytes(raw + text + write_trailer(told))
    problem = said(path)
    assert re.search(message, problem), problem


def trailer_of(path: Path, trailer: Trailer, about_bytes: int, digest: bytes) -> Trailer:
    """The trailer of a file that ends with another description."""
    length = path.stat().st_size
    return Trailer(
        id=trailer.id, payload_bytes=length, digest=digest, kind=trailer.kind,
        about_at=length - about_bytes, about_bytes=about_bytes,
    )  # fmt: skip


def said(path: Path) -> str:
    """Why a generation cannot be read."""
    try:
        found = read_generation(path)
        if not isinstance(found, Damage):
            unpack(found.content)
            return "nothing"
    except SessionError as error:
        return error.message
    return found.reason


def test_content_defaults_are_an_empty_session() -> None:
    held = unpack(Content())
    assert (held.state, len(held.log), held.steps, held.rng) == ({}, 0, {}, {})
