"""A Hugging Face Hub, through huggingface_hub.

Listings and small files go through the library's session, with its headers and token, but with a
timeout and a limit of our own: its ``list_models`` and ``list_repo_tree`` wait forever for a server
that does not answer (1.22 to 2.4). Downloads go through its ``hf_hub_download``.

Tokens are the user's own (``hf auth login`` or HF_TOKEN); cfslurm neither stores nor shows them.
"""

from __future__ import annotations

import importlib
import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import parse_qsl, quote, urlsplit

from cfslurm.adapters.hub_errors import Asked, refuse, translated
from cfslurm.core.documents import Json
from cfslurm.core.models.hub import FileRecord, RepoRecord
from cfslurm.core.models.hub_answers import RECORD_KEYS, read_files, read_repository
from cfslurm.core.models.variants import ModelFile, Variant
from cfslurm.core.slurm.units import MIB
from cfslurm.errors import HubError, UserInputError

DEFAULT_ENDPOINT = "https://huggingface.co"
_ANSWER_LIMIT_BYTES = 16 * MIB
_MAX_PAGES = 50  # 1000 files each; no model has so many
# Above this the Hub serves a file by Xet only. Source: huggingface_hub, MAX_HTTP_DOWNLOAD_SIZE.
_LARGEST_BY_HTTP_BYTES = 50 * 10**9
# Read when huggingface_hub and hf_xet are imported. Source: measured with hf_xet 1.8, which takes up
# to 6 GB of memory and 64 connections unless told otherwise: too much for a login node.
_CALM = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_XET_TELEMETRY_ENABLED": "0",
    "HF_XET_RECONSTRUCTION_DOWNLOAD_BUFFER_LIMIT": "1000000000",
    "HF_XET_DATA_MAX_CONCURRENT_FILE_DOWNLOADS": "2",
}

_Query = list[tuple[str, str]]


