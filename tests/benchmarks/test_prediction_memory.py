"""Memory against published start-up logs: the data are sound, and predictions keep near them."""

from __future__ import annotations

import csv
import statistics
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from benchmarks import prediction_memory
from benchmarks.prediction_memory import Case, read_cases

DATA = Path(prediction_memory.__file__).with_name("data") / "memory_logs.csv"


@pytest.fixture(scope="module")
def cases() -> tuple[Case, ...]:
    return read_cases()


def test_logs_are_split_by_source() -> None:
    with DATA.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    halves = {
        half: {
            "/".join(urlsplit(row["url"]).path.split("/")[:3])
            for row in rows
            if row["half"] == half
        }
        for half in ("fit", "held out")
    }
    assert not halves["fit"] & halves["held out"]
    assert len(rows) >= 25
    assert all(row["url"].startswith("https://") for row in rows)
    for row in rows:
        inside = sum(
            float(row[f"{name}_gib"]) for name in ("weights", "activation", "non_torch", "kv")
        )
        assert (
            inside <= float(row["gpu_gib"]) * float(row["utilization"]) * 1.02
            or not row["kv_tokens"]
        )


def test_predictions_of_fitted_logs_are_within_the_aim(cases: tuple[Case, ...]) -> None:
    for case in cases:
        if case.half == "fit":
            assert -0.03 < case.error < 0.05, case


def test_the_median_of_held_out_logs_is_within_the_aim(cases: tuple[Case, ...]) -> None:
    held = [case for case in cases if case.half == "held out"]
    assert statistics.median(abs(case.error) for case in held) < 0.05
    assert all(case.error < 0.05 for case in held)


def test_what_is_told_to_fit_would_have_fitted(cases: tuple[Case, ...]) -> None:
    with DATA.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row, case in zip(rows, cases, strict=True):
        kept_free = 0.10 * float(row["gpu_gib"]) * float(row["utilization"])  # below that: tight
        assert case.measured - case.ours < kept_free, case


def test_others_are_compared_on_the_same_logs(cases: tuple[Case, ...]) -> None:
    figures, (methods, every) = prediction_memory.memory()
    assert len(every.rows) == len(cases)
    assert [row[0] for row in methods.rows] == [
        "cfslurm",
        "cfslurm, held out",
        *(name for name, _, _ in cases[0].others),
    ]
    assert all(figure.name.startswith("memory_") for figure in figures)
