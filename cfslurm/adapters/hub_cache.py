"""Remembers what a Hub said of a commit: that never changes.

Listings of files and small JSON files are kept for good, by endpoint, repository and commit. What a
branch points to and who names whom as base change every day: those are always asked.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path

from cfslurm.adapters.files import read_json, write_atomic
from cfslurm.core.documents import Json, to_json
from cfslurm.core.models.hub import FileRecord, RepoRecord
from cfslurm.core.models.variants import ModelFile, Variant
from cfslurm.ports import Hub

_SCHEMA = "cfslurm.hub_answer/1"
_COMMIT = re.compile(r"[0-9a-f]{40}")


class CachedHub:
    """A Hub that is asked once. The folder is the user's own: it also knows of private models.

    A cache that cannot be read or written costs time and nothing else.
    """

    def __init__(self, hub: Hub, folder: Path) -> None:
        self._hub = hub
        self._folder = folder
        self.endpoint = hub.endpoint

    def ping(self) -> None:
        """Ask for next to nothing; always asked."""
        self._hub.ping()

    def repository(self, repo_id: str, revision: str) -> RepoRecord:
        """A repository and the commit behind a branch, tag or commit; always asked."""
        return self._hub.repository(repo_id, revision)

    def quantized_children(self, repo_id: str, *, limit: int) -> tuple[RepoRecord, ...]:
        """Repositories that name this one as the base they are quantized from; always asked."""
        return self._hub.quantized_children(repo_id, limit=limit)

    def files(self, repo_id: str, revision: str) -> tuple[FileRecord, ...]:
        """All files at a commit, with sizes and hashes, in one listing."""
        answer = self._remembered(
            ("files", repo_id, revision), lambda: to_json(self._hub.files(repo_id, revision))
        )
        records = _records(answer)
        return self._hub.files(repo_id, revision) if records is None else records

    def read_json(self, repo_id: str, revision: str, path: str) -> Json:
        """The content of a small JSON file."""
        return self._remembered(
            ("json", repo_id, revision, path),
            lambda: self._hub.read_json(repo_id, revision, path),
        )

    def download(
        self, variant: Variant, file: ModelFile, into: Path, *, progress: Callable[[int], None]
    ) -> Path:
        """Fetch one file of a variant into a folder; nothing is remembered."""
        return self._hub.download(variant, file, into, progress=progress)

    def _remembered(self, key: tuple[str, ...], ask: Callable[[], Json]) -> Json:
        if not _COMMIT.fullmatch(key[2]):
            return ask()
        asked: list[Json] = [self.endpoint, *key]
        name = hashlib.sha256(json.dumps(asked).encode()).hexdigest()
        path = self._folder / f"{name}.json"
        with contextlib.suppress(OSError, ValueError, RecursionError):
            match read_json(path):
                case {"schema": schema, "asked": same, "answer": answer} if (
                    schema == _SCHEMA and same == asked
                ):
                    return answer
        answer = ask()
        text = json.dumps({"schema": _SCHEMA, "asked": asked, "answer": answer})
        with contextlib.suppress(OSError):
            if not self._folder.is_dir():
                self._folder.mkdir(parents=True, mode=0o700)
                self._folder.chmod(0o700)
            write_atomic(path, text.encode(), mode=0o600)
        return answer


def _records(answer: Json) -> tuple[FileRecord, ...] | None:
    """File records as this adapter writes them; None if something else stands there."""
    if not isinstance(answer, list):
        return None
    records = []
    for entry in answer:
        match entry:
            case {
                "path": str(path),
                "size_bytes": int(size),
                "sha256": str(sha256),
                "git_sha1": str(git_sha1),
            }:
                records.append(
                    FileRecord(path=path, size_bytes=size, sha256=sha256, git_sha1=git_sha1)
                )
            case _:
                return None
    return tuple(records)
