"""What a user gets from PyPI: built as for a release, installed where the checkout cannot be seen."""

from __future__ import annotations

import email
import json
import os
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile
from collections.abc import Iterator
from configparser import ConfigParser
from dataclasses import dataclass
from pathlib import Path

import pytest

from cfslurm import __version__
from cfslurm.adapters.files import json_text
from cfslurm.errors import SetupError
from cfslurm.sandbox.programs import find_programs
from tests import builders

REPOSITORY = Path(__file__).parent.parent.parent
SHIPPED = ("gres_templates", "sbatch_templates", "site_configs")
EXAMPLES = ("agents", "evaluate", "hello")
Completed = subprocess.CompletedProcess[str]

# Everything between a workflow and the scripts that sbatch would get, on a recorded cluster.
_RENDER = """
import sys
from pathlib import Path
from cfslurm.wiring import live
from cfslurm.wiring.planning import load, make
from cfslurm.wiring.running import compile_for
context = live(None)
planned = make(load(Path(sys.argv[1]), context), context, say=str, hardware=Path(sys.argv[2]))
run = compile_for(planned, context, run_id="r", run_dir=Path("/runs/r"))
print(*(job.script for job in run.submission.jobs), sep="")
"""
_WHERE = """
from importlib.resources import files
import cfslurm, sys
print(files("cfslurm"))
for name in sys.argv[1:]:
    print(*sorted(entry.name for entry in files("cfslurm").joinpath(name).iterdir()))
"""


@dataclass(frozen=True)
class Built:
    wheel: Path
    sdist: Path


