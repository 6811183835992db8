"""Every `cfslurm …` in a page is a command that exists, with options and arguments that it takes."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from cfslurm.cli.main import cfslurm
from tests.docs.pages import blocks, name, pages, prose

# Where a command ends: comments, pipes, redirections, lists, substitutions.
_END = re.compile(r"\s#\s|\s#$|\s\|\s?|\s\d?>|\s<|;|&&|\|\||\)|\s\u2190|\s\u00b7")
_PLACEHOLDER = re.compile(r"\[[A-Z][^\]]*\]…?|…|<[^>]*>")
_CALL = re.compile(r"(?<![\w./~-])cfslurm (?=[a-z-])")


def calls_of(page: Path) -> Iterator[str]:
    """The command lines of a page: what is typed in blocks, and what stands in backquotes."""
    for block in blocks(page):
        if block.kind == "console":
            typed = [line[2:] for line in block.text.splitlines() if line.startswith("$ ")]
        elif block.kind in ("sh", "bash"):
            typed = block.text.replace("\\\n", " ").splitlines()
        else:
            continue
        for line in typed:
            yield from _calls(line)
    for span in re.findall(r"`([^`\n]+)`", prose(page)):
        if span.startswith("cfslurm "):
            yield from _calls(span)


def _calls(line: str) -> Iterator[str]:
    if line.lstrip().startswith("#"):
        return
    for match in _CALL.finditer(line):
        yield _END.split(line[match.end() :])[0].strip()


def problem_of(call: str) -> str:
    """What the real parser says against a command line; empty for nothing."""
    try:
        words = shlex.split(_PLACEHOLDER.sub("", call).replace("\\|", "|"))
    except ValueError as error:
        return f"{call}: {error}"
    command: click.Command = cfslurm
    ctx = click.Context(cfslurm, info_name="cfslurm")
    while isinstance(command, click.Group):
        if not words or words[0].startswith("-"):
            known = {option for p in command.params for option in (*p.opts, *p.secondary_opts)}
            return "" if set(words) <= known | {"-h", "--help"} else f"{call}: unknown option"
        found = command.get_command(ctx, words[0])
        if found is None:
            return "" if words[0].isupper() else f"{call}: no command {words[0]!r}"
        ctx = click.Context(found, info_name=words[0], parent=ctx)
        command, words = found, words[1:]
    if {"-h", "--help"} & set(words):
        return ""
    return _misuse(command, ctx, call, words)


def _misuse(command: click.Command, ctx: click.Context, call: str, words: list[str]) -> str:
    """Unknown options, wrong values, too many arguments. Files need not be there.

    In prose a command may stand without its arguments, and with FILE or RUN in their place.
    """
    kinds = {parameter: parameter.type for parameter in command.params}
    stands_for_something = any(word.isalpha() and word.isupper() for word in words)
    for parameter, kind in kinds.items():
        if stands_for_something or isinstance(kind, click.Path):
            parameter.type = click.STRING
    try:
        command.parse_args(ctx, list(words))
    except click.MissingParameter:
        return ""
    except click.ClickException as error:
        return f"{call}: {error.format_message()}"
    finally:
        for parameter, kind in kinds.items():
            parameter.type = kind
    return ""


@pytest.mark.parametrize("page", pages(), ids=name)
def test_commands_in_the_page_exist(page: Path) -> None:
    assert [problem for call in calls_of(page) if (problem := problem_of(call))] == []


def test_the_check_finds_commands() -> None:
    found = [call for page in pages() for call in calls_of(page)]
    assert len(found) > 150
    assert {"sandbox up", "submit workflow.yaml --dry-run", "status last"} <= set(found)


@pytest.mark.parametrize(
    "call",
    [
        "sumbit workflow.yaml",
        "submit workflow.yaml --dryrun",
        "completion --shell bash",
        "schema workflo",
        "logs last -n many",
        "sandbox restart",
        "--sit x plan",
        "plan a.yaml b.yaml",
    ],
)
def test_the_check_can_fail(call: str) -> None:
    assert problem_of(call)
