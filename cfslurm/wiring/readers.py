"""Which way of reading the cluster is taken."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from cfslurm.adapters.cluster_auto import AutoReader
from cfslurm.adapters.cluster_json import JsonReader
from cfslurm.adapters.cluster_pyslurm import PyslurmReader
from cfslurm.adapters.cluster_text import TextReader
from cfslurm.ports import ClusterReader, RunCommand

_Make = type[AutoReader] | type[TextReader]
READERS: Final[Mapping[str, _Make]] = {
    "auto": AutoReader,
    "text": TextReader,
    "json": JsonReader,
    "pyslurm": PyslurmReader,
}


def cluster_reader(name: str, run: RunCommand, *, user: str) -> ClusterReader:
    """The reader that the setting ``slurm_reader`` names; the site config has been checked for it."""
    return READERS[name](run, user=user)
