"""What a Hub says of repositories, before it becomes a catalogue."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RepoRecord:
    """A model repository at a commit.

    ``relation`` is how it says it came from its base model: ``quantized``, ``finetune`` …, or "".
    """

    repo_id: str
    revision: str
    is_gated: bool
    is_private: bool
    licence: str
    relation: str
    downloads: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRecord:
    """A file of a repository at a commit; one of the hashes is empty."""

    path: str
    size_bytes: int
    sha256: str
    git_sha1: str
