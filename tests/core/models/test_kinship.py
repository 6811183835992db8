"""Names that quantizers give, and what they tell."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cfslurm.core.models.hub import RepoRecord
from cfslurm.core.models.kinship import is_kin, plain_name

BASE = RepoRecord(
    repo_id="Qwen/Qwen3-8B",
    revision="1" * 40,
    is_gated=False,
    is_private=False,
    licence="",
    relation="",
    downloads=0,
)
NAMES = ("Qwen/Qwen3-8B", "Qwen/Qwen3-8B-Preview")


@pytest.mark.parametrize(
    ("repo_id", "name"),
    [
        ("RedHatAI/Qwen3-8B-FP8-dynamic", "qwen3-8b"),
        ("Qwen/Qwen3-8B-AWQ", "qwen3-8b"),
        ("Qwen/Qwen3-8B-GPTQ-Int4", "qwen3-8b"),
        ("unsloth/Qwen3-8B-unsloth-bnb-4bit", "qwen3-8b"),
        ("x/Qwen3-8B-quantized.w4a16", "qwen3-8b-quantized.w4a16"),
        ("x/Qwen3-8B-w8a8", "qwen3-8b"),
        ("nvidia/Qwen3-8B-NVFP4", "qwen3-8b"),
        ("x/Qwen3-8B-Q4_K_M-GGUF", "qwen3-8b"),
        ("x/Qwen3-8B-Base", "qwen3-8b-base"),
        ("x/Qwen3-8B-Instruct-FP8", "qwen3-8b-instruct"),
        ("x/Qwen3-80B", "qwen3-80b"),
    ],
)
def test_plain_name(repo_id: str, name: str) -> None:
    assert plain_name(repo_id) == name


@pytest.mark.parametrize(
    ("repo_id", "bases", "kin"),
    [
        ("x/Qwen3-8B-FP8", (), True),
        ("x/Qwen3-8B-Base-FP8", (), False),
        ("x/whatever", ("Qwen/Qwen3-8B",), True),
        ("x/whatever", ("qwen/qwen3-8b-preview",), True),
        ("x/Qwen3-8B-FP8", ("Qwen/Qwen3-8B-Base",), False),
        ("x/merge", ("y/z", "Qwen/Qwen3-8B"), True),
        ("Qwen/Qwen3-8B", (), False),
    ],
)
def test_what_is_named_counts_more_than_what_it_is_called(
    repo_id: str, bases: tuple[str, ...], kin: bool
) -> None:
    record = replace(BASE, repo_id=repo_id, bases=bases)
    assert is_kin(record, BASE, NAMES) is kin
