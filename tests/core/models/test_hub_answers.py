"""What the Hub's API answers, also when it answers strangely."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cfslurm.core.documents import Json
from cfslurm.core.models.hub import FileRecord, RepoRecord, Security
from cfslurm.core.models.hub_answers import read_files, read_repository, read_security

SHA = "0123456789012345678901234567890123456789"


def test_a_repository() -> None:
    entry: Json = {
        "_id": "x",
        "id": "quantco/tiny-AWQ",
        "sha": SHA,
        "gated": "manual",
        "private": False,
        "downloads": 7,
        "tags": ["license:mit", "base_model:acme/tiny", "base_model:quantized:acme/tiny", 3],
    }
    assert read_repository(entry) == RepoRecord(
        repo_id="quantco/tiny-AWQ",
        revision=SHA,
        is_gated=True,
        is_private=False,
        licence="mit",
        relation="quantized",
        downloads=7,
        bases=("acme/tiny",),
    )


def test_a_repository_without_a_commit_has_no_revision() -> None:
    record = read_repository({"id": "a/b"})
    assert record is not None
    assert record.revision == ""


def test_what_is_no_repository() -> None:
    assert read_repository("Please log in") is None
    assert read_repository({"error": "x"}) is None


def test_a_tree_has_the_hash_of_the_content_not_of_the_pointer() -> None:
    page: Json = [
        {"type": "directory", "path": "original", "oid": SHA, "size": 0},
        {"type": "file", "path": "config.json", "oid": SHA, "size": 5},
        {
            "type": "file",
            "path": "model.safetensors",
            "oid": SHA,
            "size": 9,
            "lfs": {"oid": "b" * 64, "size": 9, "pointerSize": 130},
        },
    ]
    assert read_files(page) == (
        FileRecord(path="config.json", size_bytes=5, sha256="", git_sha1=SHA),
        FileRecord(path="model.safetensors", size_bytes=9, sha256="b" * 64, git_sha1=""),
    )


def test_a_file_without_a_size_is_no_answer() -> None:
    for size in (None, -1, True, "5"):
        assert read_files([{"type": "file", "path": "x", "oid": SHA, "size": size}]) is None


ANSWERS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "sha", "tags", "path", "size", "lfs", "oid", "type", "gated"]),
            inner,
        )
    ),
)


@given(answer=ANSWERS)
def test_no_answer_breaks_the_readers(answer: Json) -> None:
    read_repository(answer)
    read_files(answer)
    read_security(answer)
    read_security({"securityRepoStatus": answer})


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (None, Security()),
        ("yes", Security()),
        ({"scansDone": False, "filesWithIssues": []}, Security(status="unscanned")),
        ({"scansDone": True, "filesWithIssues": []}, Security(status="safe")),
        ({"scansDone": True}, Security(status="safe")),
        ({}, Security(status="unscanned")),
        (
            {"scansDone": True, "filesWithIssues": [{"path": "a.bin", "level": "suspicious"}, 3]},
            Security(status="suspicious", files=("a.bin",)),
        ),
        (
            {
                "scansDone": False,
                "filesWithIssues": [{"path": "b", "level": "unsafe"}, {"path": "a", "level": "?"}],
            },
            Security(status="unsafe", files=("a", "b")),
        ),
    ],
)
def test_what_scanners_say(told: Json, expected: Security) -> None:
    assert read_security({"id": "a/b", "securityRepoStatus": told}) == expected
