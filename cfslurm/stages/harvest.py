"""Slurm → hardware graph."""

from __future__ import annotations

from dataclasses import replace

from cfslurm.core.hardware.build import build_graph
from cfslurm.core.hardware.gpus import GpuCatalogue
from cfslurm.core.hardware.graph import HardwareGraph
from cfslurm.core.site.model import Site
from cfslurm.errors import UserInputError
from cfslurm.ports import ClusterReader, KnownProbes


def harvest(
    *,
    reader: ClusterReader,
    probes: KnownProbes,
    catalogue: GpuCatalogue,
    site: Site,
    harvested_at: str,
) -> HardwareGraph:
    """Read the cluster once; join what it says with nodes' answers, the site's words and the GPU table.

    Raises:
        UserInputError: the site config is for other clusters than the one that answered.
        SlurmUnavailableError: slurmctld does not answer.
        SlurmOutputError: an answer cannot be read.
    """
    facts = reader.read()
    boots = {node.name: node.boot_time for node in facts.nodes}
    known, ignored = probes.load(facts.settings.get("ClusterName", ""), boots)
    graph = build_graph(facts, catalogue, site.gpu_types, harvested_at=harvested_at, probes=known)
    wanted, cluster = site.match.cluster_name, graph.controller.cluster
    if wanted and cluster not in wanted:
        raise UserInputError(
            f"the site config is for cluster {' or '.join(wanted)}, but Slurm here is {cluster!r}",
            remedy="`cfslurm config show --origin` names the file; choose another with --site or "
            "CFSLURM_SITE, or correct its match: cluster_name.",
        )
    return replace(graph, warnings=(*graph.warnings, *ignored)) if ignored else graph
