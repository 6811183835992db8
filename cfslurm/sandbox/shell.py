"""A sandbox in the user's shell: the variables that point there, and a shell that has them."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from typing import NoReturn

from cfslurm.adapters.process import client_environment
from cfslurm.errors import UserInputError

# Programs of Slurm would go to another cluster, or take the user's job for the parent of theirs.
IN_THE_WAY = "SLURM_CLUSTERS"


def exports(variables: Mapping[str, str], *, inherited: Mapping[str, str]) -> str:
    """Lines for ``eval "$(…)"`` in a POSIX shell."""
    lines = [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    if IN_THE_WAY in inherited:
        lines.append(f"unset {IN_THE_WAY}")
    return "\n".join(lines)


def fish_exports(variables: Mapping[str, str], *, inherited: Mapping[str, str]) -> str:
    """Lines for ``… | source`` in fish."""
    lines = [f"set -gx {name} {_fish_quoted(value)}" for name, value in variables.items()]
    if IN_THE_WAY in inherited:
        lines.append(f"set -e {IN_THE_WAY}")
    return "\n".join(lines)


def unsets(variables: Mapping[str, str]) -> str:
    """The reverse of `exports`."""
    return f"unset {' '.join(variables)}"


def fish_unsets(variables: Mapping[str, str]) -> str:
    """The reverse of `fish_exports`."""
    return f"set -e {' '.join(variables)}"


def become(command: tuple[str, ...], variables: Mapping[str, str]) -> NoReturn:
    """Go on as this command, with the sandbox in its environment: its exit code becomes ours.

    Raises:
        UserInputError: there is no such program.
    """
    environment = client_environment(variables)
    environment.pop(IN_THE_WAY, None)
    try:
        os.execvpe(command[0], command, environment)
    except OSError as error:
        raise UserInputError(
            f"{command[0]} cannot be started: {error.strerror}",
            remedy="Name a program that is on PATH: `cfslurm sandbox shell -- sinfo`.",
        ) from error


def _fish_quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
