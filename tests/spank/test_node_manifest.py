"""What Python writes, C reads: the same values; and both say no to the same files."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from cfslurm.core.run.manifest import VariantPlace
from cfslurm.core.run.node_manifest import ClassLine, ModelLine, NodeManifest, node_manifest_text
from tests.spank.grammar import is_manifest

_PLAIN = st.text(st.sampled_from("abcXYZ019_.-~/:@+=,"), min_size=1, max_size=12)
# Whatever a path may have: any text, and bytes that are no UTF-8 as Python carries them.
_PARTS = st.one_of(
    st.text(st.characters(exclude_characters="/", exclude_categories=["Cs"]), max_size=8),
    st.binary(min_size=1, max_size=8).map(lambda data: data.replace(b"/", b"_").decode("utf-8", "surrogateescape")),
)  # fmt: skip
_PATHS = st.lists(_PARTS, min_size=1, max_size=4).map(lambda parts: "/" + "/".join(parts))
_TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)
_PLACES = st.builds(
    VariantPlace,
    variant=st.one_of(_TEXTS, st.just("x" * 300)),
    repo_id=st.one_of(_TEXTS, st.just("y" * 200)),
    revision=st.text(st.sampled_from("0123456789abcdef"), min_size=40, max_size=40),
    quantization=st.sampled_from(["none", "awq", "gguf:Q4_K_M", "fp8"]),
    path=_PATHS,
    tensor_parallel_size=st.integers(0, 1024),
    max_model_len=st.integers(0, 2**31 - 1),
)
_CLASSES = st.builds(
    ClassLine,
    name=_PLAIN,
    gpu_type=_TEXTS,
    gpu_count=st.integers(0, 1024),
    gpu_memory_mib=st.integers(0, 2**31 - 1),
)


@st.composite
def _manifests(draw: st.DrawFn) -> NodeManifest:
    classes = draw(st.lists(_CLASSES, max_size=4, unique_by=lambda one: one.name))
    names = [one.name for one in classes] + draw(st.lists(_PLAIN, max_size=1))
    nodes = draw(st.dictionaries(_PLAIN, st.sampled_from(names), max_size=5)) if names else {}
    pairs = draw(
        st.lists(st.tuples(_PLAIN, st.sampled_from(names)), max_size=5, unique=True)
        if names
        else st.just([])
    )
    models = [
        ModelLine(
            key=key,
            node_class=name,
            model=draw(_TEXTS),
            place=draw(_PLACES),
            files=draw(st.integers(0, 4096)),
            total_bytes=draw(st.integers(0, 2**53 - 1)),
        )
        for key, name in pairs
    ]
    run_id = draw(st.one_of(st.just(""), _PLAIN))
    return NodeManifest(
        run_id=run_id,
        run_dir=draw(_PATHS) if run_id else "",
        nodes=nodes,
        classes=tuple(classes),
        models=tuple(models),
    )


_FEW = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


class Reader:
    """manifest_lookup, with a file of our own."""

    def __init__(self, program: Path, folder: Path) -> None:
        self._program = program
        self._file = folder / "node_manifest"
        self._file.touch(mode=0o600)

    def read(self, data: bytes, node: str, key: str) -> tuple[int, dict[str, str]]:
        """The exit code and what was printed; a reader that crashes has none of its codes."""
        self._file.write_bytes(data)
        done = subprocess.run(
            [self._program, self._file, node, key],
            capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip
        assert done.returncode in (0, 1, 2), (done.returncode, done.stderr)
        assert bool(done.stderr) == (done.returncode != 0), done.stderr
        return done.returncode, dict(line.split("=", 1) for line in done.stdout.splitlines())


@pytest.fixture
def reader(manifest_lookup: Path, tmp_path: Path) -> Reader:
    return Reader(manifest_lookup, tmp_path)


def _encoded(text: str) -> str:
    return quote(text.encode("utf-8", "surrogateescape"), safe="/:@+=,")


def _expected(content: NodeManifest, node: str, model: ModelLine | None) -> Mapping[str, str]:
    name = content.nodes[node]
    one = next((c for c in content.classes if c.name == name), None)
    found = {"RUN_ID": content.run_id, "RUN_DIR": content.run_dir} if content.run_id else {}
    found |= {
        "NODE_CLASS": name,
        "GPU_TYPE": one.gpu_type if one else "",
        "GPU_COUNT": str(one.gpu_count if one else 0),
        "GPU_MEMORY_MIB": str(one.gpu_memory_mib if one else 0),
    }
    if model is not None:
        place = model.place
        found |= {
            "MODEL": model.model,
            "VARIANT": place.variant,
            "MODEL_REPO": place.repo_id,
            "MODEL_REVISION": place.revision,
            "QUANTIZATION": place.quantization,
            "MODEL_PATH": place.path,
            "TENSOR_PARALLEL_SIZE": str(place.tensor_parallel_size),
            "MAX_MODEL_LEN": str(place.max_model_len),
            "FILES": str(model.files),
            "BYTES": str(model.total_bytes),
        }
    return {key: _encoded(value) for key, value in found.items()}


@_FEW
@given(content=_manifests())
def test_reader_finds_what_the_writer_has_written(reader: Reader, content: NodeManifest) -> None:
    text = node_manifest_text(content)
    if text is None:
        return
    data = text.encode("ascii")
    assert is_manifest(data)
    assert reader.read(data, "no such node", "")[0] == 1
    for node, name in content.nodes.items():
        assert reader.read(data, node, "") == (0, _expected(content, node, None))
        for model in content.models:
            if model.node_class == name:
                expected = _expected(content, node, model)
                assert reader.read(data, node, model.key) == (0, expected)
        assert reader.read(data, node, "no such key")[0] == 1


@_FEW
@given(content=_manifests(), seed=st.integers(0, 2**32))
def test_damaged_file_is_refused_exactly_if_the_grammar_says_so(
    reader: Reader, content: NodeManifest, seed: int
) -> None:
    text = node_manifest_text(content)
    if text is None:
        return
    for data in _damaged(text.encode("ascii"), random.Random(seed)):
        code, _ = reader.read(data, "n", "k")
        assert (code == 2) == (not is_manifest(data)), data


def _damaged(data: bytes, dice: random.Random) -> list[bytes]:
    at, other = dice.randrange(len(data)), dice.randrange(len(data))
    lines = data.splitlines(keepends=True)
    line = dice.randrange(len(lines))
    byte = dice.choice(b"\t\n\x00%/.A0 \xff")
    return [
        data[:at],
        data + data[at:],
        data[:at] + bytes([byte]) + data[at:],
        data[:at] + bytes([byte]) + data[at + 1 :],
        data[:at] + data[at + 1 :],
        data[: min(at, other)] + data[max(at, other) :],
        b"".join(lines[:line] + lines[line + 1 :]),
        b"".join(lines[: line + 1] + lines[line:]),
        b"".join(sorted(lines)),
        b"".join(reversed(lines)),
        data.replace(b"%", b"%0", 1),
        data.replace(b"end\t", b"end\t0", 1),
    ]


@_FEW
@given(data=st.binary(max_size=300))
@example(data=b"")
@example(data=b"cfslurm-node-manifest\t1\nend\t0\n")
@example(data=b"cfslurm-node-manifest\t2\nend\t0\n")
@example(data=b"cfslurm-node-manifest\t1\nend\t0")
def test_any_bytes_are_read_or_refused(reader: Reader, data: bytes) -> None:
    code, _ = reader.read(data, "n", "k")
    assert (code == 2) == (not is_manifest(data))


def test_file_at_the_limit_is_read_and_one_beyond_it_is_not(reader: Reader) -> None:
    nodes = b"".join(b"node\tn%06d\tc\n" % number for number in range(199_998))
    full = b"cfslurm-node-manifest\t1\n" + nodes + b"end\t199998\n"
    assert is_manifest(full)
    assert reader.read(full, "n199997", "")[0] == 0
    more = b"cfslurm-node-manifest\t1\n" + nodes + b"node\tz\tc\nend\t199999\n"
    assert reader.read(more, "z", "")[0] == 2
    wide = b"node\t%s\t%s\n" % (b"n" * 255, b"c" * 255)
    big = b"cfslurm-node-manifest\t1\n" + wide * (8 * 1024 * 1024 // len(wide) + 1)
    assert reader.read(big, "n", "")[0] == 2
