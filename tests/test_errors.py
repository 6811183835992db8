"""The tree in the docstring of cfslurm.errors is what the code has: names, parents, exit codes."""

from __future__ import annotations

import importlib
import pkgutil
import re

import cfslurm
from cfslurm import errors
from cfslurm.errors import CfslurmError

_LINE = re.compile(r"^([│ ]*)[├└]─ (\w+Error) +(\d+)( +yes)?", re.MULTILINE)


def _told() -> dict[str, tuple[str, int, bool]]:
    """Name → parent, exit code and whether trying again can help, as the docstring draws them."""
    found: dict[str, tuple[str, int, bool]] = {}
    parents = ["CfslurmError"]
    for match in _LINE.finditer(errors.__doc__ or ""):
        depth = len(match[1]) // 3 + 1
        found[match[2]] = (parents[depth - 1], int(match[3]), match[4] is not None)
        parents[depth:] = [match[2]]
    return found


def _classes(parent: type[CfslurmError]) -> dict[str, tuple[str, int, bool]]:
    found = {}
    for child in parent.__subclasses__():
        if child.__module__.startswith("cfslurm."):
            found[child.__name__] = (parent.__name__, child.exit_code, child.transient)
            found |= _classes(child)
    return found


def test_docstring_draws_every_error_with_its_place_and_code() -> None:
    for module in pkgutil.walk_packages(cfslurm.__path__, "cfslurm."):
        if not module.name.endswith("__main__") and ".examples" not in module.name:
            importlib.import_module(module.name)
    assert _told() == _classes(CfslurmError)
