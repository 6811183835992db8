"""Which files of a repository are taken, and which names are refused."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cfslurm.core.documents import Json
from cfslurm.core.models.files import INDEX, model_files, safetensors_files, unsafe
from cfslurm.core.models.hub import FileRecord
from cfslurm.core.models.refusal import Refusal

SHARDS = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
WEIGHT_MAP: Json = {"weight_map": {"a": SHARDS[0], "b": SHARDS[1], "c": SHARDS[1]}}


def record(path: str, size_bytes: int = 10) -> FileRecord:
    return FileRecord(path=path, size_bytes=size_bytes, sha256="a" * 64, git_sha1="")


def taken(paths: list[str], index: Json = None) -> list[str]:
    found = safetensors_files([record(path) for path in paths], index)
    assert not isinstance(found, Refusal), found
    return [f"{file.path}*" if file.is_weights else file.path for file in found]


def reason(paths: list[str], index: Json = None) -> str:
    found = safetensors_files([record(path) for path in paths], index)
    assert isinstance(found, Refusal)
    return found.reason


def test_the_index_names_the_weights() -> None:
    paths = [INDEX, *SHARDS, "consolidated.safetensors", "model-extra.safetensors"]
    assert taken(paths, WEIGHT_MAP) == [f"{SHARDS[0]}*", f"{SHARDS[1]}*", INDEX]


def test_a_single_file_is_taken_alone() -> None:
    assert taken(["model.safetensors", "other.safetensors"]) == ["model.safetensors*"]


def test_without_index_all_at_the_top_are_taken() -> None:
    paths = ["a.safetensors", "b.safetensors", "consolidated.safetensors", "vae/c.safetensors"]
    assert taken(paths) == ["a.safetensors*", "b.safetensors*"]


def test_companions_come_along_and_nothing_else() -> None:
    companions = [
        "chat_template.jinja", "config.json", "generation_config.json", "hf_quant_config.json",
        "merges.txt", "preprocessor_config.json", "special_tokens_map.json", "tekken.json",
        "tokenizer.json", "tokenizer.model", "tokenizer_config.json", "vocab.json",
    ]  # fmt: skip
    others = [
        ".gitattributes", "LICENSE", "README.md", "flax_model.msgpack", "model.onnx", "modeling_x.py",
        "onnx/config.json", "original/params.json", "pytorch_model.bin", "training_args.bin",
    ]  # fmt: skip
    found = taken([*companions, *others, "model.safetensors"])
    assert found == sorted([*companions, "model.safetensors*"])


def test_missing_shard_is_refused() -> None:
    assert "lacks" in reason([INDEX, SHARDS[0]], WEIGHT_MAP)


@pytest.mark.parametrize(
    "index",
    [
        None,
        [],
        {"weight_map": {}},
        {"weight_map": []},
        {"weight_map": {"a": 3}},
        {"weight_map": {"a": "../../etc/passwd"}},
        {"weight_map": {"a": "pytorch_model.bin"}},
    ],
)
def test_an_index_that_names_no_weights_is_refused(index: Json) -> None:
    assert INDEX in reason([INDEX, *SHARDS, "pytorch_model.bin"], index)


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["pytorch_model.bin"], "only as pickles"),
        (["consolidated.safetensors", "params.json"], "only as consolidated"),
        (["adapter_model.safetensors"], "an adapter"),
        (["README.md"], "no weights"),
        ([], "no weights"),
    ],
)
def test_without_usable_weights(paths: list[str], expected: str) -> None:
    assert expected in reason(paths)


@pytest.mark.parametrize("sha256", ["", "A" * 64, "a" * 63])
def test_a_file_without_a_hash_is_refused(sha256: str) -> None:
    file = FileRecord(path="model.safetensors", size_bytes=1, sha256=sha256, git_sha1="")
    found = model_files([file], weights=[])
    assert isinstance(found, Refusal)
    assert "no hash" in found.reason


@pytest.mark.parametrize(
    "path",
    [
        "", "/etc/passwd", "../x", "a/../../x", "a//b", "./a", "a/", "a\\b", "a\0b", "a\nb", "a\x1b[2Jb",
        "\u202egnp.json", "\ud800", "x" * 300, "cfslurm.lock.json", ".cache/x",
    ],
)  # fmt: skip
def test_names_that_may_not_become_paths(path: str) -> None:
    assert unsafe(path)
    assert isinstance(model_files([record(path)], weights=[]), Refusal)


@pytest.mark.parametrize(
    "path", ["model.safetensors", "BF16/x-00001-of-00002.gguf", "ü.json", "a b"]
)
def test_names_that_may(path: str) -> None:
    assert unsafe(path) == ""


@given(path=st.text(alphabet=st.sampled_from("ab./\\\0\n~é\ud800"), max_size=12))
def test_a_safe_name_stays_in_its_folder(path: str) -> None:
    if not unsafe(path):
        parts = PurePosixPath(path).parts
        assert "/".join(parts) == path
        assert ".." not in parts
        assert path.encode()


@given(
    paths=st.lists(st.sampled_from([INDEX, *SHARDS, "model.safetensors", "x.bin", "a/b"])),
    index=st.recursive(
        st.none() | st.text(max_size=4) | st.integers(),
        lambda inner: st.dictionaries(st.sampled_from(["weight_map", "a"]), inner),
    ),
)
def test_no_repository_breaks_the_selection(paths: list[str], index: Json) -> None:
    found = safetensors_files([record(path) for path in paths], index)
    if not isinstance(found, Refusal):
        assert any(file.is_weights for file in found)
