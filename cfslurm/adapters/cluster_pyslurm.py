"""The nodes through pyslurm, in a process of its own; states, GRES and everything else as text.

pyslurm says nothing of topology or (up to 24.11) a partition's preemption mode, has states and GRES in
forms of its own, and must be built for exactly this Slurm. It is there for sites that have it anyway,
and that have changed what scontrol prints.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import ClassVar

from cfslurm.adapters.cluster_text import TextReader
from cfslurm.core.slurm import pyslurm_nodes
from cfslurm.core.slurm.answers import meaningful
from cfslurm.core.slurm.records import NodeRecord
from cfslurm.errors import SetupError
from cfslurm.ports import RunCommand


class PyslurmReader(TextReader):
    """Reads nodes with pyslurm."""

    backend: ClassVar[str] = "pyslurm"

    def __init__(self, run: RunCommand, *, user: str, python: str = sys.executable) -> None:
        super().__init__(run, user=user)
        self._python = python

    def _nodes(self, _settings: Mapping[str, str]) -> tuple[NodeRecord, ...]:
        done = self._run(pyslurm_nodes.nodes_command(self._python))
        if done.returncode != 0:
            said = meaningful(done.stderr).rsplit("; ", 1)[-1] or f"exit code {done.returncode}"
            raise SetupError(
                f"pyslurm cannot be used here: {said}",
                remedy="`python -c 'import pyslurm'` must work with cfslurm's Python; pyslurm must be "
                "built for this very Slurm. Without it: `slurm: {reader: text}` in the site config.",
            )
        nodes = pyslurm_nodes.read_answer(done)
        rows = pyslurm_nodes.read_gres_rows(self._run(pyslurm_nodes.gres_command()))
        return pyslurm_nodes.read_nodes(nodes, rows)
