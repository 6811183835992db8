"""What lies in a model cache, from its folders and manifests alone."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from cfslurm.adapters.model_folder import (
    SCHEMA,
    UntrustedError,
    check_entry,
    check_shared,
    read_manifest,
)
from cfslurm.core.documents import Json
from cfslurm.core.models.cached import CachedVariant
from cfslurm.core.models.files import MANIFEST, unsafe

_MOST_FOLDERS = 20_000


def cached_variants(root: Path) -> tuple[CachedVariant, ...]:
    """The published variants below a cache's root, by name; none where there is no such cache.

    Sizes of files are compared with the manifest, contents are not read. What nobody may trust or
    read is listed with its problem.
    """
    found = []
    for folder in _folders(root):
        found.append(_variant(root, folder))
        if len(found) == _MOST_FOLDERS:
            break
    return tuple(sorted(found, key=lambda variant: (variant.id.lower(), variant.folder)))


def _folders(root: Path) -> Iterator[Path]:
    for repository in _sorted(root / "store"):
        yield from _sorted(repository)


def _sorted(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.is_dir())
    except OSError:
        return []


def _variant(root: Path, folder: Path) -> CachedVariant:
    problem, content = "", None
    try:
        trusted = frozenset({0, os.geteuid(), root.stat().st_uid})
        check_shared(root / "store", trusted)
        check_shared(folder.parent, trusted)
        check_entry(folder, trusted, kind=stat.S_IFDIR)
        check_entry(folder / MANIFEST, trusted, kind=stat.S_IFREG)
        content = read_manifest(folder / MANIFEST)
        _check_files(folder, content, trusted)
    except UntrustedError as reason:
        problem = str(reason)
    except OSError as error:
        problem = f"{error.filename} cannot be read: {error.strerror}"
    told = content if isinstance(content, dict) else {}
    commit, _, label = folder.name.partition("--")
    return CachedVariant(
        cache=str(root),
        folder=str(folder),
        repo_id=_text(told, "repo_id") or folder.parent.name.replace("--", "/", 1),
        revision=_text(told, "revision") or commit,
        quantization=_text(told, "quantization") or (f"gguf:{label}" if label else ""),
        licence=_text(told, "licence"),
        total_bytes=sum(size for _, size in _files(told)),
        published_by=_text(told, "published_by"),
        published_at=_text(told, "published_at"),
        problem=problem,
    )


def _check_files(folder: Path, content: Json, trusted: frozenset[int]) -> None:
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        raise UntrustedError(f"{MANIFEST} is of another kind")
    files = _files(content)
    if not files:
        raise UntrustedError(f"{MANIFEST} lists no files")
    for path, expected in files:
        if unsafe(path):
            raise UntrustedError(f"{MANIFEST} names a file that leaves its folder")
        size = check_entry(folder / path, trusted, kind=stat.S_IFREG)
        if size != expected:
            raise UntrustedError(f"{path} has {size} bytes instead of {expected}")


def _files(content: dict[str, Json]) -> list[tuple[str, int]]:
    listed = content.get("files")
    found = []
    for entry in listed if isinstance(listed, list) else []:
        match entry:
            case {"path": str(path), "size_bytes": int(size)} if not isinstance(size, bool):
                found.append((path, size))
            case _:
                return []
    return found


def _text(content: dict[str, Json], key: str) -> str:
    value = content.get(key)
    return value if isinstance(value, str) else ""
