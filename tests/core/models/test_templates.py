"""Chat templates in the files of a repository."""

from __future__ import annotations

import pytest

from cfslurm.core.documents import Json
from cfslurm.core.models.gguf_header import template_digest
from cfslurm.core.models.hub import FileRecord
from cfslurm.core.models.templates import settings_template, template_file


def records(*paths: str) -> list[FileRecord]:
    return [FileRecord(path=p, size_bytes=1, sha256="", git_sha1="a" * 40) for p in paths]


def test_a_file_of_its_own_goes_first() -> None:
    found = template_file(records("tokenizer_config.json", "chat_template.jinja", "config.json"))
    assert found is not None
    assert found.path == "chat_template.jinja"
    assert template_file(records("config.json", "old/chat_template.jinja")) is None


@pytest.mark.parametrize(
    ("content", "template"),
    [
        ({"chat_template": "{{ x }}"}, "{{ x }}"),
        ({"chat_template": [{"name": "tool_use", "template": "b"}, {"name": "default", "template": "a"}]}, "a"),
        ({"chat_template": [{"name": "tool_use", "template": "b"}, 3]}, ""),
        ({"chat_template": ""}, ""),
        ({"chat_template": 3}, ""),
        ({}, ""),
        ([], ""),
    ],
)  # fmt: skip
def test_the_template_in_the_tokenizers_settings(content: Json, template: str) -> None:
    assert settings_template(content) == (template_digest(template) if template else "")


def test_blanks_around_it_do_not_count() -> None:
    assert template_digest("\n{{ x }} ") == template_digest("{{ x }}") != template_digest("{{x}}")
