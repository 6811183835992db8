"""The cluster as Slurm's ``--json`` says it; text for what this version has no JSON for.

What has JSON since when, measured on 22.05, 24.11, 25.11 and 26.05: jobs and, through sinfo, nodes
always; nodes through scontrol, reservations, licences and limits from 23.02; shares from 23.11;
partitions from 23.02, but without the default and the preemption mode before 26.05. Settings are read
as text: only 26.05 has JSON for them. Topology has none in any version.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from cfslurm.adapters.cluster_text import TextReader
from cfslurm.core.slurm import json_jobs, json_limits, json_nodes, json_partitions
from cfslurm.core.slurm import json_reservations as json_kept
from cfslurm.core.slurm.records import (
    Association,
    License,
    NodeRecord,
    Partition,
    Qos,
    Reservation,
    RunningJob,
    Share,
)
from cfslurm.core.slurm.scontrol import version_of


class JsonReader(TextReader):
    """Reads JSON where this version of Slurm has it."""

    backend: ClassVar[str] = "json"

    def _nodes(self, settings: Mapping[str, str]) -> tuple[NodeRecord, ...]:
        return json_nodes.read_nodes(self._run(json_nodes.nodes_command(version_of(settings))))

    def _partitions(self, settings: Mapping[str, str]) -> tuple[Partition, ...]:
        if version_of(settings) < json_partitions.COMPLETE_SINCE:
            return super()._partitions(settings)
        return json_partitions.read_partitions(
            self._run(json_partitions.partitions_command()),
            cluster_preempt_mode=settings.get("PreemptMode", ""),
        )

    def _reservations(self, settings: Mapping[str, str]) -> tuple[Reservation, ...]:
        if version_of(settings) < json_kept.SINCE:
            return super()._reservations(settings)
        return json_kept.read_reservations(self._run(json_kept.reservations_command()))

    def _licenses(self, settings: Mapping[str, str]) -> tuple[License, ...]:
        if version_of(settings) < json_kept.SINCE:
            return super()._licenses(settings)
        return json_kept.read_licenses(self._run(json_kept.licenses_command()))

    def _running(self, _settings: Mapping[str, str]) -> tuple[RunningJob, ...]:
        return json_jobs.read_running(self._run(json_jobs.running_command()))

    def _qos(self, settings: Mapping[str, str]) -> tuple[Qos, ...]:
        if version_of(settings) < json_limits.LIMITS_SINCE:
            return super()._qos(settings)
        return json_limits.read_qos(self._run(json_limits.qos_command()))

    def _association_rows(self, user: str, settings: Mapping[str, str]) -> tuple[Association, ...]:
        if version_of(settings) < json_limits.LIMITS_SINCE:
            return super()._association_rows(user, settings)
        command = json_limits.associations_command(user, settings["ClusterName"])
        return json_limits.read_associations(self._run(command))

    def _shares(self, settings: Mapping[str, str]) -> tuple[Share, ...]:
        if version_of(settings) < json_limits.SHARES_SINCE:
            return super()._shares(settings)
        done = self._run(json_limits.shares_command(self._user))
        return json_limits.read_shares(done, user=self._user)
