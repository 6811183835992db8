"""What the Hub's API says of repositories, as JSON data.

Source: huggingface_hub's parsing code, 1.22 to 2.4; hub-docs; huggingface.js.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Set
from typing import Any

from tests.hub.content import Repository, StoredFile

_DATE = "2026-01-01T00:00:00.000Z"
_LISTED = ("_id", "id", "modelId", "likes", "private", "downloads", "tags", "createdAt")


def model_info(repository: Repository, query: Mapping[str, list[str]]) -> dict[str, Any]:
    """``/api/models/{id}``: everything, or with ``expand`` only what was asked for."""
    known = _everything(repository)
    if wanted := query.get("expand", []):
        return {
            key: known[key]
            for key in ("_id", "id", *wanted)
            if key in known and known[key] is not None
        }
    known.pop("baseModels")
    if query.get("securityStatus"):
        known["securityRepoStatus"] = _security(repository)
    if query.get("blobs"):
        known["siblings"] = [_blob(file) for file in repository.files.values()]
    return {key: value for key, value in known.items() if value is not None}


def listed_model(repository: Repository, query: Mapping[str, list[str]]) -> dict[str, Any]:
    """One element of ``/api/models``."""
    if query.get("expand"):
        return model_info(repository, query)
    known = _everything(repository)
    keys = [*_LISTED, *(("sha", "gated", "siblings") if query.get("full") else ())]
    return {key: known[key] for key in keys}


def _everything(repository: Repository) -> dict[str, Any]:
    bases = repository.card.get("base_model")
    return {
        "_id": hashlib.md5(repository.id.encode()).hexdigest()[:24],
        "id": repository.id,
        "modelId": repository.id,
        "author": repository.id.partition("/")[0],
        "sha": repository.commit,
        "lastModified": _DATE,
        "createdAt": _DATE,
        "private": repository.is_private,
        "gated": repository.gated,
        "disabled": False,
        "downloads": repository.settings.get("downloads", 0),
        "likes": 0,
        "tags": repository.tags,
        "pipeline_tag": repository.card.get("pipeline_tag"),
        "cardData": dict(repository.card),
        "siblings": [{"rfilename": path} for path in repository.files],
        "baseModels": {
            "relation": repository.card.get("base_model_relation"),
            "models": [{"_id": "0" * 24, "id": bases}],
        }
        if bases
        else None,
    }


def is_listed(repository: Repository, *, tags: Set[str], author: str, search: str) -> bool:
    """True if a repository is in the list of those with some tags, by somebody, with some name."""
    by, _, name = repository.id.partition("/")
    return tags <= set(repository.tags) and author in {"", by} and search.lower() in name.lower()


def _security(repository: Repository) -> dict[str, Any] | None:
    """What the scanners say, as the settings tell it; nothing on a Hub without scanners."""
    told = repository.settings.get("security")
    if told is None:
        return None
    return {
        "scansDone": told.get("scansDone", True),
        "filesWithIssues": told.get("filesWithIssues", []),
    }


def _blob(file: StoredFile) -> dict[str, Any]:
    blob: dict[str, Any] = {"rfilename": file.path, "blobId": file.oid, "size": file.size}
    if file.sha256:
        blob["lfs"] = {
            "sha256": file.sha256,
            "size": file.size,
            "pointerSize": file.pointer_size,
        }
    return blob


def tree_entry(file: StoredFile) -> dict[str, Any]:
    """A file in ``/tree`` and ``/paths-info``; the field of the hash is not that of ``siblings``."""
    entry: dict[str, Any] = {
        "type": "file",
        "oid": file.oid,
        "size": file.size,
        "path": file.path,
    }
    if file.sha256:
        entry["lfs"] = {"oid": file.sha256, "size": file.size, "pointerSize": file.pointer_size}
    return entry


def tree(files: Iterable[StoredFile], below: str, *, recursive: bool) -> list[dict[str, Any]]:
    """Files and folders below a path, each folder before what lies in it."""
    entries: dict[str, dict[str, Any]] = {}
    prefix = f"{below}/" if below else ""
    for file in files:
        if not file.path.startswith(prefix):
            continue
        parts = file.path.removeprefix(prefix).split("/")
        depth = len(parts) if recursive else 1
        for end in range(1, min(depth, len(parts) - 1) + 1):
            folder = prefix + "/".join(parts[:end])
            oid = hashlib.sha1(folder.encode()).hexdigest()
            entries[folder] = {"type": "directory", "oid": oid, "size": 0, "path": folder}
        if recursive or len(parts) == 1:
            entries[file.path] = tree_entry(file)
    return list(entries.values())


def refs(repository: Repository) -> dict[str, Any]:
    """``/refs``: one branch."""
    main = {"name": "main", "ref": "refs/heads/main", "targetCommit": repository.commit}
    return {"branches": [main], "converts": [], "tags": []}


WHOAMI = {
    "type": "user",
    "name": "tester",
    "orgs": [],
    "auth": {"type": "access_token", "accessToken": {"displayName": "t", "role": "read"}},
}
