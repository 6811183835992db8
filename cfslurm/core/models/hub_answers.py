"""Read what a Hub's API answers.

Source: huggingface_hub's own readers (1.22 to 2.4) of ``/api/models`` and ``/tree``; hub-docs.
"""

from __future__ import annotations

from collections.abc import Iterator

from cfslurm.core.documents import Json
from cfslurm.core.models.hub import FileRecord, RepoRecord, Security

# Pass these as ``expand``: the answer then has them and nothing else.
RECORD_KEYS = ("sha", "gated", "private", "tags", "downloads")
_RELATIONS = ("quantized", "finetune", "adapter", "merge")


def read_repository(entry: Json) -> RepoRecord | None:
    """One repository; None if that is not what the answer is.

    ``revision`` is empty where the Hub names no commit.
    """
    if not isinstance(entry, dict) or not isinstance(entry.get("id"), str):
        return None
    tags = _strings(entry.get("tags"))
    return RepoRecord(
        repo_id=str(entry["id"]),
        revision=_text(entry.get("sha")),
        is_gated=bool(entry.get("gated")),  # false, "auto" or "manual"
        is_private=bool(entry.get("private")),
        licence=_after("license:", tags),
        relation=next((name for name in _RELATIONS if _after(f"base_model:{name}:", tags)), ""),
        downloads=_count(entry.get("downloads")) or 0,
        bases=tuple(_bases(tags)),
    )


def _bases(tags: list[str]) -> Iterator[str]:
    """The models in ``base_model:ORG/NAME``; ``base_model:RELATION:ORG/NAME`` says them once more."""
    for tag in tags:
        name = tag.removeprefix("base_model:")
        if name != tag and ":" not in name:
            yield name


def read_security(answer: Json) -> Security:
    """What the scanners of a Hub say of a repository; nothing where the answer has no word of it.

    Source: ``securityRepoStatus`` with ``scansDone`` and ``filesWithIssues``, as huggingface_hub
        passes it on; levels that are unknown here count as suspicious.
    """
    told = answer.get("securityRepoStatus") if isinstance(answer, dict) else None
    if not isinstance(told, dict):
        return Security()
    issues = told.get("filesWithIssues")
    named = (
        [issue for issue in issues if isinstance(issue, dict)] if isinstance(issues, list) else []
    )
    levels = {_text(issue.get("level")) for issue in named}
    files = tuple(sorted({_text(issue.get("path"))[:200] for issue in named} - {""}))
    if named:
        return Security(status="unsafe" if "unsafe" in levels else "suspicious", files=files)
    return Security(status="safe" if told.get("scansDone") is True else "unscanned")


def read_files(page: Json) -> tuple[FileRecord, ...] | None:
    """The files of one page of a tree, without its folders; None if it is no such page.

    An LFS file has the hash of its content under ``lfs.oid``; its own ``oid`` is that of a pointer.
    """
    if not isinstance(page, list):
        return None
    files = [_file(entry) for entry in page if not _is_folder(entry)]
    known = tuple(file for file in files if file is not None)
    return known if len(known) == len(files) else None


def _is_folder(entry: Json) -> bool:
    return isinstance(entry, dict) and entry.get("type") == "directory"


def _file(entry: Json) -> FileRecord | None:
    if not isinstance(entry, dict) or not isinstance(entry.get("path"), str):
        return None
    lfs = entry.get("lfs")
    size = _count(lfs.get("size") if isinstance(lfs, dict) else entry.get("size"))
    if size is None:
        return None
    return FileRecord(
        path=str(entry["path"]),
        size_bytes=size,
        sha256=_text(lfs.get("oid")) if isinstance(lfs, dict) else "",
        git_sha1="" if isinstance(lfs, dict) else _text(entry.get("oid")),
    )


def _text(value: Json) -> str:
    return value if isinstance(value, str) else ""


def _count(value: Json) -> int | None:
    is_count = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    return value if is_count and isinstance(value, int) else None


def _strings(value: Json) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _after(prefix: str, tags: list[str]) -> str:
    return next((tag.removeprefix(prefix) for tag in tags if tag.startswith(prefix)), "")
