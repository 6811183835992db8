"""How good a variant is."""

from __future__ import annotations

import pytest

from cfslurm.core.models.quality import Score, quality, read_scores

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
