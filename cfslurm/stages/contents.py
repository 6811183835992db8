"""Read what tells which variants a repository holds: lists, small files, headers; never weights."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from dataclasses import replace
from functools import partial
from typing import Any

from cfslurm.core.models.candidates import Contents, has_safetensors, headers_to_read
from cfslurm.core.models.discover import documents_to_read
from cfslurm.core.models.gguf_header import template_digest
from cfslurm.core.models.headers import WeightsHeader
from cfslurm.core.models.hub import RepoRecord, Security
from cfslurm.core.models.refusal import Refusal
from cfslurm.core.models.templates import JINJA, settings_template, template_file
from cfslurm.errors import HubError
from cfslurm.ports import Hub

# A Hub counts requests: 3000 files in five minutes for a whole cluster behind one address (hub-docs,
# rate-limits). The largest models have 160 files and may have twenty children as large.
MOST_HEADERS = 40
MOST_HEADERS_OF_NAMED = 200

Ask = Callable[[Callable[[], Any]], Any]


def read_contents(
    record: RepoRecord, hub: Hub, ask: Ask, *, readers: Executor, most_headers: int
) -> Contents:
    """What a repository holds, with the headers of up to ``most_headers`` of its weight files.

    ``readers`` reads headers side by side; nothing that it does may wait for it.

    Raises:
        HubError: the Hub refuses a part of it, or fails, also when asked again.
    """
    repo_id, revision = record.repo_id, record.revision
    files = ask(partial(hub.files, repo_id, revision))
    names = documents_to_read(files) if has_safetensors(files) else ()
    documents = {name: ask(partial(hub.read_json, repo_id, revision, name)) for name in names}
    contents = Contents(record=record, files=files, documents=documents)
    wanted = headers_to_read(contents, most=most_headers)
    questions = [partial(hub.weights_header, repo_id, revision, file) for file in wanted]
    answers: Iterable[WeightsHeader | Refusal] = readers.map(ask, questions)
    headers = {file.path: header for file, header in zip(wanted, answers, strict=True)}
    return replace(
        contents,
        headers=headers,
        template=_template(contents, hub, ask) if has_safetensors(files) else "",
        security=_security(record, hub, ask),
    )


def _template(contents: Contents, hub: Hub, ask: Ask) -> str:
    """The digest of the chat template; empty where there is none, or none that can be read."""
    record, file = contents.record, template_file(contents.files)
    if file is None:
        return ""
    read = hub.read_text if file.path == JINJA else hub.read_json
    try:
        content = ask(partial(read, record.repo_id, record.revision, file.path))
    except HubError:
        return ""
    return template_digest(content) if file.path == JINJA else settings_template(content)


def _security(record: RepoRecord, hub: Hub, ask: Ask) -> Security:
    """What the scanners say; it is shown and decides nothing, so a Hub that fails here says nothing."""
    try:
        found: Security = ask(partial(hub.security, record.repo_id, record.revision))
    except HubError:
        return Security()
    return found
