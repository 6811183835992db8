"""Commands of a workflow → programs of the manifest: where they run, and with which variant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from posixpath import join

from cfslurm.core.models.variants import Variant
from cfslurm.core.planner.plan import Choice, Plan
from cfslurm.core.run.manifest import Program, ProgramSession, VariantPlace
from cfslurm.core.slurm.units import duration_s
from cfslurm.core.workflow.model import Component, SessionSpec, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramPlaces:
    """Where each variant of the plan lies or will lie, and which of them are there already."""

    folders: Mapping[str, str]
    cached: Set[str]


def task_program(task: Task, plan: Plan) -> Program:
    """The program of a task; its variants belong to its jobs."""
    return _program(task, plan)


def component_program(
    component: Component, choice: Choice, plan: Plan, places: ProgramPlaces
) -> Program:
    """The program of a gang's component."""
    return replace(_program(component, plan), variants=variants_by_class([choice], plan, places))


def variants_by_class(
    choices: Sequence[Choice], plan: Plan, places: ProgramPlaces
) -> dict[str, VariantPlace]:
    """The variant of each node class; every class stands in one of the choices at the most."""
    return {choice.node_class: _place(choice, plan, places) for choice in choices if choice.variant}


def _program(part: Task | Component, plan: Plan) -> Program:
    return Program(
        command=part.command,
        environment=dict(part.env),
        workdir=join(plan.workdir, part.workdir) if part.workdir else plan.workdir,
        variants={},
        session=_session(part.session, plan.workdir) if part.session else None,
    )


def _session(session: SessionSpec, workdir: str) -> ProgramSession:
    key_file = session.key_file
    if key_file is not None and not key_file.startswith("~"):
        key_file = join(workdir, key_file)
    return ProgramSession(
        checkpoint_s=duration_s(session.checkpoint),
        keep=session.keep,
        keep_hourly=session.keep_hourly,
        keep_daily=session.keep_daily,
        is_coordinated=session.coordinated,
        compression=session.compression,
        group=session.group,
        key_file=key_file,
    )


def _place(choice: Choice, plan: Plan, places: ProgramPlaces) -> VariantPlace:
    variant = plan.variants[choice.variant]
    return VariantPlace(
        variant=variant.id,
        repo_id=variant.repo_id,
        revision=variant.revision,
        quantization=variant.quantization,
        path=model_path(variant, places.folders[variant.id]),
        tensor_parallel_size=choice.gpus,
        max_model_len=plan.workflow.models[choice.model].max_model_len,
    )


def model_path(variant: Variant, folder: str) -> str:
    """What an engine is given: the folder, or for GGUF the first file of the group."""
    if variant.family != "gguf":
        return folder
    first = min(file.path for file in variant.files if file.is_weights)
    return join(folder, first)
