"""Runs agents, tasks and language models on Slurm clusters with mixed GPUs.

>>> from cfslurm import Array, Task, Workflow, dump_workflow
>>> flow = Workflow(
...     name="hello",
...     tasks={"greet": Task(command=("echo", "{item}"), array=Array(range="0-9"), time="1m")},
... )
>>> print(dump_workflow(flow).splitlines()[0])
schema: cfslurm.workflow/1
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from cfslurm.adapters.workflow_file import dump_workflow, load_workflow
    from cfslurm.core.workflow.model import (
        Array,
        Budget,
        Component,
        Gang,
        Goal,
        Model,
        Need,
        Priority,
        Resources,
        SessionSpec,
        Task,
        Weights,
        Work,
        Workflow,
    )
    from cfslurm.node.session import Session

_MODEL = "cfslurm.core.workflow.model"
_PLACES = {
    "Array": _MODEL,
    "Budget": _MODEL,
    "Component": _MODEL,
    "Gang": _MODEL,
    "Goal": _MODEL,
    "Model": _MODEL,
    "Need": _MODEL,
    "Priority": _MODEL,
    "Resources": _MODEL,
    "Session": "cfslurm.node.session",
    "SessionSpec": _MODEL,
    "Task": _MODEL,
    "Weights": _MODEL,
    "Work": _MODEL,
    "Workflow": _MODEL,
    "dump_workflow": "cfslurm.adapters.workflow_file",
    "load_workflow": "cfslurm.adapters.workflow_file",
}

__all__ = [
    "Array",
    "Budget",
    "Component",
    "Gang",
    "Goal",
    "Model",
    "Need",
    "Priority",
    "Resources",
    "Session",
    "SessionSpec",
    "Task",
    "Weights",
    "Work",
    "Workflow",
    "__version__",
    "dump_workflow",
    "load_workflow",
]


def __getattr__(name: str) -> object:
    """Import a public name when it is first used: `import cfslurm` itself costs nothing."""
    if name in _PLACES:
        return getattr(importlib.import_module(_PLACES[name]), name)
    raise AttributeError(f"module 'cfslurm' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
