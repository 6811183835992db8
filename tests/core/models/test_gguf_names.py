"""GGUF repositories: labels, split files, and what is no model."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cfslurm.core.models.gguf_names import gguf_groups, gguf_label, projectors
from cfslurm.core.models.hub import FileRecord


def records(*paths: str) -> list[FileRecord]:
    return [FileRecord(path=p, size_bytes=1, sha256="a" * 64, git_sha1="") for p in paths]


def labels(*paths: str) -> dict[str, list[str]]:
    groups, _ = gguf_groups(records(*paths))
    return {group.label: [file.path for file in group.files] for group in groups}


def reasons(*paths: str) -> dict[str, str]:
    _, refused = gguf_groups(records(*paths))
    return {label: refusal.reason for label, refusal in refused}


# Names of files on the Hub, and huggingface.js' own tests of its rule.
@pytest.mark.parametrize(
    ("path", "label"),
    [
        ("llama-2-7b-chat.Q2_K.gguf", "Q2_K"),
        ("gemma-2b-it-q4_k_m.gguf", "Q4_K_M"),
        ("Meta-Llama-3-8B-BF16.gguf", "BF16"),
        ("Llama-3-F16-IQ3_XXS.gguf", "IQ3_XXS"),
        ("Qwen3-30B-A3B-UD-Q4_K_XL.gguf", "UD-Q4_K_XL"),
        ("model-Q6_K_L.gguf", "Q6_K_L"),
        ("gpt-oss-20b-mxfp4.gguf", "MXFP4"),
        ("Q4_K_M/model-00001-of-00003.gguf", "Q4_K_M"),
        ("ggml-model.gguf", ""),
    ],
)
def test_label(path: str, label: str) -> None:
    assert gguf_label(path) == label


def test_one_group_for_each_quantization() -> None:
    assert labels("x-Q8_0.gguf", "x-Q4_K_M.gguf", "README.md") == {
        "Q4_K_M": ["x-Q4_K_M.gguf"],
        "Q8_0": ["x-Q8_0.gguf"],
    }


def test_parts_belong_together_in_their_order() -> None:
    parts = ["BF16/x-BF16-00002-of-00002.gguf", "BF16/x-BF16-00001-of-00002.gguf"]
    assert labels(*parts) == {"BF16": sorted(parts)}


@pytest.mark.parametrize(
    "parts",
    [
        ["x-Q8_0-00001-of-00002.gguf"],
        ["x-Q8_0-00002-of-00002.gguf"],
        ["x-Q8_0-00001-of-00003.gguf", "x-Q8_0-00003-of-00003.gguf"],
        ["x-Q8_0-00001-of-00002.gguf", "x-Q8_0-00002-of-00003.gguf"],
        ["x-Q8_0-00001-of-00002.gguf", "x-Q8_0-00002-of-00001.gguf"],
        ["x-Q8_0-00000-of-00001.gguf"],
    ],
)
def test_incomplete_parts_are_refused(parts: list[str]) -> None:
    assert labels(*parts) == {}
    assert "parts" in reasons(*parts)["Q8_0"]


@pytest.mark.parametrize(
    "path",
    [
        "mmproj-F16.gguf",
        "mmproj-model-f16.gguf",
        "x.imatrix.gguf",
        "imatrix_unsloth.gguf",
        "x-draft-Q4_0.gguf",
        "x-Q8_0-lora.gguf",
        "config.json",
    ],
)
def test_what_is_no_model_is_passed_over(path: str) -> None:
    assert labels(path) == {}
    assert reasons(path) == {}


def test_a_name_that_tells_nothing_leaves_it_to_the_header() -> None:
    groups, refused = gguf_groups(records("ggml-model.gguf"))
    assert [(group.label, len(group.files)) for group in groups] == [("", 1)]
    assert refused == ()


def test_projectors_are_told_apart() -> None:
    paths = ("x-Q8_0.gguf", "mmproj-F16.gguf", "sub/x-mmproj-BF16.gguf", "mmproj.md")
    assert projectors(records(*paths)) == ("mmproj-F16.gguf", "sub/x-mmproj-BF16.gguf")


@given(
    paths=st.lists(st.text(alphabet="x-_./QK4_0128of\0é", max_size=30).map(lambda s: s + ".gguf"))
)
def test_every_file_is_in_one_group_or_none(paths: list[str]) -> None:
    groups, _ = gguf_groups(records(*dict.fromkeys(paths)))
    grouped = [file.path for group in groups for file in group.files]
    assert len(grouped) == len(set(grouped))
