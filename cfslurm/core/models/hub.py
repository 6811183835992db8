"""What a Hub says of repositories, before it becomes a catalogue."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RepoRecord:
    """A model repository at a commit.

    ``relation`` is how it says it came from its base models: ``quantized``, ``finetune`` …, or "";
    ``bases`` are those that it names.
    """

    repo_id: str
    revision: str
    is_gated: bool
    is_private: bool
    licence: str
    relation: str
    downloads: int
    bases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HubSearch:
    """What a list of repositories is asked for; an empty field asks for nothing.

    ``quantized_from`` is the model that they name as the base they are quantized from; ``author``
    an organization or user; ``text`` a part of the name.
    """

    quantized_from: str = ""
    author: str = ""
    text: str = ""

    @property
    def words(self) -> str:
        """The question in words, for errors."""
        if self.quantized_from:
            return self.quantized_from
        return f"{self.text!r} of {self.author}" if self.author else repr(self.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Security:
    """What a Hub's scanners say: ``status`` as in `Variant.security`, and the files they name."""

    status: str = ""
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRecord:
    """A file of a repository at a commit; one of the hashes is empty."""

    path: str
    size_bytes: int
    sha256: str
    git_sha1: str
