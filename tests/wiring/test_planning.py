"""Plans and catalogues in files: what a site or a user forbids stays forbidden."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from cfslurm.adapters.clock import SystemClock
from cfslurm.adapters.environment import read_environment
from cfslurm.adapters.files import json_text
from cfslurm.adapters.process import run
from cfslurm.adapters.solver import solve
from cfslurm.core.site.settings import Layer, settle
from cfslurm.core.workflow.model import Array, Model, Task, Workflow
from cfslurm.errors import InfeasibleError, UserInputError
from cfslurm.stages.plan import Planning, make_plan
from cfslurm.wiring import Context
from cfslurm.wiring.planning import load, make
from tests.builders import ENGINES, KNOWLEDGE, catalog, lab, variant

STUDY = Workflow(
    name="study",
    models={"judge": Model(repo="acme/model")},
    tasks={"evaluate": Task(command=("e",), model="judge", array=Array(range="0-9"))},
)
CATALOG = catalog(judge=[variant("none", 15)])


def context(tmp_path: Path, values: Mapping[str, tuple[str, ...]]) -> Context:
    layer = Layer(values=values, origins={name: "site.yaml:7" for name in values})
    return Context(
        environment=read_environment(),
        settings=settle([layer], user="ada", home=str(tmp_path)),
        site_file=None,
        run=run,
        clock=SystemClock(),
    )


def plan_file(tmp_path: Path) -> Path:
    planning = Planning(
        workflow=STUDY,
        workdir=str(tmp_path),
        item_counts={"evaluate": 10},
        graph=lab(),
        catalog=CATALOG,
        engines=ENGINES,
        price={},
        knowledge=KNOWLEDGE,
    )
    path = tmp_path / "plan.json"
    path.write_text(json_text(make_plan(planning, solver=solve)))
    return path


def test_a_plan_with_what_is_forbidden_is_refused(tmp_path: Path) -> None:
    path = plan_file(tmp_path)
    assert load(path, context(tmp_path, {"model_organizations": ("acme",)})).plan is not None
    with pytest.raises(UserInputError) as raised:
        load(path, context(tmp_path, {"model_organizations": ("other",)}))
    assert "plans with acme/model@none, which is not allowed" in raised.value.message
    assert "(site.yaml:7)" in raised.value.message


def test_a_recorded_catalogue_gives_only_what_is_allowed(tmp_path: Path) -> None:
    (tmp_path / "catalog.json").write_text(json_text(CATALOG))
    (tmp_path / "hardware.json").write_text(json_text(lab()))
    (tmp_path / "workflow.yaml").write_text(
        "name: study\nmodels: {judge: {repo: acme/model}}\n"
        "tasks: {evaluate: {command: [e], model: judge, array: {range: 0-9}}}\n"
    )
    files = {"hardware": tmp_path / "hardware.json", "catalog_file": tmp_path / "catalog.json"}
    free = context(tmp_path, {})
    workflow = load(tmp_path / "workflow.yaml", free)
    assert make(workflow, free, say=lambda text: None, **files).plan.variants
    with pytest.raises(InfeasibleError) as raised:
        make(workflow, context(tmp_path, {"my_formats": ("gguf",)}), say=lambda text: None, **files)
    assert "site.yaml:7" in " ".join(raised.value.reasons)
