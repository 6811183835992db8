"""Remembers what a Hub said.

What is said of a commit never changes and is kept for good: listings of files, small files, headers of
weights. What a branch points to, who names whom as base, and what scanners say change slowly and are
kept for about a day. Kept are answers, never refusals; the token is no part of them.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from cfslurm.adapters.files import read_json, write_atomic
from cfslurm.core.documents import Json, to_json
from cfslurm.core.models.headers import WeightsHeader
from cfslurm.core.models.hub import FileRecord, HubSearch, RepoRecord, Security
from cfslurm.core.models.refusal import Refusal
from cfslurm.core.models.variants import ModelFile, Variant
from cfslurm.ports import Clock, Hub

_SCHEMA = "cfslurm.hub_answer/2"
# Files in a home folder are counted on many clusters; one model makes some hundreds.
_MOST_ANSWERS = 20_000
_COMMIT = re.compile(r"[0-9a-f]{40}")
Answer = TypeVar("Answer")


class CachedHub:
    """A Hub that is asked once. The folder is the user's own: it also knows of private models.

    What changes is asked again after ``lists_live_s``; 0 asks for it every time. Of more than 20,000
    answers the older half goes. A cache that cannot be read or written costs time and nothing else.
    """

    def __init__(self, hub: Hub, folder: Path, *, clock: Clock, lists_live_s: float) -> None:
        self._hub = hub
        self._folder = folder
        self._clock = clock
        self._lists_live_s = lists_live_s
        self._is_swept = False
        self.endpoint = hub.endpoint

    def ping(self) -> None:
        """Ask for next to nothing; always asked."""
        self._hub.ping()

    def repository(self, repo_id: str, revision: str) -> RepoRecord:
        """A repository and the commit behind a branch, tag or commit."""
        return self._kept_a_while(
            RepoRecord,
            ("repository", repo_id, revision),
            lambda: self._hub.repository(repo_id, revision),
        )

    def search(self, query: HubSearch, *, limit: int) -> tuple[RepoRecord, ...]:
        """Repositories of a kind, most downloaded first; never more than ``limit``."""
        return self._kept_a_while(
            tuple[RepoRecord, ...],
            ("search", query.quantized_from, query.author, query.text, str(limit)),
            lambda: self._hub.search(query, limit=limit),
        )

    def security(self, repo_id: str, revision: str) -> Security:
        """What the Hub's scanners say of a repository."""
        return self._kept_a_while(
            Security,
            ("security", repo_id, revision),
            lambda: self._hub.security(repo_id, revision),
        )

    def files(self, repo_id: str, revision: str) -> tuple[FileRecord, ...]:
        """All files at a commit, with sizes and hashes, in one listing."""
        return self._kept_for_good(
            tuple[FileRecord, ...],
            ("files", repo_id, revision),
            lambda: self._hub.files(repo_id, revision),
        )

    def read_json(self, repo_id: str, revision: str, path: str) -> Json:
        """The content of a small JSON file."""
        return self._kept_for_good(
            None,
            ("json", repo_id, revision, path),
            lambda: self._hub.read_json(repo_id, revision, path),
        )

    def read_text(self, repo_id: str, revision: str, path: str) -> str:
        """The content of a small text file."""
        return self._kept_for_good(
            str,
            ("text", repo_id, revision, path),
            lambda: self._hub.read_text(repo_id, revision, path),
        )

    def weights_header(
        self, repo_id: str, revision: str, file: FileRecord
    ) -> WeightsHeader | Refusal:
        """The header of a safetensors or GGUF file, without its data."""
        return self._kept_for_good(
            WeightsHeader | Refusal,
            ("header", repo_id, revision, file.path, str(file.size_bytes)),
            lambda: self._hub.weights_header(repo_id, revision, file),
        )

    def download(
        self, variant: Variant, file: ModelFile, into: Path, *, progress: Callable[[int], None]
    ) -> Path:
        """Fetch one file of a variant into a folder; nothing is remembered."""
        return self._hub.download(variant, file, into, progress=progress)

    def _kept_for_good(self, kind: Any, key: tuple[str, ...], ask: Callable[[], Answer]) -> Answer:
        """What was said of a commit; of a branch it is asked every time. ``key`` has it third."""
        if not _COMMIT.fullmatch(key[2]):
            return ask()
        return self._kept(kind, key, ask, live_s=float("inf"))

    def _kept_a_while(self, kind: Any, key: tuple[str, ...], ask: Callable[[], Answer]) -> Answer:
        """What may be another tomorrow."""
        return self._kept(kind, key, ask, live_s=self._lists_live_s)

    def _kept(
        self, kind: Any, key: tuple[str, ...], ask: Callable[[], Answer], *, live_s: float
    ) -> Answer:
        """The answer that is remembered, if it is whole and not too old; else a new one."""
        asked: list[Json] = [self.endpoint, *key]
        name = hashlib.sha256(json.dumps(asked).encode()).hexdigest()
        path = self._folder / f"{name}.json"
        found = self._read(path, asked, live_s)
        with contextlib.suppress(ValueError):  # pydantic's error is one
            if found is not None:
                answer: Answer = _as(kind, found[0])
                return answer
        answer = ask()
        self._write(path, asked, to_json(answer))
        return answer

    def _read(self, path: Path, asked: Json, live_s: float) -> tuple[Json] | None:
        with contextlib.suppress(OSError, ValueError, RecursionError):
            match read_json(path):
                case {
                    "schema": schema,
                    "asked": same,
                    "at": int(at) | float(at),
                    "answer": answer,
                } if schema == _SCHEMA and same == asked and 0 <= self._clock.now() - at < live_s:
                    return (answer,)
        return None

    def _write(self, path: Path, asked: Json, answer: Json) -> None:
        content = {"schema": _SCHEMA, "asked": asked, "at": self._clock.now(), "answer": answer}
        with contextlib.suppress(OSError):
            if not self._folder.is_dir():
                self._folder.mkdir(parents=True, mode=0o700)
                self._folder.chmod(0o700)
            if not self._is_swept:
                self._is_swept = True
                _sweep(self._folder)
            write_atomic(path, json.dumps(content).encode(), mode=0o600)


def _sweep(folder: Path) -> None:
    """Remove the older half of the answers where there are too many.

    Raises:
        OSError: they cannot be listed.
    """
    found = list(folder.iterdir())
    if len(found) > _MOST_ANSWERS:
        for path in sorted(found, key=_written_at)[: len(found) // 2]:
            with contextlib.suppress(OSError):
                path.unlink()


def _written_at(path: Path) -> float:
    with contextlib.suppress(OSError):
        return path.stat().st_mtime
    return 0.0


def _as(kind: Any, answer: Json) -> Any:
    """An answer as it was given.

    Raises:
        ValueError: something else stands there.
    """
    if kind is None:
        return answer
    from cfslurm.adapters.validated import adapter  # heavy

    return adapter(kind).validate_json(json.dumps(answer))
