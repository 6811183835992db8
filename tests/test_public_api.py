"""`import cfslurm`: which names there are, what they cost, and that they are told of."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import cfslurm

NAMES = sorted(set(cfslurm.__all__) - {"__version__"})
HEAVY = {
    "click", "h5py", "highspy", "huggingface_hub", "jinja2", "numpy", "pulp", "pydantic", "pynvml",
    "pyslurm", "rich", "yaml",
}  # fmt: skip
READS_FILES = {"dump_workflow", "load_workflow"}
DOCS = Path(__file__).parent.parent / "docs" / "reference" / "python-api.md"


def _imported(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-I", "-c", f"{code}\nimport sys; print(*sys.modules)"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return set(done.stdout.split())


def test_names_are_sorted_as_they_are_listed() -> None:
    assert cfslurm.__all__ == sorted(cfslurm.__all__)
    assert dir(cfslurm) == cfslurm.__all__


@pytest.mark.parametrize("name", NAMES)
def test_name_exists_and_says_what_it_is(name: str) -> None:
    thing = getattr(cfslurm, name)
    assert thing.__name__ == name
    # Not the signature that a dataclass writes for itself.
    assert not (inspect.getdoc(thing) or f"{name}(").startswith(f"{name}(")


@pytest.mark.parametrize("name", NAMES)
def test_name_stands_in_the_reference(name: str) -> None:
    assert re.search(rf"`{name}\b", DOCS.read_text(encoding="utf-8"))


def test_type_checkers_see_the_same_names() -> None:
    tree = ast.parse(inspect.getsource(cfslurm))
    seen = {
        alias.name: node.module
        for block in tree.body
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for node in ast.walk(block)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert seen == cfslurm._PLACES
    assert sorted(seen) == NAMES


def test_unknown_name_is_an_attribute_error_and_no_import() -> None:
    with pytest.raises(AttributeError, match="module 'cfslurm' has no attribute 'Workflows'"):
        cfslurm.Workflows  # noqa: B018
    with pytest.raises(ImportError, match="cannot import name 'Nothing'"):
        exec("from cfslurm import Nothing")


def test_star_brings_exactly_the_public_names() -> None:
    found: dict[str, object] = {}
    exec("from cfslurm import *", found)
    assert set(found) - {"__builtins__"} == set(cfslurm.__all__)


def test_import_alone_reads_nothing_of_the_package() -> None:
    assert {m for m in _imported("import cfslurm") if m.startswith("cfslurm.")} == set()


def test_description_and_session_need_the_standard_library_only() -> None:
    names = ", ".join(name for name in NAMES if name not in READS_FILES)
    assert not _imported(f"from cfslurm import {names}") & HEAVY


def test_files_are_read_without_what_only_jobs_and_plans_need() -> None:
    names = ", ".join(READS_FILES)
    assert _imported(f"from cfslurm import {names}") & HEAVY == {"pydantic", "yaml"}


def test_session_is_what_jobs_open(tmp_path: Path) -> None:
    with cfslurm.Session.open("agent", directory=tmp_path) as session:
        session["step"] = 3
    assert cfslurm.Session.read(tmp_path / "agent").state == {"step": 3}
