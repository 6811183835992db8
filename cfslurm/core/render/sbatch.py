"""Batch scripts from templates that cannot leave anything out or let anything through."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping

import jinja2
from markupsafe import Markup

from cfslurm.core.slurm.units import time_limit
from cfslurm.errors import UserInputError

# What may stand after #SBATCH. sbatch parses these lines by rules of its own: shell quoting proves
# nothing there, and a line break would begin a command.
_OPTION_VALUE = re.compile(r"[A-Za-z0-9_.,:/@%+=&|\[\]()*-]+")


class _Safe(str):
    """A text that has passed a filter."""

    __slots__ = ()

    def __html__(self) -> str:
        """Jinja's sign for: do not escape this again."""
        return self


def render(templates: Mapping[str, str], name: str, values: Mapping[str, object]) -> str:
    """Fill in a batch script.

    Every ``{{ value }}`` must pass ``| sh`` (a shell word), ``| sh_words`` (a list of them),
    ``| sbatch`` (part of an ``#SBATCH`` line) or ``| remark`` (part of a comment line).

    Raises:
        UserInputError: a value is missing, unfiltered, or impossible in an ``#SBATCH`` line.
    """
    environment = jinja2.Environment(
        loader=jinja2.DictLoader(templates),
        undefined=jinja2.StrictUndefined,
        finalize=_refuse_unfiltered,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=True,  # so that a macro's result is known to be one; no HTML is escaped here
    )
    environment.filters = {
        "sh": lambda value: _Safe(shlex.quote(str(value))),
        "sh_words": lambda words: _Safe(shlex.join(str(word) for word in words)),
        "shell": _Safe,  # words of the template itself, never a value
        "sbatch": _sbatch,
        "remark": _remark,
        "time_limit": time_limit,
        "join": _join,
        "length": len,
    }
    try:
        return environment.get_template(name).render(values)
    except jinja2.TemplateError as error:
        raise UserInputError(
            f"the batch template {name} cannot be rendered: {error.message}",
            remedy="Compare it with the template of the same name that cfslurm ships.",
        ) from error


def _join(values: Iterable[object], separator: str) -> str:
    return separator.join(str(value) for value in values)


def _sbatch(value: object) -> _Safe:
    text = str(value)
    if not _OPTION_VALUE.fullmatch(text):
        raise UserInputError(
            f"{text[:80]!r} cannot be written into an #SBATCH line",
            remedy="Use only letters, digits and _.,:/@%+=&|[]()*- there.",
        )
    return _Safe(text)


def _remark(value: object) -> _Safe:
    """A comment's text: one line, printable."""
    text = str(value)
    if not text.isprintable():
        raise UserInputError(
            f"{text[:80]!r} cannot be written into a comment", remedy="Use printable characters."
        )
    return _Safe(text)


def _refuse_unfiltered(value: object) -> object:
    """A macro's result is Markup and was made of filtered pieces; any other value must be filtered."""
    if isinstance(value, _Safe | Markup):
        return value
    raise UserInputError(
        f"the batch template writes {value!r} without a filter",
        remedy="Write `{{ name | sh }}` in a command and `{{ name | sbatch }}` after #SBATCH.",
    )
