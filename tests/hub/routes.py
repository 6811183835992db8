"""From a request to an answer; nothing here touches a socket.

Who asks: the token MEMBER may read gated and private repositories, every other token is somebody who
is logged in and may not, no token is anonymous.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

from tests.hub import answers
from tests.hub.content import Repository

MEMBER = "hf_member"
TREE_PAGE = 1000
_API = re.compile(r"/api/models/([^/]+/[^/]+)(?:/([a-z0-9-]+)(?:/(.*))?)?")
_RESOLVE = re.compile(r"/([^/]+/[^/]+)/(?:resolve|raw)/([^/]+)/(.+)")
_CDN = re.compile(r"/cdn/([0-9a-f]{64})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What was asked; ``base`` is the URL of the host that was asked."""

    method: str
    target: str
    base: str
    token: str
    body: bytes = b""

    @property
    def path(self) -> str:
        """The path as it was sent, with its escapes."""
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, list[str]]:
        """The query; a repeated key has several values."""
        return parse_qs(urlsplit(self.target).query)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is answered: a body, or a file that may be asked for in parts."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    file: Path | None = None


def json_answer(data: Any, headers: Mapping[str, str] | None = None) -> Answer:
    """An answer that carries JSON."""
    kind = {"Content-Type": "application/json; charset=utf-8"}
    return Answer(headers={**kind, **(headers or {})}, body=json.dumps(data).encode())


def error(status: int, code: str, message: str, **headers: str) -> Answer:
    """An answer that says no, the way the Hub says it."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(
        status=status,
        headers={"X-Error-Code": code, "X-Error-Message": message, **named},
        body=json.dumps({"error": message}).encode(),
    )


def _xet_token(store: str) -> Answer:
    """Where Xet's chunks are, and leave to read them; hf_xet takes a folder as ``local:///…``."""
    token, expires = "t", 9999999999
    headers = {
        "X-Xet-Cas-Url": store,
        "X-Xet-Access-Token": token,
        "X-Xet-Token-Expiration": str(expires),
    }
    return json_answer({"casUrl": store, "accessToken": token, "exp": expires}, headers)


