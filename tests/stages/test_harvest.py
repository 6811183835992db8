"""The cluster that answers must be the one that the site config is for."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from cfslurm.core.hardware.facts import ClusterFacts
from cfslurm.core.hardware.graph import HardwareGraph
from cfslurm.core.hardware.probe import NodeProbe
from cfslurm.core.site.model import Match, Site
from cfslurm.errors import UserInputError
from cfslurm.stages.harvest import harvest
from tests.builders import CATALOGUE, SETTINGS, node


class _Reader:
    def read(self) -> ClusterFacts:
        return ClusterFacts(
            backend="test", settings=SETTINGS, nodes=(node("n1"),), partitions=(),
        )  # fmt: skip


class _NoProbes:
    def load(
        self, cluster: str, boots: Mapping[str, int | None]
    ) -> tuple[Mapping[str, NodeProbe], tuple[str, ...]]:
        return {}, (f"{cluster}: {', '.join(boots)}",)


def _harvest(site: Site) -> HardwareGraph:
    return harvest(
        reader=_Reader(), probes=_NoProbes(), catalogue=CATALOGUE, site=site, harvested_at=""
    )


@pytest.mark.parametrize("names", [(), ("test",), ("other", "test")])
def test_site_of_this_cluster_is_taken(names: tuple[str, ...]) -> None:
    site = Site(match=Match(cluster_name=names))
    graph = _harvest(site)
    assert graph.controller.cluster == "test"
    assert graph.warnings == ("test: n1",)


def test_site_of_another_cluster_is_refused_with_both_names() -> None:
    site = Site(match=Match(cluster_name=("alps", "daint")))
    with pytest.raises(UserInputError, match="for cluster alps or daint, but Slurm here is 'test'"):
        _harvest(site)
