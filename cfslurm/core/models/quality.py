"""How good a variant is, compared with the published checkpoint."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import log

# How much more a model loses than the table says, by its parameters; in between by their logarithm.
# Sources: 1.5B: the model card of DeepSeek-R1-Distill-Qwen-1.5B-quantized.w4a16 recovers 93.5 % of the
# reasoning scores, where Kurtic et al. (arXiv:2411.02355) find 97 to 99 % for larger models; 8B against
# 70B: the same paper, and llama.cpp's perplexities of Llama-2 7B and 70B, where Q4_K_M loses 2 to 3 times
# as much; beyond 100B: Kurtic et al., 405B. The factors themselves are an estimate.
_LOSS_FACTORS = ((1.5e9, 2.6), (8e9, 2.0), (13e9, 2.0), (30e9, 1.0), (100e9, 1.0), (405e9, 0.7))
_UNKNOWN_SIZE = 8e9


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A quality score, 100 being the published checkpoint, and where it comes from.

    One that ``is_final`` was given by somebody who knows the model: its size changes nothing.
    """

    value: float
    source: str
    is_final: bool = False


def read_scores(text: str) -> dict[str, Score]:
    """Read the table of scores: quantization → score of models with 30 to 100 billion parameters."""
    rows = csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))
    return {
        row["quantization"]: Score(value=float(row["score"]), source=row["source"]) for row in rows
    }


def with_own_scores(
    scores: Mapping[str, Score], own: Mapping[str, float], *, source: str
) -> dict[str, Score]:
    """Scores of a site or a user, by quantization, repository or ``repository@quantization``."""
    given = {
        name: Score(value=value, source=source, is_final=True)
        for name, value in sorted(own.items())
    }
    return {**scores, **given}


def quality(
    quantization: str, parameters: int | None, scores: Mapping[str, Score], *, repo_id: str = ""
) -> Score | None:
    """The score of a quantization for a model of some size; None if no source speaks of it.

    What is said of a repository counts more than what is said of its quantization. Small models lose
    more than the table says, very large ones less (see `loss_factor`); an unknown size counts as
    small. A heuristic to order variants by.

    >>> table = {"awq": Score(value=97.5, source="x")}
    >>> quality("awq", 70_000_000_000, table).value, quality("awq", 8_000_000_000, table).value
    (97.5, 95.0)
    """
    names = (f"{repo_id}@{quantization}", repo_id, quantization)
    found = next((scores[name] for name in names if name in scores), None)
    if found is None or found.is_final:
        return found
    value = round(max(0.0, 100 - (100 - found.value) * loss_factor(parameters)), 2)
    return Score(value=value, source=found.source)


def loss_factor(parameters: int | None) -> float:
    """By how much a model of some size loses more than one of 30 to 100 billion parameters.

    >>> loss_factor(None), loss_factor(30_000_000_000), round(loss_factor(20_000_000_000), 2)
    (2.0, 1.0, 1.48)
    """
    size = float(parameters or _UNKNOWN_SIZE)
    if size <= _LOSS_FACTORS[0][0]:
        return _LOSS_FACTORS[0][1]
    for (small, more), (large, less) in pairwise(_LOSS_FACTORS):
        if size <= large:
            share = log(size / small) / log(large / small)
            return round(more + share * (less - more), 6)
    return _LOSS_FACTORS[-1][1]
