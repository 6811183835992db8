"""From a file that the user names to a plan."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from cfslurm.adapters.files import read_json
from cfslurm.adapters.item_files import load_items
from cfslurm.adapters.solver import solve
from cfslurm.adapters.validated import validate_json
from cfslurm.adapters.workflow_file import dump_workflow, load_workflow
from cfslurm.core.hardware.graph import HardwareGraph
from cfslurm.core.hardware.parts import Freshness
from cfslurm.core.models.policy import forbidden, permitted, read_policy
from cfslurm.core.models.variants import ModelCatalog
from cfslurm.core.planner.plan import Plan
from cfslurm.core.workflow.model import ItemValue, Workflow
from cfslurm.errors import UserInputError
from cfslurm.stages.catalogue import Sources, discover
from cfslurm.stages.plan import Planning, make_plan
from cfslurm.wiring import Context
from cfslurm.wiring.calibrating import knowledge
from cfslurm.wiring.reading import HARVEST, recorded

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A workflow with its items, and the plan if the file was one."""

    source: Path
    workflow: Workflow
    workdir: Path
    items: dict[str, tuple[ItemValue, ...]]
    plan: Plan | None

    @property
    def item_counts(self) -> dict[str, int]:
        """The number of items of every task."""
        return {name: len(self.items.get(name, (None,))) for name in self.workflow.tasks}

    @property
    def digest(self) -> str:
        """What tells this work from other work: sha256 of workflow, folder and items."""
        text = json.dumps(
            [dump_workflow(self.workflow), str(self.workdir), self.items], ensure_ascii=False
        )
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A plan with all that it was made from; no catalogue if the plan came from a file."""

    loaded: Loaded
    graph: HardwareGraph
    catalog: ModelCatalog | None
    plan: Plan


def load(path: Path, context: Context) -> Loaded:
    """Read a workflow, or a plan (``.json``), and the items of its arrays.

    Raises:
        UserInputError: a file cannot be read.
        InvalidFileError: everything that is wrong with the workflow.
    """
    plan = _load_plan(path, context) if path.suffix == ".json" else None
    workflow = plan.workflow if plan else load_workflow(path)
    workflow = replace(
        workflow,
        account=workflow.account or context.settings.text("account") or None,
        qos=workflow.qos or context.settings.text("qos") or None,
    )
    workdir = Path(plan.workdir) if plan else path.resolve().parent
    loaded = Loaded(
        source=path.resolve(),
        workflow=workflow,
        workdir=workdir,
        items=load_items(workflow, workdir),
        plan=plan,
    )
    if plan and dict(plan.item_counts) != loaded.item_counts:
        raise UserInputError(
            f"{path}: the arrays have other numbers of items than when the plan was made",
            remedy="Run `cfslurm plan` again.",
        )
    return loaded


def _load_plan(path: Path, context: Context) -> Plan:
    try:
        data = read_json(path)
    except (OSError, ValueError) as error:
        raise UserInputError(
            f"cannot read the plan {path}: {error}",
            remedy="Write one with `cfslurm plan workflow.yaml -o plan.json`.",
        ) from error
    plan = validate_json(Plan, data, str(path))
    policy = read_policy(context.settings)
    for variant in plan.variants.values():
        if reason := forbidden(variant, policy):
            raise UserInputError(
                f"{path} plans with {variant.id}, which is not allowed: {reason}",
                remedy="Run `cfslurm plan` again: it takes what is allowed.",
            )
    return plan


def make(
    loaded: Loaded,
    context: Context,
    *,
    say: Say,
    hardware: Path | None = None,
    catalog_file: Path | None = None,
    freshness: Freshness = Freshness.NOW,
) -> Planned:
    """Harvest, discover, plan; a recorded cluster or catalogue stands in where one is named.

    ``freshness`` says how old what Slurm has said may be where no recorded cluster is named.

    Raises:
        SlurmUnavailableError: slurmctld does not answer.
        HubError: a model is not to be had.
        InfeasibleError: there is no plan, with reasons.
    """
    if hardware is None:
        say("reading the cluster")
        graph = context.harvest(freshness)
    else:
        graph = recorded(HardwareGraph, hardware, HARVEST)
    if loaded.plan is not None:
        return Planned(loaded=loaded, graph=graph, catalog=None, plan=loaded.plan)
    catalog = (
        _discover(loaded, context, say)
        if catalog_file is None
        else permitted(
            recorded(ModelCatalog, catalog_file, "cfslurm plan --save-catalog catalog.json"),
            context.standards.policy,
        )
    )
    say("planning")
    planning = Planning(
        workflow=loaded.workflow,
        workdir=str(loaded.workdir),
        item_counts=loaded.item_counts,
        graph=graph,
        catalog=catalog,
        engines=context.engines(),
        price=context.site.gpu_hour_cost,
        knowledge=knowledge(context, cluster=graph.controller.cluster),
    )
    return Planned(
        loaded=loaded, graph=graph, catalog=catalog, plan=make_plan(planning, solver=solve)
    )


def _discover(loaded: Loaded, context: Context, say: Say) -> ModelCatalog:
    if not loaded.workflow.models:
        return ModelCatalog(endpoint="", discovered_at=context.utc())
    return discover(
        loaded.workflow.models,
        sources=Sources(hub=context.hub(context.sources), clock=context.clock, progress=say),
        standards=context.standards,
        discovered_at=context.utc(),
    )
