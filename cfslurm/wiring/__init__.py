"""Ports meet adapters. Importing this is cheap; each method brings in what it needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from cfslurm.adapters.clock import SystemClock, utc_text
from cfslurm.adapters.config import find_site_file, load_settings
from cfslurm.adapters.environment import Environment, read_environment
from cfslurm.adapters.process import run
from cfslurm.core.site.settings import Settings

if TYPE_CHECKING:
    from cfslurm.adapters.model_store import DirectoryStore
    from cfslurm.core.hardware.graph import HardwareGraph
    from cfslurm.core.hardware.parts import Freshness
    from cfslurm.core.models.engines import Engine
    from cfslurm.core.models.policy import Standards
    from cfslurm.core.models.quality import Score
    from cfslurm.core.models.speed_table import SpeedTable
    from cfslurm.core.run.sources import ModelSources
    from cfslurm.core.site.model import Site
    from cfslurm.ports import Clock, Hub, RunCommand


@dataclass(frozen=True)
class Context:
    """What commands work with: made once per call, nothing in it changes."""

    environment: Environment
    settings: Settings
    site_file: Path | None
    run: RunCommand
    clock: Clock

    @property
    def runs(self) -> Path:
        """Where runs lie."""
        return Path(self.settings.text("runs"))

    def utc(self) -> str:
        """Now, in ISO 8601."""
        return utc_text(self.clock.now())

    @property
    def this_year(self) -> int:
        """The year, as far as it matters for answers of sbatch."""
        return int(self.utc()[:4])

    @cached_property
    def site(self) -> Site:
        """The site config, whole and validated."""
        from cfslurm.adapters.site_file import load_site

        return load_site(self.site_file)

    def harvest(self, freshness: Freshness) -> HardwareGraph:
        """The cluster as it is now, or as Slurm has said before where that is fresh enough."""
        from cfslurm.wiring.reading import read_cluster

        return read_cluster(self, freshness)

    def engines(self) -> Mapping[str, Engine]:
        """The engines of this site."""
        from cfslurm.adapters.engines_file import built_in_engines
        from cfslurm.core.models.engines import with_overrides

        return with_overrides(built_in_engines(), self.site.engines)

    def scores(self) -> Mapping[str, Score]:
        """What is said of the quality of quantizations: the table, and this site's own scores."""
        from cfslurm.adapters.resources import shipped_text
        from cfslurm.core.models.quality import read_scores, with_own_scores

        table = read_scores(shipped_text("core/models/quality.csv"))
        return with_own_scores(table, self.site.models.quality, source="the site config")

    def speed_table(self) -> SpeedTable:
        """What engines reach of what GPUs can do."""
        from cfslurm.adapters.resources import shipped_text
        from cfslurm.core.models.speed_table import read_speed_table

        return read_speed_table(shipped_text("core/models/speed_efficiencies.csv"))

    @property
    def sources(self) -> ModelSources:
        """Where models come from and go to, as the settings say."""
        from cfslurm.core.run.sources import ModelSources

        return ModelSources(
            hf_endpoint=self.settings.text("hf_endpoint"),
            model_cache=self.settings.text("model_cache"),
            model_cache_tiers=self.settings.texts("model_cache_tiers"),
        )

    @property
    def standards(self) -> Standards:
        """What variants are measured by: how good each is, and what this site and this user allow."""
        from cfslurm.core.models.policy import Standards, read_policy

        return Standards(scores=self.scores(), policy=read_policy(self.settings))

    @property
    def cache_folder(self) -> Path:
        """Where cfslurm keeps of this user what it could ask for again."""
        cache = self.environment.get("XDG_CACHE_HOME")
        return (Path(cache) if cache else self.environment.home / ".cache") / "cfslurm"

    def store(self, sources: ModelSources) -> DirectoryStore:
        """The model cache."""
        from cfslurm.adapters.model_store import DirectoryStore

        tiers = tuple(Path(tier) for tier in sources.model_cache_tiers)
        return DirectoryStore(Path(sources.model_cache), tiers)

    def hub(self, sources: ModelSources, *, lists_live_s: float = 86_400.0) -> Hub:
        """The Hub, its answers kept in the user's own cache; lists for so long, 0 asks anew."""
        from cfslurm.adapters.hub import HuggingFaceHub
        from cfslurm.adapters.hub_cache import CachedHub

        return CachedHub(
            HuggingFaceHub(sources.hf_endpoint),
            self.cache_folder / "hub",
            clock=self.clock,
            lists_live_s=lists_live_s,
        )


def live(site: str | None) -> Context:
    """A context for the real world.

    Raises:
        UserInputError: a setting or the site file is wrong.
    """
    environment = read_environment()
    return Context(
        environment=environment,
        settings=load_settings(environment, site),
        site_file=find_site_file(environment, site),
        run=run,
        clock=SystemClock(),
    )
