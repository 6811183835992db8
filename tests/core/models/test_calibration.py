"""Corrections from what finished work has taken."""

from __future__ import annotations

from dataclasses import replace
from math import exp, log

import pytest

from cfslurm.core.models.calibration import (
    Basis,
    Calibration,
    Observation,
    Quantity,
    Subject,
    without_repeats,
)
from cfslurm.core.models.calibration_lines import line_of, read_lines

HERE = Subject(cluster="lab", gpu="h100", engine="vllm", variant="org/m@fp8", work="w/eval")
ONE = Observation(
    subject=HERE,
    quantity=Quantity.DURATION,
    basis=Basis.PHYSICS,
    user="ada",
    run="w-1",
    at="2026-11-21T00:00:00Z",
    predicted=100.0,
    measured=300.0,
    count=60,
)
SPREAD = 0.15


def _runs(*measured: float, **changes: object) -> tuple[Observation, ...]:
    return tuple(
        replace(ONE, run=f"w-{n}", at=f"2026-11-{n:02}T00:00:00Z", measured=value, **changes)  # type: ignore[arg-type]
        for n, value in enumerate(measured, start=1)
    )


def _correct(*observations: Observation, subject: Subject = HERE, spread: float = SPREAD):  # type: ignore[no-untyped-def]
    calibration = Calibration(observations=observations, user="ada")
    return calibration.correct(subject, Quantity.DURATION, Basis.PHYSICS, spread)


def test_without_samples_nothing_changes() -> None:
    found = _correct()
    assert (found.factor, found.spread, found.samples) == (1.0, SPREAD, 0)


def test_one_run_of_the_same_work_moves_the_prediction_most_of_the_way() -> None:
    found = _correct(*_runs(300.0))
    assert 2.8 < found.factor < 3.0
    assert (found.samples, found.history) == (1, 1)


def test_the_formula_is_that_of_the_source() -> None:
    # Variance above: 0.15^2 + 0.8^2; of one run: 0.1^2.
    above, run = 0.15**2 + 0.8**2, 0.1**2
    expected = exp(log(3.0) / run / (1 / above + 1 / run))
    assert _correct(*_runs(300.0)).factor == pytest.approx(expected)


def test_more_samples_come_closer_and_are_surer() -> None:
    few, many = _correct(*_runs(300.0)), _correct(*_runs(*[300.0] * 9))
    assert abs(many.factor - 3) < abs(few.factor - 3)
    assert many.spread < few.spread


def test_other_work_on_the_same_gpus_moves_it_a_little() -> None:
    other = replace(HERE, work="w/other")
    found = _correct(*_runs(300.0, subject=other))
    assert 1.05 < found.factor < 1.5
    assert (found.samples, found.history) == (1, 0)


@pytest.mark.parametrize("name", ["cluster", "gpu", "engine"])
def test_what_ran_elsewhere_says_nothing(name: str) -> None:
    elsewhere = replace(HERE, work="w/other", **{name: "another"})
    assert _correct(*_runs(300.0, subject=elsewhere)).samples == 0


def test_another_variant_says_less_than_the_same() -> None:
    same = replace(HERE, work="w/other")
    another = replace(same, variant="org/m@awq")
    near, far = (_correct(*_runs(300.0, subject=subject)) for subject in (same, another))
    assert 1 < far.factor < near.factor


def test_an_outlier_moves_it_little() -> None:
    clean = _correct(*_runs(*[110.0] * 8))
    with_outlier = _correct(*_runs(*[110.0] * 8, 2900.0))
    assert with_outlier.factor == pytest.approx(clean.factor, rel=0.02)


def test_what_cannot_be_true_is_not_heard() -> None:
    assert _correct(*_runs(1e9, 1e-9)).samples == 0


