"""How good a variant is, compared with the published checkpoint."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass

# Smaller models lose more. Source: llama.cpp's old README (Llama-2 7B against 70B) and Kurtic et al.,
# arXiv:2411.02355, 8B against 70B; the factors themselves are an estimate.
_LOSS_FACTOR_BY_PARAMETERS = ((13e9, 2.0), (100e9, 1.0), (float("inf"), 0.7))


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A quality score, 100 being the published checkpoint, and where it comes from."""

    value: float
    source: str


def read_scores(text: str) -> dict[str, Score]:
    """Read the table of scores: quantization → score of models with 30 to 100 billion parameters."""
    rows = csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))
    return {
        row["quantization"]: Score(value=float(row["score"]), source=row["source"]) for row in rows
    }


def quality(quantization: str, parameters: int | None, scores: Mapping[str, Score]) -> Score | None:
    """The score of a quantization for a model of some size; None if no source speaks of it.

    A heuristic: models up to 13 billion parameters lose twice as much as the table says, models
    from 100 billion on 0.7 times as much; an unknown size counts as small.

    >>> table = {"awq": Score(value=97.5, source="x")}
    >>> quality("awq", 70_000_000_000, table).value, quality("awq", 8_000_000_000, table).value
    (97.5, 95.0)
    """
    found = scores.get(quantization)
    if found is None:
        return None
    size = parameters or 0
    factor = next(factor for limit, factor in _LOSS_FACTOR_BY_PARAMETERS if size <= limit)
    return Score(value=round(100 - (100 - found.value) * factor, 2), source=found.source)
