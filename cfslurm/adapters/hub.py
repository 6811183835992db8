"""A Hugging Face Hub, through huggingface_hub.

Listings, small files and headers of weights go over the library's session (`hub_http`), downloads
through its ``hf_hub_download``. Tokens are the user's own (``hf auth login`` or HF_TOKEN); cfslurm
neither stores nor shows them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from urllib.parse import quote

from cfslurm.adapters.hub_errors import Asked, translated
from cfslurm.adapters.hub_http import HubHttp, library, unreadable
from cfslurm.adapters.weight_headers import read_header
from cfslurm.core.documents import Json
from cfslurm.core.models.headers import WeightsHeader
from cfslurm.core.models.hub import FileRecord, HubSearch, RepoRecord, Security
from cfslurm.core.models.hub_answers import (
    RECORD_KEYS,
    read_files,
    read_repository,
    read_security,
)
from cfslurm.core.models.refusal import Refusal
from cfslurm.core.models.variants import ModelFile, Variant
from cfslurm.errors import UserInputError

DEFAULT_ENDPOINT = "https://huggingface.co"
# Above this the Hub serves a file by Xet only. Source: huggingface_hub, MAX_HTTP_DOWNLOAD_SIZE.
_LARGEST_BY_HTTP_BYTES = 50 * 10**9


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
        self._http = HubHttp(endpoint=self.endpoint, timeout_s=timeout_s)

    def ping(self) -> None:
        """Ask for next to nothing.

        Raises:
            HubUnavailableError: no usable answer.
        """
        asked = self._asked("the list of models")
        answer = self._http.get_json("/api/models", [("limit", "1"), ("expand", "sha")], asked)
        if not isinstance(answer, list):
            unreadable(asked)

    def repository(self, repo_id: str, revision: str) -> RepoRecord:
        """A repository and the commit behind a branch, tag or commit; an old name leads to the new.

        Raises:
            HubUnavailableError: no usable answer.
            HubAccessError: missing, private or gated.
        """
        asked = self._asked(repo_id, revision)
        query = [("expand", key) for key in RECORD_KEYS]
        record = read_repository(self._http.get_json(_revision(repo_id, revision), query, asked))
        if record is None or not re.fullmatch(r"[0-9a-f]{40}", record.revision):
            unreadable(asked)
        return record

    def search(self, query: HubSearch, *, limit: int) -> tuple[RepoRecord, ...]:
        """Repositories of a kind, most downloaded first; never more than ``limit``."""
        asked = self._asked(query.words)
        told = (
            ("filter", f"base_model:quantized:{query.quantized_from}", query.quantized_from),
            ("author", query.author, query.author),
            ("search", query.text, query.text),
        )
        parameters = [
            *((key, value) for key, value, asked_for in told if asked_for),
            ("sort", "downloads"),
            ("limit", str(limit)),
            *(("expand", key) for key in RECORD_KEYS),
        ]
        records: list[RepoRecord] = []
        for page in self._http.pages("/api/models", parameters, asked):
            for entry in page if isinstance(page, list) else [page]:
                record = read_repository(entry)
                if record is None:
                    unreadable(asked)
                records.append(record)
            if len(records) >= limit:
                break
        return tuple(records[:limit])

    def files(self, repo_id: str, revision: str) -> tuple[FileRecord, ...]:
        """All files at a commit, with sizes and hashes, in one listing."""
        asked = self._asked(repo_id, revision)
        path = f"/api/models/{quote(repo_id)}/tree/{quote(revision, safe='')}"
        records: list[FileRecord] = []
        query = [("recursive", "true"), ("expand", "false")]
        for page in self._http.pages(path, query, asked):
            files = read_files(page)
            if files is None:
                unreadable(asked)
            records.extend(files)
        return tuple(records)

    def security(self, repo_id: str, revision: str) -> Security:
        """What the Hub's scanners say of a repository; a Hub without scanners says nothing."""
        asked = self._asked(repo_id, revision)
        answer = self._http.get_json(
            _revision(repo_id, revision), [("securityStatus", "true")], asked
        )
        return read_security(answer)

    def read_json(self, repo_id: str, revision: str, path: str) -> Json:
        """The content of a small JSON file.

        Raises:
            HubError: it cannot be had, is no JSON, or is larger than 16 MiB.
        """
        asked = self._asked(repo_id, revision, path)
        return self._http.get_json(_resolve(asked), [], asked)

    def read_text(self, repo_id: str, revision: str, path: str) -> str:
        """The content of a small text file; bytes that are no UTF-8 are shown as U+FFFD.

        Raises:
            HubError: it cannot be had, or is larger than 16 MiB.
        """
        asked = self._asked(repo_id, revision, path)
        return self._http.get(_resolve(asked), [], asked).decode("utf-8", "replace")

    def weights_header(
        self, repo_id: str, revision: str, file: FileRecord
    ) -> WeightsHeader | Refusal:
        """The header of a safetensors or GGUF file, without its data; refused where it is damaged.

        Raises:
            HubError: the Hub does not give the file.
        """
        asked = self._asked(repo_id, revision, file.path)
        return read_header(partial(self._http.get_range, _resolve(asked), asked), file)

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
        hub = library()
        if "HF_HUB_DISABLE_XET" not in os.environ:
            hub.constants.HF_HUB_DISABLE_XET = file.size_bytes <= _LARGEST_BY_HTTP_BYTES
        with translated(hub, self._asked(variant.repo_id, variant.revision, file.path)):
            return Path(
                hub.hf_hub_download(
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


def _revision(repo_id: str, revision: str) -> str:
    return f"/api/models/{quote(repo_id)}/revision/{quote(revision, safe='')}"


def _resolve(asked: Asked) -> str:
    return f"/{quote(asked.repo_id)}/resolve/{quote(asked.revision, safe='')}/{quote(asked.path)}"


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
