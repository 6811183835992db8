"""Where a run's models come from and go to: settled at submission, used by its prefetch job."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cfslurm.core.documents import STRICT


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSources:
    """The Hub and the caches of a run. Tokens are not among them: they stay with the user."""

    __pydantic_config__ = STRICT
    schema: Literal["cfslurm.sources/1"] = "cfslurm.sources/1"
    hf_endpoint: str
    model_cache: str
    model_cache_tiers: tuple[str, ...]
