"""Files that come with cfslurm: templates, site configs, examples, tables."""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable

_PACKAGE = files("cfslurm")


def shipped(name: str) -> Traversable:
    """A shipped file or folder by its name in the repository: ``sbatch_templates/array.sh.j2``.

    In a wheel the top-level folders lie inside the package; in a checkout they lie beside it.
    """
    inside = _PACKAGE.joinpath(*name.split("/"))
    if inside.is_file() or inside.is_dir():
        return inside
    beside = _PACKAGE.joinpath("..", *name.split("/"))
    if beside.is_file() or beside.is_dir():
        return beside
    raise FileNotFoundError(f"{name} is missing from this installation of cfslurm")


def shipped_text(name: str) -> str:
    """The text of a shipped file."""
    return shipped(name).read_text(encoding="utf-8")
