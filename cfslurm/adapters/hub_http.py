"""Questions to a Hub over HTTP: through huggingface_hub's session, with limits of our own.

The session has the library's headers, proxy rules and token. What it lacks is a bound: its own
listings wait for ever for a server that does not answer, and take in whatever comes (1.22 to 2.4).
"""

from __future__ import annotations

import importlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NoReturn
from urllib.parse import parse_qsl, urlsplit

from cfslurm.adapters.hub_errors import Asked, refuse, translated
from cfslurm.core.documents import Json
from cfslurm.core.slurm.units import MIB
from cfslurm.errors import HubError, HubUnavailableError

ANSWER_LIMIT_BYTES = 16 * MIB
_MAX_PAGES = 50  # 1000 files each; no model has so many
_LONGEST_S = 300.0  # a server that sends a byte now and then
# Read when huggingface_hub and hf_xet are imported. Source: measured with hf_xet 1.8, which takes up
# to 6 GB of memory and 64 connections unless told otherwise: too much for a login node.
_CALM = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_XET_TELEMETRY_ENABLED": "0",
    "HF_XET_RECONSTRUCTION_DOWNLOAD_BUFFER_LIMIT": "1000000000",
    "HF_XET_DATA_MAX_CONCURRENT_FILE_DOWNLOADS": "2",
}

Query = list[tuple[str, str]]


def library() -> Any:
    """huggingface_hub, imported when it is needed and told to be calm."""
    for name, value in _CALM.items():
        os.environ.setdefault(name, value)
    for part in ("constants", "errors", "utils"):
        importlib.import_module(f"huggingface_hub.{part}")
    return importlib.import_module("huggingface_hub")


@dataclass(frozen=True, slots=True, kw_only=True)
class HubHttp:
    """The server at an endpoint; no answer may take longer than ``timeout_s`` to go on."""

    endpoint: str
    timeout_s: float

    def get_json(self, path: str, query: Query, asked: Asked) -> Json:
        """An answer that is JSON.

        Raises:
            HubError: it is no JSON, too long, or a refusal.
        """
        return read_json(self.get(path, query, asked), asked)

    def get(self, path: str, query: Query, asked: Asked) -> bytes:
        """The body of an answer.

        Raises:
            HubError: too long, or a refusal.
        """
        return self._get(path, query, asked)[0]

    def pages(self, path: str, query: Query, asked: Asked) -> Iterator[Json]:
        """A listing page by page.

        Of the link to the next page only the query is taken: the token stays with our endpoint.

        Raises:
            HubError: a page is no JSON, or there are too many.
        """
        for _ in range(_MAX_PAGES):
            data, link = self._get(path, query, asked)
            yield read_json(data, asked)
            if not link:
                return
            query = parse_qsl(urlsplit(link).query)
        raise HubError(
            f"{asked.repo_id} has more than {_MAX_PAGES} pages of entries on the Hub",
            remedy="Name another repository: this one is no model.",
        )

    def get_range(self, path: str, asked: Asked, *, begin: int, end: int) -> bytes:
        """The bytes of a file from ``begin`` up to, not including, ``end``; fewer if it ends before.

        A server that knows no ranges sends the file from its beginning; then no more than ``end``
        bytes of it are read.

        Raises:
            HubError: a refusal, or another range than was asked for.
        """
        headers = {"Range": f"bytes={begin}-{end - 1}"}
        with self._stream(path, [], asked, headers) as response:
            if response.status_code == 416:
                return b""
            at = begin if response.status_code == 206 else 0
            if response.status_code == 206:
                _check_range(response.headers, begin, asked)
            elif response.status_code != 200:
                refuse(response.status_code, response.headers, asked)
            data = bytearray()
            for chunk in self._in_time(response.iter_raw(), asked):
                skipped = min(len(chunk), max(0, begin - at))
                at += len(chunk)
                data += chunk[skipped:]
                if len(data) >= end - begin:
                    break
        return bytes(data[: end - begin])

    def _get(self, path: str, query: Query, asked: Asked) -> tuple[bytes, str]:
        body = bytearray()
        with self._stream(path, query, asked, {}) as response:
            if response.status_code != 200:
                refuse(response.status_code, response.headers, asked)
            for chunk in self._in_time(response.iter_bytes(), asked):
                body += chunk
                if len(body) > ANSWER_LIMIT_BYTES:
                    raise HubError(
                        f"{asked.thing} is larger than {ANSWER_LIMIT_BYTES // MIB} MiB",
                        remedy="Name another variant: cfslurm reads only small JSON files.",
                    )
            link = response.links.get("next", {}).get("url")
        return bytes(body), link or ""

    @contextmanager
    def _stream(
        self, path: str, query: Query, asked: Asked, headers: Mapping[str, str]
    ) -> Iterator[Any]:
        hub = library()
        with (
            translated(hub, asked),
            hub.utils.get_session().stream(
                "GET",
                self.endpoint + path,
                params=query,
                headers={**hub.utils.build_hf_headers(library_name="cfslurm"), **headers},
                timeout=self.timeout_s,
            ) as response,
        ):
            yield response

    def _in_time(self, chunks: Iterator[bytes], asked: Asked) -> Iterator[bytes]:
        ends_at = time.monotonic() + _LONGEST_S
        for chunk in chunks:
            yield chunk
            if time.monotonic() > ends_at:
                raise HubUnavailableError(
                    f"the Hub at {self.endpoint} is still sending {asked.thing} after {_LONGEST_S:g} s",
                    remedy="Run the same command again; if it stays so, check this machine's network.",
                )


def read_json(data: bytes, asked: Asked) -> Json:
    """What is written in some JSON.

    Raises:
        HubError: it is none that can be read.
    """
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


def _check_range(headers: Mapping[str, str], begin: int, asked: Asked) -> None:
    given = headers.get("Content-Range", "")
    if not given.startswith(f"bytes {begin}-"):
        raise HubError(
            f"the Hub at {asked.endpoint} sent another part of {asked.thing} than was asked for",
            remedy="Check the proxy or mirror between here and the Hub.",
        )


def unreadable(asked: Asked) -> NoReturn:
    """Raise that an answer is JSON, but none that a Hub gives."""
    raise HubError(
        f"the Hub at {asked.endpoint} says something about {asked.thing} that cannot be read",
        remedy="Check that the endpoint is a Hugging Face Hub, and no login page of a proxy.",
    )
