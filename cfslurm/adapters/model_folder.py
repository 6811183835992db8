"""A published variant: the name of its folder, its manifest, and whether it may be trusted."""

from __future__ import annotations

import json
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from cfslurm.core.documents import Json
from cfslurm.core.models.files import MANIFEST, unsafe
from cfslurm.core.models.variants import ModelFile, Variant
from cfslurm.errors import CacheError

SCHEMA = "cfslurm.variant/1"
_LARGEST_MANIFEST_BYTES = 16 << 20
_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}")
_LABEL = re.compile(r"[\w.-]{0,60}")
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What a manifest says besides its files: where they came from, by whom, when (UTC, ISO 8601)."""

    endpoint: str
    published_by: str
    published_at: str


def folder_name(variant: Variant) -> str:
    """The folder of a variant below ``store``.

    Shape: ``ORG--NAME/COMMIT`` for a whole repository, ``ORG--NAME/COMMIT--LABEL`` for one
        quantization of a GGUF repository.

    Raises:
        CacheError: a name that no Hub gives and no folder may have.
    """
    org, _, name = variant.repo_id.partition("/")
    names_are_right = all(_NAME.fullmatch(part) and "--" not in part for part in (org, name))
    revision_is_right = _COMMIT.fullmatch(variant.revision) and _LABEL.fullmatch(variant.label)
    reasons = {file.path: unsafe(file.path) for file in variant.files}
    wrong = [f"{path!r}: {reason}" for path, reason in reasons.items() if reason]
    if not names_are_right or not revision_is_right or wrong or len(reasons) < len(variant.files):
        raise CacheError(
            f"{variant.id[:200]} cannot have a folder: {wrong[0][:200] if wrong else 'its name'}",
            remedy="Run `cfslurm plan` again, so that the variant is looked up anew.",
        )
    label = f"--{variant.label}" if variant.label else ""
    return f"{org}--{name}/{variant.revision}{label}"


def manifest(variant: Variant, published: Published) -> dict[str, Json]:
    """The content of ``cfslurm.lock.json``."""
    return {
        "schema": SCHEMA,
        "repo_id": variant.repo_id,
        "revision": variant.revision,
        "quantization": variant.quantization,
        "licence": variant.licence,
        "endpoint": published.endpoint,
        "published_by": published.published_by,
        "published_at": published.published_at,
        "files": [_entry(file) for file in variant.files],
    }


def _entry(file: ModelFile) -> Json:
    return {
        "path": file.path,
        "size_bytes": file.size_bytes,
        "sha256": file.sha256,
        "git_sha1": file.git_sha1,
    }


class UntrustedError(Exception):
    """Why a folder is not taken; never leaves the adapters."""


def examine(root: Path, variant: Variant) -> Path:
    """The folder of a published, complete and trustworthy variant below a store's root.

    Owners that are trusted: root, the owner of the store's root, this user. Nobody else may have
    been able to write. Sizes are compared, contents are not read: that was done before publishing.

    Raises:
        UntrustedError: it is not there, or not to be used.
    """
    try:
        trusted = frozenset({0, os.geteuid(), root.stat().st_uid})
        folder = root / "store"
        check_shared(folder, trusted)
        repository, name = folder_name(variant).split("/")
        check_shared(folder / repository, trusted)
        folder = folder / repository / name
        check_entry(folder, trusted, kind=stat.S_IFDIR)
        check_entry(folder / MANIFEST, trusted, kind=stat.S_IFREG)
        _compare(read_manifest(folder / MANIFEST), variant)
        for file in variant.files:
            for parent in reversed(PurePosixPath(file.path).parents[:-1]):
                check_entry(folder / parent, trusted, kind=stat.S_IFDIR)
            size = check_entry(folder / file.path, trusted, kind=stat.S_IFREG)
            if size != file.size_bytes:
                raise UntrustedError(f"{file.path} has {size} bytes instead of {file.size_bytes}")
    except FileNotFoundError as error:
        raise UntrustedError(f"{error.filename} is not there") from error
    except OSError as error:
        raise UntrustedError(f"{error.filename} cannot be read: {error.strerror}") from error
    except CacheError as error:
        raise UntrustedError(error.message) from error
    return folder


def check_entry(path: Path, trusted: frozenset[int], *, kind: int) -> int:
    """The size of a file or folder that nobody but a trusted owner can have changed.

    Raises:
        UntrustedError: somebody else can.
        OSError: it cannot be looked at.
    """
    found = path.lstat()
    _check_owner(path, found, trusted, kind)
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise UntrustedError(f"{path} can be written by others")
    return found.st_size


def check_shared(path: Path, trusted: frozenset[int]) -> None:
    """A folder above the variants: its group may add some; what stands there is checked by itself.

    Raises:
        UntrustedError: everybody may write there, or it belongs to a stranger.
        OSError: it cannot be looked at.
    """
    found = path.lstat()
    _check_owner(path, found, trusted, stat.S_IFDIR)
    if found.st_mode & stat.S_IWOTH and not found.st_mode & stat.S_ISVTX:
        raise UntrustedError(f"{path} can be written by everybody")


def _check_owner(path: Path, found: os.stat_result, trusted: frozenset[int], kind: int) -> None:
    if stat.S_IFMT(found.st_mode) != kind:
        raise UntrustedError(f"{path} is a link or something else that was never published")
    if found.st_uid not in trusted:
        raise UntrustedError(f"{path} belongs to user {found.st_uid}, who does not own this cache")


def read_manifest(path: Path) -> Json:
    """The content of a manifest.

    Raises:
        UntrustedError: it is no JSON.
        OSError: it cannot be read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        data = file.read(_LARGEST_MANIFEST_BYTES)
    try:
        content: Json = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise UntrustedError(f"{path} is damaged") from error
    return content


def _compare(content: Json, variant: Variant) -> None:
    """A manifest of this variant lists its files with the very hashes that the Hub gives."""
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        raise UntrustedError(f"{MANIFEST} is of another kind")
    if (content.get("repo_id"), content.get("revision")) != (variant.repo_id, variant.revision):
        raise UntrustedError(f"{MANIFEST} speaks of another model")
    listed = content.get("files")
    by_path = {
        str(entry.get("path")): entry
        for entry in (listed if isinstance(listed, list) else [])
        if isinstance(entry, dict)
    }
    for file in variant.files:
        if by_path.get(file.path) != _entry(file):
            raise UntrustedError(f"{MANIFEST} does not list {file.path} as the Hub does")
