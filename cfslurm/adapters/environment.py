"""The only place that reads the environment, the user's name and the host's name."""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """The process' surroundings at its start."""

    variables: Mapping[str, str]
    user: str
    uid: int
    home: Path
    host: str
    directory: Path

    def get(self, name: str) -> str | None:
        """A variable; an empty one counts as absent."""
        return self.variables.get(name) or None


def read_environment() -> Environment:
    """Look around once."""
    uid = os.getuid()
    try:
        entry = pwd.getpwuid(uid)
        user, home = entry.pw_name, entry.pw_dir
    except KeyError:  # a uid without a passwd entry, as in some containers
        user, home = str(uid), "/"
    return Environment(
        variables=dict(os.environ),
        user=user,
        uid=uid,
        home=Path(os.environ.get("HOME") or home),
        host=os.uname().nodename,
        directory=Path.cwd(),
    )
