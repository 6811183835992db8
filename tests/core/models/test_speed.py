"""How long an item takes, and what the number rests on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cfslurm.core.models.calibration import Basis, Calibration, Observation, Quantity, Subject
from cfslurm.core.models.rates import Deployment
from cfslurm.core.models.speed import (
    ASSUMED_ITEM_S,
    LOAD_BYTES_PER_S,
    Item,
    Speed,
    predict,
    predict_plain,
)
from cfslurm.core.workflow.model import Work
from tests.builders import CATALOGUE, ENGINES, KNOWLEDGE, variant

ENGINE = ENGINES["vllm"]
DEPLOYMENT = Deployment(variant=variant("none", 16.0), gpu=CATALOGUE.cards["h100"], engine="vllm")


def _item(work: Work | None = None, *, sequences: int = 1) -> Item:
    return Item(name="w/t", work=work, sequences=sequences)


def _predict(item: Item, **changes: object) -> Speed:
    return predict(replace(DEPLOYMENT, **changes), ENGINE, item, KNOWLEDGE)  # type: ignore[arg-type]


def test_a_time_that_was_measured_is_taken_as_it_is() -> None:
    found = _predict(_item(Work(time="90s")))
    assert found.item_s.likely == pytest.approx(90)
    assert found.source == "work.time"
    assert found.uncorrected.basis is Basis.GIVEN


def test_tokens_become_time_with_the_start_of_the_engine() -> None:
    found = _predict(_item(Work(tokens_in=100, tokens_out=1000)))
    start = ENGINE.start_s + DEPLOYMENT.variant.weights_bytes / LOAD_BYTES_PER_S
    assert found.start_s == pytest.approx(start)
    assert found.tokens_per_s is not None
    expected = start + 1000 / found.tokens_per_s.likely
    assert found.item_s.likely == pytest.approx(expected, rel=0.05)
    assert "measurements of vllm on this GPU" in found.source
    assert found.uncorrected.basis is Basis.PHYSICS


def test_without_a_word_tokens_are_assumed_and_said_so() -> None:
    found = _predict(_item())
    assert "tokens assumed" in found.source
    assert found.uncorrected.basis is Basis.GIVEN
    told = _predict(_item(Work(tokens_in=512, tokens_out=256)))
    assert found.item_s.likely == pytest.approx(told.item_s.likely)
    assert found.item_s.high > told.item_s.high


def test_requests_run_as_many_at_once_as_the_model_may() -> None:
    work = Work(tokens_in=100, tokens_out=200, requests=64)
    one, eight = (_predict(_item(work, sequences=n)).item_s.likely for n in (1, 8))
    single = _predict(_item(replace(work, requests=1))).item_s.likely
    assert one > 20 * (single - _predict(_item(work)).start_s)
    assert eight < one / 2
    assert _predict(_item(replace(work, requests=4), sequences=64)).item_s.likely < eight


def test_what_was_never_measured_has_a_wider_range() -> None:
    work = Work(tokens_in=100, tokens_out=1000)
    measured = _predict(_item(work)).item_s
    other_gpu = _predict(_item(work), gpu=CATALOGUE.cards["l4"]).item_s
    other_engine = _predict(_item(work), engine="sglang").item_s
    widths = [r.high / r.low for r in (measured, other_gpu, other_engine)]
    assert widths == sorted(widths)
    assert widths[0] < widths[2]


def test_work_without_a_model_is_given_or_assumed() -> None:
    assert predict_plain(_item(Work(time="7s")), KNOWLEDGE).item_s.likely == pytest.approx(7)
    guess = predict_plain(_item(), KNOWLEDGE)
    assert guess.item_s.likely == pytest.approx(ASSUMED_ITEM_S)
    assert guess.source == "assumed"
    assert guess.tokens_per_s is None


def test_history_corrects_and_is_told_and_leaves_the_first_prediction() -> None:
    work = Work(tokens_in=100, tokens_out=1000)
    first = _predict(_item(work))
    ran = Observation(
        subject=Subject(
            cluster="test", gpu="h100", engine="vllm", variant=DEPLOYMENT.variant.id, work="w/t"
        ),
        quantity=Quantity.DURATION, basis=Basis.PHYSICS, user="ada", run="w-1", at="2026",
        predicted=first.uncorrected.duration, measured=first.uncorrected.duration * 2,
    )  # fmt: skip
    knowledge = replace(KNOWLEDGE, calibration=Calibration(observations=(ran,), user="ada"))
    second = predict(DEPLOYMENT, ENGINE, _item(work), knowledge)
    assert second.item_s.likely == pytest.approx(2 * first.item_s.likely, rel=0.1)
    assert second.samples == 1
    assert "by the history of this work (1)" in second.source
    assert second.uncorrected == first.uncorrected


def test_a_rate_that_work_has_measured_corrects_the_rate() -> None:
    first = _predict(_item())
    assert first.tokens_per_s is not None
    subject = Subject(
        cluster="test", gpu="h100", engine="vllm", variant=DEPLOYMENT.variant.id, work="w/t"
    )
    half = Observation(
        subject=subject, quantity=Quantity.DECODE, basis=Basis.PHYSICS, user="ada", run="w-1",
        at="2026", predicted=first.uncorrected.decode, measured=first.uncorrected.decode / 2,
    )  # fmt: skip
    knowledge = replace(KNOWLEDGE, calibration=Calibration(observations=(half,), user="ada"))
    second = predict(DEPLOYMENT, ENGINE, _item(), knowledge)
    assert second.tokens_per_s is not None
    assert second.tokens_per_s.likely == pytest.approx(first.tokens_per_s.likely / 2, rel=0.1)