class Routes:
    """All repositories, and what the Hub answers about them."""

    def __init__(self, repositories: Mapping[str, Repository], *, cdn: str, page: int) -> None:
        self.repositories = repositories
        self._cdn = cdn
        self._page = page
        self._blobs = {
            file.sha256: file.absolute
            for repository in repositories.values()
            for file in repository.files.values()
            if file.sha256
        }
        self._renamed = {
            repository.settings["renamed_from"]: repository.id
            for repository in repositories.values()
            if repository.settings.get("renamed_from")
        }

    def answer(self, request: Request) -> Answer:
        """Answer one request."""
        if match := _CDN.fullmatch(request.path):
            return self._cdn_file(match[1], request)
        if request.path == "/api/whoami-v2":
            if request.token:
                return json_answer(answers.WHOAMI)
            return error(401, "", "Invalid username or password.")
        if request.path == "/api/models":
            return self._list_models(request)
        if match := _API.fullmatch(request.path):
            return self._api(request, match[1], match[2] or "revision", match[3] or "main")
        if match := _RESOLVE.fullmatch(request.path):
            return self._resolve(request, match[1], unquote(match[2]), unquote(match[3]))
        return error(404, "", "Sorry, we can't find the page you are looking for.")

    def _cdn_file(self, sha256: str, request: Request) -> Answer:
        if request.token:  # a client that takes its token to another host
            return error(400, "", "Authorization must not be sent to the CDN")
        path = self._blobs.get(sha256)
        if path is None:
            return error(403, "", "AccessDenied")
        return Answer(headers={"ETag": f'"{sha256}"'}, file=path)

    def _visible(self, request: Request, repo_id: str) -> Repository | Answer:
        if new_id := self._renamed.get(repo_id):
            target = request.target.replace(repo_id, new_id, 1)
            return Answer(status=307, headers={"Location": target})
        repository = self.repositories.get(repo_id)
        if repository is None or (repository.is_private and request.token != MEMBER):
            # The real Hub says 401 to anonymous and 404 to others, for missing and private alike.
            return error(404 if request.token else 401, "RepoNotFound", "Repository not found")
        return repository

    def _open(self, request: Request, repository: Repository) -> Answer | None:
        if not repository.gated or request.token == MEMBER:
            return None
        return error(
            403 if request.token else 401,
            "GatedRepo",
            f"Access to model {repository.id} is restricted.",
        )

    def _list_models(self, request: Request) -> Answer:
        query = request.query
        wanted = {tag for value in query.get("filter", []) for tag in value.split(",")}
        author = query.get("author", [""])[0]
        search = query.get("search", [""])[0]
        found = [
            repository
            for repository in self.repositories.values()
            if answers.is_listed(repository, tags=wanted, author=author, search=search)
            and (request.token == MEMBER or not repository.is_private)
        ]
        if query.get("sort") == ["downloads"]:
            found.sort(key=lambda repository: -repository.settings.get("downloads", 0))
        limit = int(query.get("limit", ["1000"])[0])
        listed = [answers.listed_model(repository, query) for repository in found]
        return self._paged(request, listed, min(limit, self._page))

    def _paged(self, request: Request, items: Sequence[object], size: int) -> Answer:
        start = int(request.query.get("cursor", ["0"])[0])
        headers = {}
        if start + size < len(items):
            kept = [
                f"{key}={quote(value)}"
                for key, values in request.query.items()
                if key != "cursor"
                for value in values
            ]
            query = "&".join([*kept, f"cursor={start + size}"])
            headers["Link"] = f'<{request.base}{request.path}?{query}>; rel="next"'
        return json_answer(items[start : start + size], headers)

    def _api(self, request: Request, repo_id: str, what: str, rest: str) -> Answer:
        repository = self._visible(request, repo_id)
        if isinstance(repository, Answer):
            return repository
        if what == "auth-check":
            return self._open(request, repository) or json_answer({})
        if what == "refs":
            return json_answer(answers.refs(repository))
        revision, _, below = rest.partition("/")
        if repository.revision(unquote(revision)) is None:
            return error(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        if what == "revision":
            return json_answer(answers.model_info(repository, request.query))
        if what == "xet-read-token":
            return _xet_token(repository.settings["xet_store"])
        if what == "tree":
            return self._tree(request, repository, unquote(below))
        if what == "paths-info":
            paths = parse_qs(request.body.decode()).get("paths", [])
            files = (repository.files.get(path) for path in paths)
            return json_answer([answers.tree_entry(file) for file in files if file])
        return error(404, "", "Sorry, we can't find the page you are looking for.")

    def _tree(self, request: Request, repository: Repository, below: str) -> Answer:
        recursive = request.query.get("recursive", ["false"])[0].lower() == "true"
        entries = answers.tree(repository.files.values(), below, recursive=recursive)
        if below and not entries:
            return error(404, "EntryNotFound", f"{below} does not exist")
        return self._paged(request, entries, min(TREE_PAGE, self._page))

    def _resolve(self, request: Request, repo_id: str, revision: str, path: str) -> Answer:
        repository = self._visible(request, repo_id)
        if isinstance(repository, Answer):
            return repository
        if refused := self._open(request, repository):
            return refused
        commit = repository.revision(revision)
        if commit is None:
            return error(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        file = repository.files.get(path)
        if file is None:
            return error(404, "EntryNotFound", "Entry not found", X_Repo_Commit=commit)
        headers = {"X-Repo-Commit": commit, "ETag": f'"{file.sha256 or file.oid}"'}
        if not file.sha256:
            return Answer(headers=headers, file=file.absolute)
        headers["X-Linked-Etag"] = f'"{file.sha256}"'
        headers["X-Linked-Size"] = str(file.size)
        headers["Location"] = f"{self._cdn}/cdn/{file.sha256}"
        if xet_hash := repository.settings.get("xet", {}).get(path):
            token_url = f"{request.base}/api/models/{repo_id}/xet-read-token/{commit}"
            headers["X-Xet-Hash"] = xet_hash
            headers["Link"] = f'<{token_url}>; rel="xet-auth"'
        return Answer(status=302, headers=headers)
