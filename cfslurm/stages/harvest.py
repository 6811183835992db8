"""Slurm → hardware graph."""

from __future__ import annotations

from cfslurm.core.hardware.build import build_graph
from cfslurm.core.hardware.gpus import GpuCatalogue
from cfslurm.core.hardware.graph import HardwareGraph
from cfslurm.core.site.model import Site
from cfslurm.ports import ClusterReader


def harvest(
    *, reader: ClusterReader, catalogue: GpuCatalogue, site: Site, harvested_at: str
) -> HardwareGraph:
    """Read the cluster once and join what it says with the site's words and the GPU table."""
    return build_graph(reader.read(), catalogue, site.gpu_types, harvested_at=harvested_at)
