"""Slurm's configuration language: templates in, text out, and nothing in it that Slurm reads otherwise."""

from __future__ import annotations

import re
from collections.abc import Mapping

import jinja2

from cfslurm.core.slurm.hostlist import fold
from cfslurm.errors import UserInputError

# The files know no escapes: a blank ends a value, # begins a remark, = , [ ] mean something in lists.
_VALUE = re.compile(r"[A-Za-z0-9_.,:/@+\[\]-]+")
_WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*")
_FEATURE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:/+=-]*")
_PLAIN_PATH = re.compile(r"[A-Za-z0-9_./+-]+")
_REMARK = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029]*")


def is_plain_path(path: str) -> bool:
    """True for a path that every one of Slurm's files can carry as it is."""
    return _PLAIN_PATH.fullmatch(path) is not None


def render(
    template: str,
    values: Mapping[str, object],
    *,
    name: str,
    parts: Mapping[str, str] | None = None,
) -> str:
    """Fill in a template of one of Slurm's files; every ``{{ value }}`` must pass a filter.

    ``parts`` are the templates that it includes, by name.

    ``word`` is one name, ``feature`` one feature (which may hold ``=``), ``conf`` any value with
    lists in it, ``hostlist`` a tuple of node names, ``remark`` the rest of a line behind ``#``.

    Raises:
        UserInputError: a value is missing, unfiltered, or cannot be written into such a file.
    """
    environment = jinja2.Environment(
        loader=jinja2.DictLoader(parts or {}),
        undefined=jinja2.StrictUndefined,
        finalize=_refuse_unfiltered,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.filters = {
        "conf": _conf,
        "word": _word,
        "feature": _feature,
        "hostlist": _hostlist,
        "remark": _remark,
    }
    try:
        return environment.from_string(template).render(values)
    except jinja2.TemplateError as error:
        raise UserInputError(
            f"the template of {name} cannot be filled in: {error.message}",
            remedy=f"Compare it with the one that cfslurm ships in gres_templates: {name}.j2.",
        ) from error


class _Checked(str):
    """A value that has passed a filter."""

    __slots__ = ()


def _conf(value: object) -> _Checked:
    return _matching(_VALUE, str(value), "Use letters, digits and _.,:/@+-[] there")


def _word(value: object) -> _Checked:
    return _matching(_WORD, str(value), "Use letters, digits and _.+- there, without a blank")


def _feature(value: object) -> _Checked:
    return _matching(_FEATURE, str(value), "Use letters, digits and _.:/+=- there")


def _hostlist(names: object) -> _Checked:
    assert isinstance(names, tuple)
    return _Checked(fold(_word(name) for name in names))


def _remark(value: object) -> _Checked:
    """Any text on one line: Slurm skips it, but not beyond a line break.

    A backslash at the end would join the next line to it. Source: slurm.conf(5).
    """
    text = str(value).rstrip("\\")
    return _matching(_REMARK, text, "Take the line break out")


def _matching(pattern: re.Pattern[str], text: str, remedy: str) -> _Checked:
    if not pattern.fullmatch(text):
        raise UserInputError(
            f"{text[:80]!r} cannot be written into Slurm's files",
            remedy=f"{remedy}: these files know no escapes.",
        )
    return _Checked(text)


def _refuse_unfiltered(value: object) -> object:
    if isinstance(value, _Checked):
        return value
    raise UserInputError(
        f"a template of Slurm's files writes {str(value)[:80]!r} without a filter",
        remedy="Write `{{ name | word }}`, or another filter of gres_templates/README.md.",
    )