class HuggingFaceHub:
    """The Hub at an endpoint; a mirror of it has the same shape.

    Raises:
        UserInputError: the endpoint is no URL of a web server.
    """

    def __init__(self, endpoint: str = DEFAULT_ENDPOINT, *, timeout_s: float = 20.0) -> None:
        if not re.fullmatch(r"https?://[\w.:\[\]-]+(/[\w./-]*)?", endpoint):
            raise UserInputError(
                f"{endpoint!r} is no address of a Hub",
                remedy="Write hf_endpoint or $HF_ENDPOINT as https://HOST.",
            )
        self.endpoint = endpoint.rstrip("/")
        self._timeout_s = timeout_s

    def ping(self) -> None:
        """Ask for next to nothing.

        Raises:
            HubUnavailableError: no usable answer.
        """
        asked = self._asked("the list of models")
        data, _ = self._get("/api/models", [("limit", "1"), ("expand", "sha")], asked)
        if not isinstance(_json(data, asked), list):
            _unreadable(asked)

    def repository(self, repo_id: str, revision: str) -> RepoRecord:
        """A repository and the commit behind a branch, tag or commit.

        Raises:
            HubUnavailableError: no usable answer.
            HubAccessError: missing, private or gated.
        """
        asked = self._asked(repo_id, revision)
        path = f"/api/models/{quote(repo_id)}/revision/{quote(revision, safe='')}"
        data, _ = self._get(path, [("expand", key) for key in RECORD_KEYS], asked)
        record = read_repository(_json(data, asked))
        if record is None or not re.fullmatch(r"[0-9a-f]{40}", record.revision):
            _unreadable(asked)
        return record

    def quantized_children(self, repo_id: str, *, limit: int) -> tuple[RepoRecord, ...]:
        """Repositories that name this one as the base they are quantized from, most used first."""
        asked = self._asked(repo_id)
        query = [
            ("filter", f"base_model:quantized:{repo_id}"),
            ("sort", "downloads"),
            ("limit", str(limit)),
            *(("expand", key) for key in RECORD_KEYS),
        ]
        records: list[RepoRecord] = []
        for page in self._pages("/api/models", query, asked):
            for entry in page if isinstance(page, list) else [page]:
                record = read_repository(entry)
                if record is None:
                    _unreadable(asked)
                records.append(record)
            if len(records) >= limit:
                break
        return tuple(records[:limit])

    def files(self, repo_id: str, revision: str) -> tuple[FileRecord, ...]:
        """All files at a commit, with sizes and hashes, in one listing."""
        asked = self._asked(repo_id, revision)
        path = f"/api/models/{quote(repo_id)}/tree/{quote(revision, safe='')}"
        records: list[FileRecord] = []
        for page in self._pages(path, [("recursive", "true"), ("expand", "false")], asked):
            files = read_files(page)
            if files is None:
                _unreadable(asked)
            records.extend(files)
        return tuple(records)

    def read_json(self, repo_id: str, revision: str, path: str) -> Json:
        """The content of a small JSON file.

        Raises:
            HubError: it cannot be had, is no JSON, or is larger than 16 MiB.
        """
        asked = self._asked(repo_id, revision, path)
        url = f"/{quote(repo_id)}/resolve/{quote(revision, safe='')}/{quote(path)}"
        data, _ = self._get(url, [], asked)
        return _json(data, asked)

    def download(
        self, variant: Variant, file: ModelFile, into: Path, *, progress: Callable[[int], None]
    ) -> Path:
        """Fetch one file of a variant into a folder; ``progress`` is told of every byte count.

        The bytes are not yet verified. A count is negative when a broken transfer starts again.
        The library leaves notes of its own in ``into/.cache``. Up to 50 GB go over plain HTTP, which
        gives up on a server that falls silent; larger files need Xet, which does not.

        Raises:
            HubError: the Hub does not give the file.
            OSError: the folder cannot be written.
        """
        library = _library()
        if "HF_HUB_DISABLE_XET" not in os.environ:
            library.constants.HF_HUB_DISABLE_XET = file.size_bytes <= _LARGEST_BY_HTTP_BYTES
        with translated(library, self._asked(variant.repo_id, variant.revision, file.path)):
            return Path(
                library.hf_hub_download(
                    variant.repo_id,
                    file.path,
                    revision=variant.revision,
                    local_dir=into,
                    cache_dir=into / ".cache" / "none",  # never the bytes of another cache
                    endpoint=self.endpoint,
                    library_name="cfslurm",
                    tqdm_class=_counter(progress),
                )
            )

    def _asked(self, repo_id: str, revision: str = "", path: str = "") -> Asked:
        return Asked(endpoint=self.endpoint, repo_id=repo_id, revision=revision, path=path)

    def _pages(self, path: str, query: _Query, asked: Asked) -> Iterator[Json]:
        """A listing page by page."""
        for _ in range(_MAX_PAGES):
            data, following = self._get(path, query, asked)
            yield _json(data, asked)
            if following is None:
                return
            query = following
        raise HubError(
            f"{asked.repo_id} has more than {_MAX_PAGES} pages of entries on the Hub",
            remedy="Name another repository: this one is no model.",
        )

    def _get(self, path: str, query: _Query, asked: Asked) -> tuple[bytes, _Query | None]:
        """The body of an answer, and the query of the next page if there is one.

        Of the link to the next page only the query is taken: the token stays with our endpoint.
        """
        library = _library()
        body = bytearray()
        with (
            translated(library, asked),
            library.utils.get_session().stream(
                "GET",
                self.endpoint + path,
                params=query,
                headers=library.utils.build_hf_headers(library_name="cfslurm"),
                timeout=self._timeout_s,
            ) as response,
        ):
            if response.status_code != 200:
                refuse(response.status_code, response.headers, asked)
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > _ANSWER_LIMIT_BYTES:
                    raise HubError(
                        f"{asked.thing} is larger than {_ANSWER_LIMIT_BYTES // MIB} MiB",
                        remedy="Name another variant: cfslurm reads only small JSON files.",
                    )
            link = response.links.get("next", {}).get("url")
        return bytes(body), parse_qsl(urlsplit(link).query) if link else None


def _library() -> Any:
    """huggingface_hub, imported when it is needed and told to be calm."""
    for name, value in _CALM.items():
        os.environ.setdefault(name, value)
    for part in ("constants", "errors", "utils"):
        importlib.import_module(f"huggingface_hub.{part}")
    return importlib.import_module("huggingface_hub")


def _counter(progress: Callable[[int], None]) -> type:
    """A progress bar that shows nothing and counts the bytes that arrive in the file.

    Xet makes a second bar for what comes over the network; the first is the file's.
    """
    from tqdm import tqdm  # type: ignore[import-untyped]

    bars: list[object] = []

    class Counter(tqdm):  # type: ignore[misc]
        def __init__(self, *args: object, **options: object) -> None:
            super().__init__(*args, **{**options, "disable": True})
            bars.append(self)

        def update(self, n: float | None = 1) -> None:
            if self is bars[0]:
                progress(int(n or 0))

    return Counter


def _json(data: bytes, asked: Asked) -> Json:
    try:
        value: Json = json.loads(data, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise HubError(
            f"{asked.thing} is no JSON that can be read: {str(error)[:100]}",
            remedy="Name another repository, or check that the endpoint is a Hugging Face Hub.",
        ) from error
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _unreadable(asked: Asked) -> NoReturn:
    raise HubError(
        f"the Hub at {asked.endpoint} says something about {asked.thing} that cannot be read",
        remedy="Check that the endpoint is a Hugging Face Hub, and no login page of a proxy.",
    )
