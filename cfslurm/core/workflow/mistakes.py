"""What all checks of a workflow say alike: a bad name, a text that cannot be read, an unknown word."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from cfslurm.core.workflow.names import is_name, nearest
from cfslurm.errors import Problem, UserInputError

_SLURM_NAME = re.compile(r"[A-Za-z0-9_][\w.+-]{0,127}", re.ASCII)


def check_name(path: str, name: str, what: str) -> Iterator[Problem]:
    """A name that files, jobs and logs can carry."""
    if not is_name(name):
        yield Problem(
            path=path,
            message=f"{name[:60]!r} cannot be the name of a {what}",
            remedy="Use 1 to 63 letters, digits and . _ -, beginning with a letter or digit.",
        )


def check_slurm_name(path: str, name: str) -> Iterator[Problem]:
    """A name that stands in a Slurm option: partition, GPU type, account."""
    if not _SLURM_NAME.fullmatch(name):
        yield Problem(
            path=path,
            message=f"{name[:60]!r} cannot be a name in Slurm",
            remedy="Use letters, digits and . _ + -; `cfslurm info` shows the names here.",
        )


def tried(path: str, parse: Callable[[str], object], text: str) -> Iterator[Problem]:
    """What a parser says of a text that it refuses."""
    try:
        parse(text)
    except UserInputError as error:
        yield Problem(path=path, message=error.message, remedy=error.remedy)


def unknown(path: str, what: str, word: str, legal: Iterable[str]) -> Problem:
    """A word that names nothing here, with the nearest one that does."""
    near = nearest(word, legal)
    known = ", ".join(sorted(legal)[:8]) or "none"
    return Problem(
        path=path,
        message=f"there is no {what} {word[:60]!r}",
        remedy=f"Did you mean {near!r}?" if near else f"Known here: {known}.",
    )
