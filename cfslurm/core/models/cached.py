"""What a model cache holds, read from its own manifests."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedVariant:
    """A published folder of a model cache.

    ``problem`` says why cfslurm would not use it; empty if nothing stands against it.
    ``published_at`` is UTC in ISO 8601.
    """

    cache: str
    folder: str
    repo_id: str
    revision: str
    quantization: str
    licence: str
    total_bytes: int
    published_by: str
    published_at: str
    problem: str = ""

    @property
    def id(self) -> str:
        """As the variant's own: repository and quantization."""
        return f"{self.repo_id}@{self.quantization}"
