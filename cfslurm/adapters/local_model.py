"""A model that lies in a folder: the same facts as the Hub gives of a repository."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from cfslurm.adapters.files import read_json
from cfslurm.adapters.weight_headers import read_header
from cfslurm.core.documents import Json
from cfslurm.core.models.candidates import Contents, headers_to_read
from cfslurm.core.models.discover import documents_to_read
from cfslurm.core.models.headers import WeightsHeader
from cfslurm.core.models.hub import FileRecord, RepoRecord
from cfslurm.core.models.refusal import Refusal
from cfslurm.errors import UserInputError

_MOST_HEADERS = 200
_MOST_FILES = 10_000
_LARGEST_JSON_BYTES = 64 << 20
# A file here is sized, not fetched: nothing will ever be compared with its hash.
_NO_HASH = "0" * 64


def read_folder(folder: Path) -> Contents:
    """What a folder with a model holds: files and sizes, JSON, headers of weights.

    Raises:
        UserInputError: it cannot be read, or holds no config.json and no GGUF file.
    """
    try:
        contents = _read(folder)
    except (OSError, ValueError, RecursionError) as error:
        raise UserInputError(
            f"{folder} cannot be read: {str(error)[:200]}",
            remedy="Name a folder with config.json and weights, or ORG/NAME on the Hub.",
        ) from error
    paths = [file.path for file in contents.files]
    if "config.json" not in paths and not any(path.endswith(".gguf") for path in paths):
        raise UserInputError(
            f"{folder} holds no model: no config.json, no GGUF file",
            remedy="Name a folder with config.json and weights, or ORG/NAME on the Hub.",
        )
    return contents


def _read(folder: Path) -> Contents:
    found = sorted(path for path in folder.iterdir() if path.is_file())[:_MOST_FILES]
    files = tuple(
        FileRecord(path=path.name, size_bytes=path.stat().st_size, sha256=_NO_HASH, git_sha1="")
        for path in found
    )
    documents: dict[str, Json] = {}
    for name in documents_to_read(files):
        path = folder / name
        if path.stat().st_size > _LARGEST_JSON_BYTES:
            raise ValueError(f"{name} is larger than {_LARGEST_JSON_BYTES >> 20} MiB")
        documents[name] = read_json(path)
    record = RepoRecord(
        repo_id=f"local/{folder.resolve().name}",
        revision="0" * 40,
        is_gated=False,
        is_private=False,
        licence="",
        relation="",
        downloads=0,
    )
    contents = Contents(record=record, files=files, documents=documents)
    headers: dict[str, WeightsHeader | Refusal] = {
        file.path: _header(folder / file.path, file)
        for file in headers_to_read(contents, most=_MOST_HEADERS)
    }
    return replace(contents, headers=headers)


def _header(path: Path, file: FileRecord) -> WeightsHeader | Refusal:
    with path.open("rb") as stream:

        def read(*, begin: int, end: int) -> bytes:
            stream.seek(begin)
            return stream.read(end - begin)

        return read_header(read, file)