@dataclass(frozen=True)
class Installed:
    """A virtual environment that holds one wheel, beside the libraries of ours."""

    folder: Path
    home: Path

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    @property
    def environment(self) -> dict[str, str]:
        path = f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
        return {**os.environ, "HOME": str(self.home), "PATH": path}

    def run(self, *argv: str | Path, **variables: str) -> Completed:
        return subprocess.run(
            [str(word) for word in argv], env={**self.environment, **variables}, cwd=self.home,
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip

    def cfslurm(self, *argv: str | Path, **variables: str) -> Completed:
        return self.run(self.folder / "bin" / "cfslurm", *argv, **variables)


def _install(wheel: Path, folder: Path) -> Installed:
    """Into an empty environment. Our libraries come by a .pth file, which does not read theirs: so
    nothing leads to the checkout, from which our own cfslurm is installed."""
    installed = Installed(folder=folder / "venv", home=folder / "home")
    installed.home.mkdir()
    venv.create(installed.folder, symlinks=True)
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", installed.python)
    done = installed.run(*pip, "install", "--no-deps", "--no-index", wheel)
    assert done.returncode == 0, done.stderr
    (site,) = installed.folder.glob("lib/python3*/site-packages")
    libraries = dict.fromkeys((sysconfig.get_path("purelib"), sysconfig.get_path("platlib")))
    (site / "libraries.pth").write_text("".join(f"{library}\n" for library in libraries))
    return installed


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The sdist, and the wheel that is built from it."""
    folder = tmp_path_factory.mktemp("dist")
    done = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, REPOSITORY],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return Built(wheel=wheel, sdist=sdist)


@pytest.fixture(scope="module")
def names(built: Built) -> set[str]:
    with zipfile.ZipFile(built.wheel) as wheel:
        return set(wheel.namelist())


@pytest.fixture(scope="module")
def installed(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return _install(built.wheel, tmp_path_factory.mktemp("installed"))


@pytest.fixture
def hardware(tmp_path: Path) -> Path:
    path = tmp_path / "hardware.json"
    path.write_text(json_text(builders.lab()))
    return path


def test_wheel_holds_the_package_and_the_folders_of_the_top_level(names: set[str]) -> None:
    info = f"cfslurm-{__version__}.dist-info"
    assert {name.split("/")[0] for name in names} == {"cfslurm", info}
    assert {"cfslurm/py.typed", f"{info}/licenses/LICENSE"} <= names
    folders = [*SHIPPED, *(f"examples/{name}" for name in EXAMPLES)]
    for folder in folders:
        for path in _files(REPOSITORY / folder):
            assert f"cfslurm/{folder}/{path}" in names
    assert {name.split("/")[2] for name in names if name.startswith("cfslurm/examples/")} == set(
        EXAMPLES
    )
    for path in _files(REPOSITORY / "cfslurm"):
        assert f"cfslurm/{path}" in names


def _files(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith("."):
            yield path.relative_to(folder)


def test_nothing_else_is_in_the_wheel(names: set[str]) -> None:
    assert not [
        name
        for name in names
        if name.endswith((".pyc", ".h5", ".so", ".toml"))
        or {"tests", "benchmarks", "docs", "__pycache__"} & set(name.split("/"))
    ]


def test_sdist_can_be_built_and_tested_from(built: Built) -> None:
    with tarfile.open(built.sdist) as sdist:
        found = {name.partition("/")[2] for name in sdist.getnames()}
    assert {
        "pyproject.toml", "README.md", "LICENSE", "Makefile", "constraints/dev.txt",
        "scripts/bootstrap", "tests/packaging/test_wheel.py", "examples/lab/workflow.yaml",
        "sbatch_templates/array.sh.j2", "cfslurm/py.typed", "benchmarks/startup.py",
    } <= found  # fmt: skip
    assert not [name for name in found if name.startswith((".venv", ".demo", ".peers"))]


def test_metadata_says_what_pyproject_says(built: Built, names: set[str]) -> None:
    info = f"cfslurm-{__version__}.dist-info"
    with zipfile.ZipFile(built.wheel) as wheel:
        metadata = email.message_from_bytes(wheel.read(f"{info}/METADATA"))
        points = ConfigParser()
        points.read_string(wheel.read(f"{info}/entry_points.txt").decode())
        tags = email.message_from_bytes(wheel.read(f"{info}/WHEEL"))
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    assert (metadata["Name"], metadata["Version"]) == ("cfslurm", __version__)
    assert metadata["Requires-Python"] == project["requires-python"] == ">=3.11"
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata.get_all("Provides-Extra") == sorted(extras)
    required = metadata.get_all("Requires-Dist") or []
    assert len(required) == len(project["dependencies"]) + sum(map(len, extras.values()))
    assert {line for line in required if "extra ==" in line} == {
        "agent-framework-core>=1.20; extra == 'agent-framework'",
        "cryptography>=42; extra == 'encryption'",
        "highspy>=1.10; extra == 'highs'",
        "langgraph-checkpoint>=4.1; extra == 'langgraph'",
        "openai-agents>=0.20; extra == 'openai-agents'",
        "pyslurm; extra == 'pyslurm'",
        "xxhash>=3.4; extra == 'fast'",
    }
    assert dict(points["console_scripts"]) == {"cfslurm": "cfslurm.cli.main:run"}
    assert tags["Tag"] == "py3-none-any"


def test_installed_package_finds_its_own_files(installed: Installed) -> None:
    done = installed.run(installed.python, "-I", "-c", _WHERE, *SHIPPED, "examples")
    assert done.returncode == 0, done.stderr
    where, gres, sbatch, site, examples = done.stdout.splitlines()
    assert Path(where).is_relative_to(installed.folder)
    assert "gres.conf.j2" in gres
    assert "array.sh.j2" in sbatch
    assert "sandbox.yaml.j2" in site
    assert examples == " ".join(EXAMPLES)


def test_nothing_leads_to_the_checkout(installed: Installed) -> None:
    done = installed.run(installed.python, "-c", "import sys; print(*sys.path, sep='\\n')")
    paths = [Path(line) for line in done.stdout.splitlines() if line]
    assert REPOSITORY not in paths
    found = [path for path in paths if (path / "cfslurm" / "__init__.py").exists()]
    assert found == [_site(installed)]


def _site(installed: Installed) -> Path:
    (site,) = installed.folder.glob("lib/python3*/site-packages")
    return site


def test_first_commands(installed: Installed) -> None:
    assert "cfslurm doctor" in installed.cfslurm("--help").stdout
    version = json.loads(installed.cfslurm("version", "--json").stdout)
    assert version["versions"]["cfslurm"] == __version__
    schema = json.loads(installed.cfslurm("schema", "workflow").stdout)
    assert schema["title"] == "cfslurm workflow, version 1"
    for name in EXAMPLES:
        begun = installed.cfslurm("init", name, "--template", name)
        assert begun.returncode == 0, begun.stderr
        done = installed.cfslurm("validate", f"{name}/workflow.yaml")
        assert done.returncode == 0, done.stderr


def test_batch_script_is_rendered_from_the_wheel(installed: Installed, hardware: Path) -> None:
    assert installed.cfslurm("init", "render").returncode == 0
    words = (installed.python, "-I", "-c", _RENDER, "render/workflow.yaml", hardware)
    done = installed.run(*words)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("#!/bin/bash\n")
    assert "#SBATCH --array=0-" in done.stdout
    assert f"{installed.python} -I -m cfslurm.node" in done.stdout
    assert str(REPOSITORY) not in done.stdout


@pytest.mark.parametrize("missing", ["sbatch_templates", "gres_templates"])
def test_wheel_without_templates_would_be_found_out(
    built: Built, hardware: Path, tmp_path: Path, missing: str
) -> None:
    """The tests above see the wheel and not the checkout: with less in it they fail."""
    poorer = tmp_path / built.wheel.name
    with zipfile.ZipFile(built.wheel) as whole, zipfile.ZipFile(poorer, "w") as less:
        for name in whole.namelist():
            if not name.startswith(f"cfslurm/{missing}/"):
                less.writestr(name, whole.read(name))
    installed = _install(poorer, tmp_path)
    assert installed.cfslurm("init", "render").returncode == 0
    done = (
        installed.run(installed.python, "-I", "-c", _RENDER, "render/workflow.yaml", hardware)
        if missing == "sbatch_templates"
        else installed.cfslurm("sandbox", "up", "--dir", tmp_path / "sandbox")
    )
    assert done.returncode != 0
    assert f"{missing}" in done.stderr
    assert "is missing from this installation of cfslurm" in done.stderr


@pytest.mark.slurm
def test_installed_package_starts_a_slurm_and_runs_work_on_it(
    installed: Installed, tmp_path: Path
) -> None:
    try:
        find_programs(accounting=False)
    except SetupError as error:
        pytest.skip(error.message)
    where = ("--dir", tmp_path / "sandbox")
    up = installed.cfslurm("sandbox", "up", *where, "--profile", "tiny", "--json")
    assert up.returncode == 0, up.stderr
    try:
        variables = {
            **json.loads(up.stdout)["sandbox"]["environment"],
            "CFSLURM_RUNS": str(tmp_path / "runs"),
        }
        (tmp_path / "w.yaml").write_text(
            "schema: cfslurm.workflow/1\nname: w\ntasks:\n"
            "  t: {command: [echo, 'item {item}'], array: {range: 0-2}, resources: {mem: 64M}, time: 1m}\n"
        )
        submitted = installed.cfslurm("submit", tmp_path / "w.yaml", "--parsable", **variables)
        assert submitted.returncode == 0, submitted.stderr
        done = installed.cfslurm("logs", submitted.stdout.strip(), "--follow", **variables)
        assert done.returncode == 0, done.stderr
        status = installed.cfslurm("status", submitted.stdout.strip(), "--json", **variables)
        assert json.loads(status.stdout)["run"]["state"] == "done"
    finally:
        down = installed.cfslurm("sandbox", "down", *where)
    assert down.returncode == 0, down.stderr
