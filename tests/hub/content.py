"""Repositories on disk, as the server sees them: files, hashes, the model card, the Hub's settings.

A repository is a folder ROOT/ORG/NAME. What only the Hub knows (gated, private, downloads, an older
name, Xet hashes) stands in ``.hub.json``; tags come from the YAML head of README.md, as on the real Hub.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

SETTINGS = ".hub.json"
_HIDDEN = frozenset({SETTINGS, ".made.json"})
_LFS_SUFFIXES = (".safetensors", ".gguf", ".bin", ".pth", ".pt")
_LFS_FROM_BYTES = 10 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """A file of a repository; ``sha256`` is empty unless it is an LFS file.

    ``oid`` is git's blob hash: of the file, or of its pointer for an LFS file.
    """

    path: str
    absolute: Path
    size: int
    oid: str
    sha256: str
    pointer_size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """A repository at its one commit."""

    id: str
    files: Mapping[str, StoredFile]
    commit: str
    card: Mapping[str, Any]
    settings: Mapping[str, Any]

    @property
    def tags(self) -> list[str]:
        """Tags as the Hub derives them from the card."""
        tags = [f"license:{self.card['license']}"] if "license" in self.card else []
        bases = self.card.get("base_model", [])
        for base in [bases] if isinstance(bases, str) else bases:
            tags.append(f"base_model:{base}")
            if relation := self.card.get("base_model_relation"):
                tags.append(f"base_model:{relation}:{base}")
        return tags

    @property
    def is_private(self) -> bool:
        """Only who may read it knows that it exists."""
        return bool(self.settings.get("private"))

    @property
    def gated(self) -> str | bool:
        """``auto``, ``manual`` or False, as the Hub writes it."""
        return self.settings.get("gated") or False

    def revision(self, name: str) -> str | None:
        """The commit behind a branch or a commit hash; None if there is none."""
        return self.commit if name in {"main", "refs/heads/main", self.commit} else None


def read_all(root: Path) -> dict[str, Repository]:
    """All repositories below a root, by id."""
    ids = sorted(f"{path.parent.name}/{path.name}" for path in root.glob("*/*") if path.is_dir())
    return {repo_id: read_repository(root, repo_id) for repo_id in ids}


def read_repository(root: Path, repo_id: str) -> Repository:
    """Read one repository; hashes that its settings remember are taken for unchanged files."""
    folder = root / repo_id
    settings_file = folder / SETTINGS
    settings = json.loads(settings_file.read_text()) if settings_file.is_file() else {}
    remembered = settings.get("hashes", {})
    paths = sorted(path for path in folder.rglob("*") if path.is_file() or path.is_symlink())
    files = [
        _stored(path, str(path.relative_to(folder)), remembered)
        for path in paths
        if path.name not in _HIDDEN
    ]
    listing = json.dumps([repo_id, [(file.path, file.oid) for file in files]])
    return Repository(
        id=repo_id,
        files={file.path: file for file in files},
        commit=hashlib.sha1(listing.encode()).hexdigest(),
        card=_card(folder / "README.md"),
        settings=settings,
    )


def settings_text(settings: Mapping[str, Any], repository: Repository) -> str:
    """The settings with the hashes of all LFS files, so that the server need not read them again."""
    hashes = {
        file.path: [file.size, file.absolute.stat().st_mtime_ns, file.sha256]
        for file in repository.files.values()
        if file.sha256
    }
    return json.dumps({**settings, "hashes": hashes})


def _stored(path: Path, name: str, remembered: Mapping[str, Any]) -> StoredFile:
    stat = path.stat()
    if not name.endswith(_LFS_SUFFIXES) and stat.st_size <= _LFS_FROM_BYTES:
        data, sha256 = path.read_bytes(), ""
    else:
        size, mtime_ns, digest = remembered.get(name, (0, 0, ""))
        is_same = (size, mtime_ns) == (stat.st_size, stat.st_mtime_ns)
        sha256 = digest if is_same else _sha256(path)
        version = "version https://git-lfs.github.com/spec/v1"
        data = f"{version}\noid sha256:{sha256}\nsize {stat.st_size}\n".encode()
    return StoredFile(
        path=name,
        absolute=path,
        size=stat.st_size,
        oid=hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest(),
        sha256=sha256,
        pointer_size=len(data),
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _card(readme: Path) -> Mapping[str, Any]:
    if not readme.is_file():
        return {}
    _, *parts = readme.read_text(encoding="utf-8").split("---\n", 2)
    card = yaml.safe_load(parts[0]) if len(parts) == 2 else {}
    return card if isinstance(card, dict) else {}
