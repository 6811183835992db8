"""Chat templates: which file has it, and what tells one from another.

They are programs (Jinja) that come with the weights. transformers and vLLM run them shut in, but a
changed one changes every answer; so a change against the base model is shown.
"""

from __future__ import annotations

from collections.abc import Iterable

from cfslurm.core.documents import Json
from cfslurm.core.models.gguf_header import template_digest
from cfslurm.core.models.hub import FileRecord

# Source: transformers, tokenization_utils_base: a file of its own goes before the tokenizer's settings.
JINJA = "chat_template.jinja"
_PLACES = (JINJA, "chat_template.json", "tokenizer_config.json")


def template_file(files: Iterable[FileRecord]) -> FileRecord | None:
    """The file that has the chat template, if there is one at all."""
    by_path = {file.path: file for file in files}
    return next((by_path[place] for place in _PLACES if place in by_path), None)


def settings_template(content: Json) -> str:
    """The digest of the template in a JSON file; empty if it has none.

    Of several named templates, the one that is called ``default``.
    """
    found = content.get("chat_template") if isinstance(content, dict) else None
    if isinstance(found, list):
        named = [entry for entry in found if isinstance(entry, dict)]
        found = next((e.get("template") for e in named if e.get("name") == "default"), None)
    return template_digest(found) if isinstance(found, str) and found else ""
