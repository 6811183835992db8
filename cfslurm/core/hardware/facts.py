"""What a `ClusterReader` brought back: records, not yet a graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterFacts:
    """The cluster in Slurm's own terms; ``settings`` are those of ``scontrol show config``.

    ``warnings`` says what could not be read, and what that means for the user.
    """

    backend: str
    settings: Mapping[str, str]
    nodes: tuple[NodeRecord, ...]
    partitions: tuple[Partition, ...]
    topologies: tuple[Topology, ...] = ()
    reservations: tuple[Reservation, ...] = ()
    licenses: tuple[License, ...] = ()
    running: tuple[RunningJob, ...] = ()
    qos: tuple[Qos, ...] = ()
    associations: tuple[Association, ...] = ()
    shares: tuple[Share, ...] = ()
    warnings: tuple[str, ...] = ()
