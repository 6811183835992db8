"""Where a process of a run is: job, array task, attempt, node and its class."""

from __future__ import annotations

from dataclasses import dataclass

from cfslurm.adapters.environment import Environment
from cfslurm.core.run.manifest import Manifest
from cfslurm.core.slurm.hostlist import expand
from cfslurm.errors import SetupError


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The place of this process.

    Shape: ``job_id`` is ``12`` or ``12_3``. ``attempt`` counts from 0: Slurm's restart count.
    """

    job_id: str
    array_task_id: int
    attempt: int
    node: str
    node_class: str
    address: str


def find_place(environment: Environment, manifest: Manifest) -> Place:
    """Read Slurm's variables.

    Raises:
        SetupError: this is no job, or the manifest does not know this node.
    """
    job_id = environment.get("SLURM_JOB_ID")
    node = environment.get("SLURMD_NODENAME")
    if job_id is None or node is None:
        raise SetupError(
            "this is not a Slurm job: SLURM_JOB_ID or SLURMD_NODENAME is not set",
            remedy="Let `cfslurm submit` start it.",
        )
    array_job, task = (environment.get(f"SLURM_ARRAY_{name}") for name in ("JOB_ID", "TASK_ID"))
    return Place(
        job_id=f"{array_job}_{task}" if array_job and task else job_id,
        array_task_id=int(task or 0),
        attempt=int(environment.get("SLURM_RESTART_COUNT") or 0),
        node=node,
        node_class=_class_from_plugin(environment, node, manifest) or class_of(node, manifest),
        address=manifest.addresses.get(node, node),
    )


def _class_from_plugin(environment: Environment, node: str, manifest: Manifest) -> str | None:
    """The class that the SPANK plugin has looked up; None where it was not asked.

    A step inherits the variables of the step that started it, which may be on another node or of
    another run: what the manifest does not confirm counts for nothing.
    """
    if environment.get("CFSLURM_SPANK") is None:
        return None
    found = environment.get("CFSLURM_NODE_CLASS") or ""
    is_ours = environment.get("CFSLURM_RUN_ID") == manifest.run_id
    return found if is_ours and node in expand(manifest.classes.get(found, "")) else None


def class_of(node: str, manifest: Manifest) -> str:
    """The class of a node.

    Raises:
        SetupError: no class of the plan has this node.
    """
    for name, hostlist in manifest.classes.items():
        if node in expand(hostlist):
            return name
    raise SetupError(
        f"the plan does not know node {node}: it joined the cluster after the submission",
        remedy="Submit the workflow again, so that the plan sees it.",
    )
