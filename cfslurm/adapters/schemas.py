"""JSON Schemas of our documents."""

from __future__ import annotations

from cfslurm.adapters.site_file import site_schema
from cfslurm.adapters.validated import adapter
from cfslurm.adapters.workflow_file import workflow_schema
from cfslurm.core.documents import Json
from cfslurm.core.hardware.graph import HardwareGraph
from cfslurm.core.hardware.probe import NodeProbe
from cfslurm.core.models.variants import ModelCatalog
from cfslurm.core.planner.plan import Plan
from cfslurm.core.render.submission import Submission

_DOCUMENTS = {
    "hardware": HardwareGraph,
    "probe": NodeProbe,
    "catalog": ModelCatalog,
    "plan": Plan,
    "submission": Submission,
}


def schema(name: str) -> Json:
    """The schema of a document by name: workflow, site, hardware, probe, catalog, plan or submission."""
    if name == "workflow":
        return workflow_schema()
    if name == "site":
        return site_schema()
    found: dict[str, Json] = adapter(_DOCUMENTS[name]).json_schema()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"cfslurm {name}, version 1",
        **found,
    }
