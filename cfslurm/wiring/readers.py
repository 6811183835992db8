"""Which way of reading the cluster is taken."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from cfslurm.adapters.cluster_auto import AutoReader
from cfslurm.adapters.cluster_json import JsonReader
from cfslurm.adapters.cluster_pyslurm import PyslurmReader
from cfslurm.adapters.cluster_text import TextReader
from cfslurm.errors import UserInputError
from cfslurm.ports import ClusterReader, RunCommand

_Make = type[AutoReader] | type[TextReader]
READERS: Final[Mapping[str, _Make]] = {
    "auto": AutoReader,
    "text": TextReader,
    "json": JsonReader,
    "pyslurm": PyslurmReader,
}


def cluster_reader(name: str, run: RunCommand, *, user: str, origin: str) -> ClusterReader:
    """The reader that ``slurm.reader`` names.

    Raises:
        UserInputError: there is none of that name; ``origin`` says who asked for it.
    """
    try:
        return READERS[name](run, user=user)
    except KeyError as error:
        raise UserInputError(
            f"slurm_reader is {name!r} ({origin})",
            remedy=f"Write one of {', '.join(READERS)}.",
        ) from error
