"""What was said before the command's name; every command gets it as ``ctx.obj``."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of `cfslurm` itself."""

    site: str | None = None
