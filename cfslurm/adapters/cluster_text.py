"""The cluster as Slurm's text says it: one call of each kind, the same in every version since 20.11."""

from __future__ import annotations

from cfslurm.core.hardware.build import ClusterFacts
from cfslurm.core.slurm import sacctmgr, scontrol
from cfslurm.errors import CfslurmError
from cfslurm.ports import RunCommand


class TextReader:
    """Reads with scontrol; limits of accounts and QOS with sacctmgr where the site has slurmdbd."""

    def __init__(self, run: RunCommand, *, user: str) -> None:
        self._run = run
        self._user = user

    def read(self) -> ClusterFacts:
        """Four calls of scontrol, and two of sacctmgr with accounting.

        Raises:
            SetupError: the programs are not there.
            SlurmUnavailableError: slurmctld does not answer.
            SlurmOutputError: an answer cannot be read.
        """
        settings = scontrol.read_config(self._run(scontrol.config_command()))
        qos: tuple[sacctmgr.QosRecord, ...] = ()
        associations: tuple[sacctmgr.AssociationRecord, ...] = ()
        warnings: tuple[str, ...] = ()
        if "slurmdbd" in settings.get("AccountingStorageType", ""):
            try:
                qos = sacctmgr.read_qos(self._run(sacctmgr.qos_command()))
                associations = sacctmgr.read_associations(
                    self._run(sacctmgr.associations_command(self._user))
                )
            except CfslurmError as error:
                warnings = (f"limits of accounts and QOS are unknown: {error.message}",)
        return ClusterFacts(
            backend="text",
            settings=settings,
            nodes=scontrol.read_nodes(self._run(scontrol.nodes_command())),
            partitions=scontrol.read_partitions(self._run(scontrol.partitions_command())),
            switches=scontrol.read_topology(self._run(scontrol.topology_command())),
            qos=qos,
            associations=associations,
            warnings=warnings,
        )