def test_a_neighbour_with_a_thousand_lies_counts_once() -> None:
    lies = tuple(
        replace(
            ONE, user="eve", run=f"e-{n}", measured=2900.0, subject=replace(HERE, work=f"e/{n}")
        )
        for n in range(1000)
    )
    alone = _correct(*lies)
    assert alone.samples == 1
    honest = tuple(
        replace(ONE, run=f"w-{n}", measured=105.0, subject=replace(HERE, work=f"w/{n}"))
        for n in range(5)
    )
    assert _correct(*lies, *honest).factor == pytest.approx(1.05, rel=0.03)


def test_a_neighbour_has_no_say_in_my_own_work() -> None:
    lies = _runs(*[2900.0] * 20, user="eve")
    mine = _runs(100.0, 100.0)
    assert _correct(*lies, *mine).factor == pytest.approx(1.0, abs=0.02)


def test_a_number_that_the_user_gave_is_not_corrected_by_physics() -> None:
    other = _runs(300.0, subject=replace(HERE, work="w/other"))
    calibration = Calibration(observations=other, user="ada")
    found = calibration.correct(HERE, Quantity.DURATION, Basis.GIVEN, SPREAD)
    assert found.samples == 0
    given = Calibration(observations=_runs(300.0, basis=Basis.GIVEN), user="ada")
    assert given.correct(HERE, Quantity.DURATION, Basis.GIVEN, SPREAD).factor > 2.5


def test_guesses_say_nothing_about_the_engine() -> None:
    guess = _runs(300.0, subject=replace(HERE, work="w/other"), basis=Basis.GIVEN)
    assert _correct(*guess).samples == 0


def test_the_newest_twenty_runs_count() -> None:
    old, new = [300.0] * 8, [100.0] * 20
    assert _correct(*_runs(*old, *new)).factor == pytest.approx(1.0, abs=0.01)


def test_a_run_that_is_told_twice_counts_once() -> None:
    later = replace(ONE, measured=250.0)
    assert without_repeats([ONE, later]) == (later,)


def test_a_line_comes_back() -> None:
    lines = read_lines([line_of(ONE)], user="ada")
    assert lines.observations == (ONE,)
    assert lines.refused == 0


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        "null",
        "[" * 3000,
        "x" * 5000,
        line_of(ONE).replace("calibration/1", "calibration/2"),
        line_of(ONE).replace('"predicted":100.0', '"predicted":0'),
        line_of(ONE).replace('"predicted":100.0', '"predicted":-3'),
        line_of(ONE).replace('"predicted":100.0', '"predicted":NaN'),
        line_of(ONE).replace('"predicted":100.0', '"predicted":1e999'),
        line_of(ONE).replace('"predicted":100.0', '"predicted":true'),
        line_of(ONE).replace('"predicted":100.0', '"predicted":' + "9" * 400),
        line_of(ONE).replace('"measured":300.0', '"measured":1e14'),
        line_of(ONE).replace('"count":60', '"count":0'),
        line_of(ONE).replace('"duration"', '"weight"'),
        line_of(ONE).replace('"w-1"', "7"),
        line_of(replace(ONE, user="eve")),
        line_of(ONE)[:40],
    ],
)
def test_a_line_that_is_damaged_or_lies_is_left_out_alone(line: str) -> None:
    found = read_lines([line, line_of(ONE), "", " "], user="ada")
    assert found.observations == (ONE,)
    assert found.refused == 1


def test_the_same_work_on_other_gpus_moves_it_more_than_other_work_and_less_than_itself() -> None:
    elsewhere = _runs(300.0, subject=replace(HERE, gpu="l4"))
    other = _runs(300.0, subject=replace(HERE, work="w/other"))
    at_home = _runs(300.0)
    assert _correct(*other).factor < _correct(*elsewhere).factor < _correct(*at_home).factor
    assert _correct(*elsewhere).factor > 2


def test_a_run_there_counts_more_than_runs_elsewhere() -> None:
    elsewhere = tuple(
        replace(ONE, run=f"e-{n}", measured=300.0, subject=replace(HERE, gpu=gpu))
        for n, gpu in enumerate(("l4", "t4", "a10"))
    )
    assert _correct(*elsewhere, *_runs(100.0)).factor == pytest.approx(1.0, abs=0.15)
