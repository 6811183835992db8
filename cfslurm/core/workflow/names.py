"""Names of models, tasks, gangs and components: they become job names, folders and variables."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"
_NAME = re.compile(NAME_PATTERN.strip("^$"))


def is_name(text: str) -> bool:
    """True for 1 to 63 letters, digits, dots, dashes and underscores that begin with a letter or digit."""
    return _NAME.fullmatch(text) is not None


def variable(name: str) -> str:
    """A name as part of an environment variable.

    >>> variable("vision-agent.2")
    'VISION_AGENT_2'
    """
    return re.sub(r"[^A-Z0-9]", "_", name.upper())


def nearest(word: str, legal: Iterable[str]) -> str | None:
    """The legal word that was probably meant."""
    found = difflib.get_close_matches(word, sorted(legal), n=1, cutoff=0.6)
    return found[0] if found else None
