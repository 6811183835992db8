"""Whole batch scripts against files that people have read; each is also checked by bash and shellcheck.

To accept a change: `CFSLURM_WRITE_GOLDEN=1 make check`, then read the diff.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from cfslurm.adapters.resources import shipped_text
from cfslurm.adapters.solver import solve
from cfslurm.core.documents import to_json
from cfslurm.core.hardware.graph import HardwareGraph
from cfslurm.core.planner.plan import Plan
from cfslurm.core.render.compile import Compiled, RunSettings
from cfslurm.core.render.node_manifest import node_manifest
from cfslurm.core.render.programs import ProgramPlaces
from cfslurm.core.render.scripts import TEMPLATES, ScriptSettings
from cfslurm.core.run.manifest import read_manifest
from cfslurm.core.run.node_manifest import node_manifest_text
from cfslurm.core.workflow.model import (
    Array,
    Component,
    Gang,
    Model,
    Need,
    Priority,
    SessionSpec,
    Task,
    Work,
    Workflow,
)
from cfslurm.stages.plan import Planning, make_plan
from cfslurm.stages.write_run import compile_run
from tests.builders import ENGINES, KNOWLEDGE, catalog, lab, node, partition, three_sizes, variant
from tests.builders import graph as cluster

GOLDEN = Path(__file__).parent / "sbatch"
RUN_DIR = "/shared/runs of ada/it's-1"
WRITE = os.environ.get("CFSLURM_WRITE_GOLDEN") == "1"

WORKFLOW = Workflow(
    name="study",
    account="lab-a",
    models={
        "judge": Model(repo="acme/model", max_model_len=4096, tensor_parallel_size=1),
        "small": Model(repo="acme/small"),
    },
    tasks={
        "prepare": Task(command=("make", "data"), work=Work(time="5m"), priority=Priority.HIGH),
        "evaluate": Task(
            command=("python3", "evaluate.py", "{item}"),
            model="judge",
            array=Array(range="0-999"),
            work=Work(time="1m"),
            time="3m",
            needs={"prepare": Need.AFTEROK},
        ),
        "report": Task(
            command=("python3", "report.py"),
            work=Work(time="1m"),
            needs={"evaluate": Need.AFTERANY, "agents": Need.AFTEROK},
        ),
    },
    gangs={
        "agents": Gang(
            preemptible=True,
            time="2h",
            work=Work(time="10m"),
            components={
                "writer": Component(
                    command=("serve", "{port}"), model="small", session=SessionSpec()
                ),
                "boss": Component(command=("drive", "{host.writer}")),
            },
        )
    },
)


def plan_for(workflow: Workflow, graph: HardwareGraph) -> Plan:
    planning = Planning(
        workflow=workflow,
        workdir="/home/ada/study",
        item_counts={name: 1000 if task.array else 1 for name, task in workflow.tasks.items()},
        graph=graph,
        catalog=catalog(judge=three_sizes(), small=(variant("none", 16.0, repo="acme/small"),)),
        engines=ENGINES,
        price={},
        knowledge=KNOWLEDGE,
    )
    return make_plan(planning, solver=solve)


def compiled(plan: Plan, graph: HardwareGraph, *, run_dir: str = RUN_DIR) -> Compiled:
    return compile_run(
        plan,
        graph,
        run=RunSettings(
            run_id="study-1",
            run_dir=run_dir,
            workdir="/home/ada/study",
            export=("PATH",),
            places=ProgramPlaces(
                folders={
                    name: f"/models/store/{name.replace('/', '--')}" for name in plan.variants
                },
                cached={name for name in plan.variants if "small" in name},
            ),
            prefetch_partition="",
        ),
        scripts=ScriptSettings(
            python="/opt/cf slurm/bin/python3", account="lab-a", qos="", signal_lead_s=120
        ),
        templates={name: shipped_text(f"sbatch_templates/{name}") for name in TEMPLATES},
    )


@pytest.fixture(scope="module")
def study_plan() -> Plan:
    return plan_for(WORKFLOW, lab())


@pytest.fixture(scope="module")
def study(study_plan: Plan) -> Compiled:
    return compiled(study_plan, lab())


KEYS = ("prefetch", "prepare", "agents", "evaluate", "report")


def test_jobs_come_in_an_order_in_which_needed_ones_are_first(study: Compiled) -> None:
    assert [job.key for job in study.submission.jobs] == [
        "prefetch",
        "agents",
        "prepare",
        "evaluate",
        "report",
    ]
    depends = {
        job.key: sorted((d.need.value, d.key) for d in job.depends) for job in study.submission.jobs
    }
    assert depends == {
        "prefetch": [],
        "prepare": [],
        "agents": [],  # its only model is in the cache
        "evaluate": [("afterok", "prefetch"), ("afterok", "prepare")],
        "report": [("afterany", "evaluate"), ("afterok", "agents")],
    }


@pytest.mark.parametrize("key", KEYS)
def test_script_is_the_golden_one(study: Compiled, key: str) -> None:
    path = GOLDEN / f"{key}.sbatch"
    script = study.submission.job(key).script
    if WRITE:
        path.parent.mkdir(exist_ok=True)
        path.write_text(script)
    assert script == path.read_text()


@pytest.mark.parametrize("key", KEYS)
def test_bash_and_shellcheck_accept_the_script(study: Compiled, key: str, tmp_path: Path) -> None:
    path = tmp_path / "script.sh"
    path.write_text(study.submission.job(key).script)
    subprocess.run(["bash", "-n", path], check=True)
    if shutil.which("shellcheck") is None:
        pytest.skip("shellcheck is not installed")
    done = subprocess.run(["shellcheck", path], capture_output=True, text=True, check=False)
    assert done.stdout == ""


def test_manifest_survives_its_file(study: Compiled) -> None:
    assert read_manifest(to_json(study.manifest)) == study.manifest


def test_node_manifest_is_the_golden_one(study_plan: Plan, study: Compiled) -> None:
    path = GOLDEN / "node_manifest"
    text = node_manifest_text(node_manifest(plan=study_plan, manifest=study.manifest))
    assert text is not None
    if WRITE:
        path.write_text(text)
    assert text == path.read_text()


def test_manifest_knows_a_variant_for_every_class_of_the_array(study: Compiled) -> None:
    parts = study.manifest.arrays["evaluate"].parts
    assert sum(part.count for part in parts.values()) == 1000
    (part,) = parts.values()
    chosen = {name: place.quantization for name, place in part.variants.items()}
    assert chosen["rtx4090-x8"] == "awq"
    assert set(chosen) == set(study.submission.job("evaluate").classes)  # type: ignore[union-attr]


def test_array_larger_than_max_array_size_is_packed(study: Compiled) -> None:
    job = study.submission.job("evaluate")
    assert job.tasks <= 1001  # type: ignore[union-attr]


def test_two_variants_on_one_class_are_two_arrays() -> None:
    graph = lab()
    plan = plan_for(WORKFLOW, graph)
    (first, *rest) = plan.choices_of("evaluate")
    other = next(
        name for name in ("acme/model@none", "acme/model-fp8@fp8") if name != first.variant
    )
    half = first.items // 2
    split = (
        replace(first, items=first.items - half),
        replace(first, variant=other, items=half),
        *rest,
    )
    others = tuple(choice for choice in plan.choices if choice.group != "evaluate")
    variants = {v.id: v for v in three_sizes()} | dict(plan.variants)
    done = compiled(replace(plan, choices=(*others, *split), variants=variants), graph)
    parts = done.manifest.arrays["evaluate"].parts
    assert {
        key: part.variants[first.node_class].variant
        for key, part in parts.items()
        if first.node_class in part.variants
    } == {
        "evaluate": first.variant,
        "evaluate.2": other,
    }
    covered = sorted(
        i for part in parts.values() for i in range(part.first, part.first + part.count)
    )
    assert covered == list(range(1000))


def test_component_that_excludes_nodes_comes_last() -> None:
    # Without a telling feature the CPU node is found by excluding the GPU nodes, and sbatch would
    # carry that --exclude on to the components behind it.
    both = ("preempt",)
    graph = cluster(
        [node("g1", "gpu:rtx4090:1", partitions=both), node("c1", partitions=both)],
        [partition("preempt", preempt=True)],
    )
    gang = Gang(
        preemptible=True,
        components={
            "boss": Component(command=("drive",)),
            "writer": Component(command=("serve",), model="small"),
        },
    )
    workflow = Workflow(name="w", models={"small": Model(repo="acme/small")}, gangs={"g": gang})
    done = compiled(plan_for(workflow, graph), graph)
    job = done.submission.job("g")
    assert job.components == ("writer", "boss")  # type: ignore[union-attr]
    assert [ask.exclude for ask in job.asks] == ["", "g1"]  # type: ignore[union-attr]
    offsets = {part.name: part.het_offset for part in done.manifest.gangs["g"].components}
    assert offsets == {"writer": 0, "boss": 1}
