"""The names of models that this user has looked at: shells complete them without asking anybody."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable
from pathlib import Path

from cfslurm.adapters.files import write_atomic

FILE = "models.txt"
_MOST = 500
_LARGEST_BYTES = 100_000
# Shells expand what completions offer: nothing else may stand in the file.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,193}")


def remember(folder: Path, names: Iterable[str]) -> None:
    """Add names to the file, the newest first; a file that cannot be written costs nothing."""
    path = folder / FILE
    with contextlib.suppress(OSError, UnicodeDecodeError):
        known: list[str] = []
        if path.is_file() and path.stat().st_size <= _LARGEST_BYTES:
            known = path.read_text(encoding="ascii").split()
        wanted = [name for name in dict.fromkeys((*names, *known)) if _NAME.fullmatch(name)]
        if wanted[:_MOST] != known:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_atomic(path, "".join(f"{name}\n" for name in wanted[:_MOST]).encode(), mode=0o600)
