"""What runs where, how fast and how good."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cfslurm.adapters.engines_file import built_in_engines
from cfslurm.core.hardware.classes import node_classes
from cfslurm.core.models.calibration import Basis, Calibration, Observation, Quantity, Subject
from cfslurm.core.models.fit import Verdict
from cfslurm.core.models.matrix import Cell, Place, Wish, best_of, matrix
from cfslurm.core.models.variants import RejectedVariant
from cfslurm.core.report.matrix_table import matrix_text
from tests.builders import ENGINES, KNOWLEDGE, lab, three_sizes, variant

CLASSES = node_classes(lab())
PLACE = Place(engines=ENGINES, knowledge=KNOWLEDGE)
WISH = Wish(max_model_len=4096)


def _cells(wish: Wish = WISH, place: Place = PLACE) -> tuple[Cell, ...]:
    return matrix(three_sizes(), CLASSES, wish, place)


def test_every_variant_meets_every_class_with_gpus() -> None:
    cells = _cells()
    with_gpus = {c.name for c in CLASSES if c.gpu_count}
    pairs = [(cell.variant, cell.node_class) for cell in cells]
    assert sorted(pairs) == sorted((v.id, name) for v in three_sizes() for name in with_gpus)


def test_the_best_quality_comes_first_and_of_a_variant_the_fastest() -> None:
    cells = _cells()
    assert [c.quality for c in cells] == sorted((c.quality for c in cells), reverse=True)
    for name in {c.variant for c in cells}:
        rates = [c.rate for c in cells if c.variant == name and not c.reason]
        assert rates == sorted(rates, reverse=True)


def test_the_fewest_gpus_that_hold_it_are_taken() -> None:
    gpus = {(c.quantization, c.node_class): c.gpus for c in _cells()}
    assert gpus["none", "a100_80-x4"] == 1
    assert gpus["none", "rtx6000ada-x2"] == 2
    assert gpus["awq", "rtx4090-x8"] == 1


def test_what_goes_has_a_speed_with_a_range_and_what_does_not_a_reason() -> None:
    for cell in _cells(replace(WISH, max_num_seqs=64, max_model_len=8192)):
        assert bool(cell.reason) is (cell.tokens_per_s is None)
        assert bool(cell.reason) is (cell.gpus == 0)
        if cell.tokens_per_s is not None:
            assert cell.tokens_per_s.low < cell.rate < cell.tokens_per_s.high
            assert cell.need_bytes <= cell.limit_bytes


def test_below_the_wished_quality_nothing_goes() -> None:
    cells = _cells(replace(WISH, min_quality=99))
    assert {c.reason for c in cells if c.quality < 99} == {"quality below 99"}
    assert all(not c.reason for c in cells if c.quality == 100)


def test_a_context_longer_than_the_models_is_refused_everywhere() -> None:
    cells = _cells(replace(WISH, max_model_len=1_000_000))
    assert all("more than the model's" in cell.reason for cell in cells)
    assert best_of(cells) is None


def test_the_best_is_as_good_as_any_and_fast_for_its_gpus() -> None:
    cells = _cells()
    best = best_of(cells)
    assert best is not None
    taken = next(c for c in cells if (c.variant, c.node_class) == (best.variant, best.node_class))
    alike = [c for c in cells if not c.reason and c.quality >= 99]
    assert taken.rate / taken.gpus == max(c.rate / c.gpus for c in alike)
    assert "quality within 1 of the best" in best.why


def test_what_fits_tightly_is_taken_only_where_nothing_else_does() -> None:
    roomy = _cells()[0]
    tight = replace(roomy, variant="tight", verdict=Verdict.TIGHT, gpus=1, tokens_per_s=None)
    best = best_of([tight, roomy])
    assert best is not None
    assert best.variant == roomy.variant
    alone = best_of([tight])
    assert alone is not None
    assert "tight" in alone.why


def test_finished_work_moves_the_rate_and_is_counted() -> None:
    before = _cells()[0]
    slow = Observation(
        subject=Subject(
            cluster="test", gpu=before.gpu, engine="vllm", variant=before.variant, work="w/t"
        ),
        quantity=Quantity.DURATION, basis=Basis.PHYSICS, user="ada", run="w-1", at="2026",
        predicted=100, measured=200,
    )  # fmt: skip
    calibration = Calibration(observations=(slow,), user="ada")
    place = replace(PLACE, knowledge=replace(KNOWLEDGE, calibration=calibration))
    after = next(
        c
        for c in _cells(place=place)
        if (c.variant, c.node_class) == (before.variant, before.node_class)
    )
    assert after.samples == 1
    assert 0.5 < after.rate / before.rate < 0.98


def test_gguf_goes_to_its_own_engine() -> None:
    cells = matrix([variant("gguf:Q4_K_M", 5.0)], CLASSES, WISH, PLACE)
    assert {cell.engine for cell in cells} == {"llamacpp"}
    assert all(not cell.reason for cell in cells)


@pytest.mark.parametrize("cached", [True, False])
def test_the_table_says_what_is_cached_best_and_impossible(cached: bool) -> None:
    variants = three_sizes()
    place = replace(PLACE, cached=frozenset(v.id for v in variants) if cached else frozenset())
    wish = replace(WISH, min_quality=98)
    cells = matrix(variants, CLASSES, wish, place)
    gone = RejectedVariant(repo_id="acme/odd", quantization="", reason="an unknown method: xyz")
    text = matrix_text(cells, best_of(cells), wish, [gone])
    assert text.count("✔") == 2
    assert "quality below 98" in text
    assert "acme/odd  " in text
    assert ("yes" in text.split("Not possible")[0]) is cached
    assert matrix_text([], None, wish, []).startswith("nothing of it runs here")


def test_a_smaller_cache_needs_less_and_is_read_faster() -> None:
    place = replace(PLACE, engines=built_in_engines())
    wish = replace(WISH, max_num_seqs=16, tokens_in=2048)
    (usual,) = matrix(three_sizes()[:1], CLASSES[:1], wish, place)
    (small,) = matrix(three_sizes()[:1], CLASSES[:1], replace(wish, kv_cache_dtype="fp8"), place)
    assert usual.gpus == small.gpus > 0
    assert small.need_bytes < usual.need_bytes
    assert small.rate > usual.rate
