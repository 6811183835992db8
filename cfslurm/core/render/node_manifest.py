"""Plan and manifest → what the SPANK plugin may know of a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from cfslurm.core.planner.plan import Plan
from cfslurm.core.run.manifest import Manifest, VariantPlace
from cfslurm.core.run.node_manifest import ClassLine, ModelLine, NodeManifest


def node_manifest(*, plan: Plan, manifest: Manifest) -> NodeManifest:
    """Nodes, classes, and the variant of every array and component: no command, no environment."""
    return NodeManifest(
        run_id=manifest.run_id,
        run_dir=manifest.run_dir,
        nodes={node: one.name for one in plan.classes for node in one.node_names},
        classes=tuple(
            ClassLine(
                name=one.name,
                gpu_type=one.gpu_type,
                gpu_count=one.gpu_count,
                gpu_memory_mib=one.facts.memory_mib if one.facts else 0,
            )
            for one in plan.classes
        ),
        models=tuple(_models(plan, manifest)),
    )


def _models(plan: Plan, manifest: Manifest) -> Iterator[ModelLine]:
    for name, entry in manifest.arrays.items():
        for key, part in entry.parts.items():
            yield from _lines(plan, key, plan.workflow.tasks[name].model, part.variants)
    for name, gang in manifest.gangs.items():
        for one in gang.components:
            model = plan.workflow.gangs[name].components[one.name].model
            yield from _lines(plan, f"{name}/{one.name}", model, one.program.variants)


def _lines(
    plan: Plan, key: str, model: str | None, variants: Mapping[str, VariantPlace]
) -> Iterator[ModelLine]:
    for node_class, place in variants.items():
        files = plan.variants[place.variant].files
        yield ModelLine(
            key=key,
            node_class=node_class,
            model=plan.workflow.models[model].repo if model else "",
            place=place,
            files=len(files),
            total_bytes=sum(file.size_bytes for file in files),
        )
