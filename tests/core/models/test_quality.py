"""How good a variant is."""

from __future__ import annotations

from itertools import pairwise

import pytest

from cfslurm.adapters.resources import shipped_text
from cfslurm.core.models.quality import (
    Score,
    loss_factor,
    quality,
    read_scores,
    with_own_scores,
)

TABLE = '# a remark\nquantization,score,source\nawq,97.5,"Kurtic, 2025"\nnone,100,itself\n'


def test_the_table_is_read() -> None:
    assert read_scores(TABLE) == {
        "awq": Score(value=97.5, source="Kurtic, 2025"),
        "none": Score(value=100, source="itself"),
    }


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [(None, 95.0), (8_000_000_000, 95.0), (70_000_000_000, 97.5), (405_000_000_000, 98.25)],
)
def test_smaller_models_lose_more(parameters: int | None, expected: float) -> None:
    found = quality("awq", parameters, read_scores(TABLE))
    assert found == Score(value=expected, source="Kurtic, 2025")


def test_what_no_source_speaks_of_has_no_quality() -> None:
    assert quality("gguf:UD-Q4_K_XL", 8, read_scores(TABLE)) is None


def test_the_loss_falls_with_the_size_without_a_step() -> None:
    sizes = [int(10 ** (9 + step / 50)) for step in range(150)]
    factors = [loss_factor(size) for size in sizes]
    assert factors == sorted(factors, reverse=True)
    assert max(a - b for a, b in pairwise(factors)) < 0.1
    assert loss_factor(1_500_000_000) == 2.6


@pytest.mark.parametrize("name", ["awq", "org/own-awq", "org/own-awq@awq"])
def test_ones_own_score_is_taken_as_it_is(name: str) -> None:
    scores = with_own_scores(read_scores(TABLE), {name: 91.5}, source="the workflow")
    found = quality("awq", 8_000_000_000, scores, repo_id="org/own-awq")
    assert found == Score(value=91.5, source="the workflow", is_final=True)


def test_a_repository_counts_more_than_its_quantization() -> None:
    scores = with_own_scores(read_scores(TABLE), {"awq": 90, "org/m": 93}, source="site")
    assert [quality("awq", None, scores, repo_id=repo) for repo in ("org/m", "org/n")] == [
        scores["org/m"],
        scores["awq"],
    ]


def test_every_shipped_score_has_a_source_and_the_ladder_falls() -> None:
    scores = read_scores(shipped_text("core/models/quality.csv"))
    assert all(0 < score.value <= 100 and score.source for score in scores.values())
    ladder = ["Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "Q4_0", "Q3_K_M", "IQ3_XXS", "Q2_K", "IQ1_S"]
    values = [scores[f"gguf:{label}"].value for label in ladder]
    assert values == sorted(values, reverse=True)
