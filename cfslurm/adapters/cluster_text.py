"""The cluster as Slurm's text says it: one call of each kind, the same in every version since 20.11."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar, TypeVar

from cfslurm.core.documents import Json
from cfslurm.core.hardware.facts import ClusterFacts
from cfslurm.core.slurm import running, sacctmgr, scontrol, sshare
from cfslurm.core.slurm.records import (
    Association,
    License,
    NodeRecord,
    Partition,
    Qos,
    Reservation,
    RunningJob,
    Share,
    Topology,
)
from cfslurm.core.slurm.scontrol_nodes import nodes_command, read_nodes
from cfslurm.core.slurm.scontrol_partitions import partitions_command, read_partitions
from cfslurm.core.slurm.scontrol_reservations import (
    licenses_command,
    read_licenses,
    read_reservations,
    reservations_command,
)
from cfslurm.core.slurm.scontrol_topoconf import SINCE as TOPOCONF_SINCE
from cfslurm.core.slurm.scontrol_topoconf import read_topoconf, topoconf_command
from cfslurm.core.slurm.scontrol_topology import read_topology, topology_command
from cfslurm.errors import CfslurmError
from cfslurm.ports import RunCommand

T = TypeVar("T")


class TextReader:
    """Reads with scontrol, squeue and, where the site has slurmdbd, sacctmgr and sshare.

    The other backends are this one with other ways for some of the parts.
    """

    backend: ClassVar[str] = "text"

    def __init__(self, run: RunCommand, *, user: str) -> None:
        self._run = run
        self._user = user

    def read(self) -> ClusterFacts:
        """Read the cluster with one call of each kind.

        Without settings, nodes and partitions there is no cluster. What else cannot be read is
        missing in the answer, and a warning says so.

        Raises:
            SetupError: the programs are not there.
            SlurmUnavailableError: slurmctld does not answer.
            SlurmOutputError: nodes, partitions or settings cannot be read.
        """
        settings = self._settings()
        warnings: list[str] = []

        def optional(
            what: str, part: Callable[[Mapping[str, str]], tuple[T, ...]]
        ) -> tuple[T, ...]:
            try:
                return part(settings)
            except CfslurmError as error:
                warnings.append(f"{what} unknown: {error.message}")
                return ()

        nodes, partitions = self._nodes(settings), self._partitions(settings)
        has_dbd = "slurmdbd" in settings.get("AccountingStorageType", "")
        return ClusterFacts(
            backend=self.backend,
            settings=settings,
            nodes=nodes,
            partitions=partitions,
            topologies=optional("the topology is", self._topologies),
            reservations=optional("reservations are", self._reservations),
            licenses=optional("licences are", self._licenses),
            running=optional("running jobs and their ends are", self._running),
            qos=optional("limits of QOS are", self._qos) if has_dbd else (),
            associations=optional("limits of accounts are", self._associations) if has_dbd else (),
            shares=optional("fair shares are", self._shares) if has_dbd else (),
            warnings=tuple(warnings),
        )

    def _settings(self) -> Mapping[str, str]:
        return scontrol.read_config(self._run(scontrol.config_command()))

    def _nodes(self, _settings: Mapping[str, str]) -> tuple[NodeRecord, ...]:
        return read_nodes(self._run(nodes_command()))

    def _partitions(self, _settings: Mapping[str, str]) -> tuple[Partition, ...]:
        return read_partitions(self._run(partitions_command()))

    def _topologies(self, settings: Mapping[str, str]) -> tuple[Topology, ...]:
        """All of topology.yaml where this Slurm has it and the site uses it; else topology.conf."""
        if scontrol.version_of(settings) >= TOPOCONF_SINCE:
            done = self._run(topoconf_command())  # fails where Slurm was built without YAML
            if done.returncode == 0 and (found := read_topoconf(_yaml(done.stdout))):
                return found
        return read_topology(self._run(topology_command()))

    def _reservations(self, _settings: Mapping[str, str]) -> tuple[Reservation, ...]:
        return read_reservations(self._run(reservations_command()))

    def _licenses(self, _settings: Mapping[str, str]) -> tuple[License, ...]:
        return read_licenses(self._run(licenses_command()))

    def _running(self, _settings: Mapping[str, str]) -> tuple[RunningJob, ...]:
        return running.read_running(self._run(running.running_command()))

    def _qos(self, _settings: Mapping[str, str]) -> tuple[Qos, ...]:
        return sacctmgr.read_qos(self._run(sacctmgr.qos_command()))

    def _associations(self, settings: Mapping[str, str]) -> tuple[Association, ...]:
        """The user's own and, if there are any, those of the accounts above them."""
        own = self._association_rows(self._user, settings)
        if not own:
            return ()
        return (*sacctmgr.accounts_above(own, self._association_rows("", settings)), *own)

    def _association_rows(self, user: str, settings: Mapping[str, str]) -> tuple[Association, ...]:
        command = sacctmgr.associations_command(user, settings["ClusterName"])
        return sacctmgr.read_associations(self._run(command))

    def _shares(self, _settings: Mapping[str, str]) -> tuple[Share, ...]:
        done = self._run(sshare.shares_command(self._user))
        return sshare.read_shares(done, user=self._user)


def _yaml(text: str) -> Json:
    from cfslurm.adapters.yaml_file import read_yaml  # for few sites, and slow to import

    return read_yaml(text.encode(), "`scontrol show topoconf`").data
