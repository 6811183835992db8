"""What pyslurm knows of the nodes, as JSON on standard output; to be run in a process of its own.

``import pyslurm`` ends the process where libslurm finds no slurm.conf: no exception can be caught. So
this file is run with ``python -m``, and never imported by the rest of cfslurm.
"""

from __future__ import annotations

import json
import pwd
import sys
from contextlib import suppress
from typing import Any

# The attributes of pyslurm.Node that `core/slurm/pyslurm_nodes.py` reads; not all versions have all.
_ATTRIBUTES = (
    "name", "address", "reason", "reason_user", "reason_time", "active_features",
    "available_features", "allocated_tres", "total_cpus", "effective_cpus", "allocated_cpus",
    "sockets", "cores_per_socket", "threads_per_core", "real_memory", "allocated_memory",
    "temporary_disk", "partitions", "weight", "boot_time", "slurm_version",
)  # fmt: skip


def _answer() -> dict[str, Any]:
    import pyslurm

    answer = {"version": str(pyslurm.version())}
    if hasattr(pyslurm, "node"):  # up to 24.11
        nodes = [_with_user(node) for node in pyslurm.node().get().values()]
        return {**answer, "api": "node().get()", "nodes": nodes}
    found = pyslurm.Nodes.load()
    nodes = [
        {name: getattr(node, name) for name in _ATTRIBUTES if hasattr(node, name)}
        for node in (found.values() if hasattr(found, "values") else found)
    ]
    return {**answer, "api": "Nodes.load()", "nodes": nodes}


def _with_user(node: dict[str, Any]) -> dict[str, Any]:
    """The older interface has the user who set the reason as a number."""
    uid = node.get("reason_uid")
    if isinstance(uid, int):
        node["reason_user"] = str(uid)
        with suppress(KeyError):
            node["reason_user"] = pwd.getpwuid(uid).pw_name
    return node


if __name__ == "__main__":
    json.dump(_answer(), sys.stdout, default=str)
    sys.stdout.write("\n")
