"""The ``{…}`` in commands: what they may name, and how they are filled in.

Only ``{word}`` and ``{word.word}`` are placeholders. ``${HOME}``, ``{"json": 1}`` and ``{}`` stay as
they are; ``{{word}}`` gives a literal ``{word}``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_PLACEHOLDER = re.compile(
    r"\{\{([A-Za-z_][\w-]*(?:\.[\w-]+)?)\}\}|(?<!\$)\{([A-Za-z_][\w-]*(?:\.[\w-]+)?)\}"
)

# Filled in on the node, for every command.
COMMON = ("run_id", "run_dir", "node_class", "workdir")
WITH_MODEL = ("model_path", "variant", "quantization", "tensor_parallel_size", "max_model_len")
WITH_SESSION = ("session",)
IN_TASK = ("index",)
IN_GANG = ("component", "replica", "host", "port")


def used(command: tuple[str, ...]) -> tuple[str, ...]:
    """The placeholders of a command, sorted, each once."""
    found = {match[2] for word in command for match in _PLACEHOLDER.finditer(word) if match[2]}
    return tuple(sorted(found))


def fill(command: tuple[str, ...], values: Mapping[str, str]) -> tuple[str, ...]:
    """The command with its placeholders replaced, word by word: a value never becomes two words.

    >>> fill(("cat", "{item}.txt", "${HOME}", "{{item}}"), {"item": "a b; rm"})
    ('cat', 'a b; rm.txt', '${HOME}', '{item}')
    """

    def replaced(match: re.Match[str]) -> str:
        return f"{{{match[1]}}}" if match[1] else values[match[2]]

    return tuple(_PLACEHOLDER.sub(replaced, word) for word in command)
