"""The way of reading that is best here: text, and JSON where a text cannot be read."""

from __future__ import annotations

from dataclasses import replace

from cfslurm.adapters.cluster_json import JsonReader
from cfslurm.adapters.cluster_text import TextReader
from cfslurm.core.hardware.facts import ClusterFacts
from cfslurm.errors import CfslurmError, SlurmOutputError
from cfslurm.ports import RunCommand


class AutoReader:
    """Reads text, since it is the cheapest and every version has it (docs/adr); JSON if need be."""

    def __init__(self, run: RunCommand, *, user: str) -> None:
        self._text = TextReader(run, user=user)
        self._json = JsonReader(run, user=user)

    def read(self) -> ClusterFacts:
        """Read the cluster.

        Raises:
            SetupError: the programs are not there.
            SlurmUnavailableError: slurmctld does not answer.
            SlurmOutputError: neither text nor JSON can be read; it tells of the text.
        """
        try:
            return self._text.read()
        except SlurmOutputError as error:
            try:
                facts = self._json.read()
            except CfslurmError:
                raise error from None
            said = f"read from JSON, since the text cannot be read: {error.message}"
            return replace(facts, warnings=(said, *facts.warnings))
