"""Slurm → hardware graph."""

from __future__ import annotations

from cfslurm.core.hardware.build import build_graph
from cfslurm.core.hardware.gpus import GpuCatalogue
from cfslurm.core.hardware.graph import HardwareGraph
from cfslurm.core.site.model import Site
from cfslurm.errors import UserInputError
from cfslurm.ports import ClusterReader


def harvest(
    *, reader: ClusterReader, catalogue: GpuCatalogue, site: Site, harvested_at: str
) -> HardwareGraph:
    """Read the cluster once and join what it says with the site's words and the GPU table.

    Raises:
        UserInputError: the site config is for other clusters than the one that answered.
        SlurmUnavailableError: slurmctld does not answer.
        SlurmOutputError: an answer cannot be read.
    """
    graph = build_graph(reader.read(), catalogue, site.gpu_types, harvested_at=harvested_at)
    wanted, cluster = site.match.cluster_name, graph.controller.cluster
    if wanted and cluster not in wanted:
        raise UserInputError(
            f"the site config is for cluster {' or '.join(wanted)}, but Slurm here is {cluster!r}",
            remedy="`cfslurm config show --origin` names the file; choose another with --site or "
            "CFSLURM_SITE, or correct its match: cluster_name.",
        )
    return graph
