"""How a model is to be served: what one wants of it, and over how many GPUs."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from cfslurm.core.documents import STRICT
from cfslurm.core.slurm.units import MIB


class Certainty(StrEnum):
    """How far a number is to be believed."""

    EXACT = "exact"  # bytes that are stored
    COMPUTED = "computed"  # follows from the configuration and from how the engine works
    ESTIMATE = "estimate"  # a model of what was measured elsewhere, with a range


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One part of the memory on the fullest GPU, and where the number comes from.

    ``formula`` has the numbers in it. An estimate lies between ``low_bytes`` and ``high_bytes``; for
    other terms both are ``bytes``. What is not ``is_budgeted`` lies outside the engine's share.
    """

    __pydantic_config__ = STRICT

    name: str
    bytes: int
    source: str
    formula: str = ""
    certainty: Certainty = Certainty.COMPUTED
    low_bytes: int = 0
    high_bytes: int = 0
    is_budgeted: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """What is asked of an engine; names as in vLLM.

    ``kv_cache_dtype`` is ``auto`` (16 bit) or one of the engine's. ``max_num_batched_tokens`` of 0 is
    what the engine takes by itself.
    """

    max_model_len: int
    max_num_seqs: int
    tensor_parallel_size: int = 1
    pipeline_parallel_size: int = 1
    kv_cache_dtype: str = "auto"
    max_num_batched_tokens: int = 0

    @property
    def gpus(self) -> int:
        """GPUs that hold one copy of the model."""
        return self.tensor_parallel_size * self.pipeline_parallel_size


def term(
    name: str, size: float, source: str, formula: str, certainty: Certainty = Certainty.COMPUTED
) -> Term:
    """A term without a range."""
    return Term(
        name=name,
        bytes=int(size),
        source=source,
        formula=formula,
        certainty=certainty,
        low_bytes=int(size),
        high_bytes=int(size),
    )


def estimate(
    name: str, size: float, source: str, formula: str, *, share: tuple[float, float]
) -> Term:
    """A term between two shares of itself."""
    return Term(
        name=name,
        bytes=int(size),
        source=source,
        formula=formula,
        certainty=Certainty.ESTIMATE,
        low_bytes=int(size * share[0]),
        high_bytes=int(size * share[1]),
    )


def mib(count: float) -> float:
    """Bytes of so many MiB."""
    return count * MIB
