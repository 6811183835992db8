"""Plan → a run's directory: every document and script that the run needs, before Slurm hears of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from cfslurm.core.hardware.graph import HardwareGraph
from cfslurm.core.models.variants import ModelCatalog
from cfslurm.core.planner.plan import Plan
from cfslurm.core.render.compile import Compiled, RunSettings, compile_plan
from cfslurm.core.render.node_manifest import node_manifest
from cfslurm.core.render.scripts import ScriptSettings, with_scripts
from cfslurm.core.run import names
from cfslurm.core.run.description import RunDescription
from cfslurm.core.run.node_manifest import node_manifest_text
from cfslurm.core.run.sources import ModelSources
from cfslurm.core.workflow.model import ItemValue
from cfslurm.ports import RunStore


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContent:
    """Everything that goes into a run's directory.

    ``workflow_text`` is the workflow as YAML; ``items`` holds the items of each array.
    """

    description: RunDescription
    workflow_text: str
    graph: HardwareGraph
    catalog: ModelCatalog | None
    plan: Plan
    items: Mapping[str, tuple[ItemValue, ...]]
    sources: ModelSources


def compile_run(
    plan: Plan,
    graph: HardwareGraph,
    *,
    run: RunSettings,
    scripts: ScriptSettings,
    templates: Mapping[str, str],
) -> Compiled:
    """The jobs with their scripts, and the manifest."""
    compiled = compile_plan(plan, graph, run)
    submission = with_scripts(compiled.submission, templates, scripts)
    return Compiled(submission=submission, manifest=compiled.manifest)


def write_run(store: RunStore, content: RunContent, compiled: Compiled) -> None:
    """Write all documents of a run; the description comes last, as the sign that the rest is there."""
    store.write_text(names.WORKFLOW, content.workflow_text)
    store.write_document(names.HARDWARE, content.graph)
    if content.catalog is not None:
        store.write_document(names.CATALOG, content.catalog)
    store.write_document(names.PLAN, content.plan)
    store.write_document(names.MANIFEST, compiled.manifest)
    for_nodes = node_manifest_text(node_manifest(plan=content.plan, manifest=compiled.manifest))
    if for_nodes is not None:
        store.write_text(names.NODE_MANIFEST, for_nodes)
    store.write_document(names.SOURCES, content.sources)
    for name, values in content.items.items():
        lines = (json.dumps(value, ensure_ascii=False) + "\n" for value in values)
        store.write_text(f"{names.ITEMS}/{name}.jsonl", "".join(lines))
    for job in compiled.submission.jobs:
        store.write_text(f"{names.SUBMISSION}/{job.key}.sbatch", job.script)
    store.write_document(names.JOBS, compiled.submission)
    store.write_document(names.DESCRIPTION, content.description)
