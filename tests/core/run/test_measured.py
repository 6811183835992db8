"""What a finished run has measured, beside what its plan had predicted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cfslurm.core.models.calibration import Basis, Quantity
from cfslurm.core.run.measured import Finished, measured
from cfslurm.core.run.outcomes import ItemState

PLAN: dict[str, Any] = {
    "cluster": "lab",
    "workflow": {"name": "study", "models": {"judge": {"engine": "vllm"}}},
    "choices": [
        {
            "group": "eval",
            "model": "judge",
            "variant": "org/m@fp8",
            "node_class": "h100-x4",
            "gpu_key": "h100",
            "uncorrected": {
                "duration": 10.0, "decode": 100.0, "memory": 5e9, "basis": "physics",
            },
        }
    ],
}  # fmt: skip


def _item(number: int, seconds: float, **changes: Any) -> ItemState:
    made = ItemState(
        item=number, state="done", starts=1, results=1, node="n1", node_class="h100-x4",
        variant="org/m@fp8", seconds=seconds, exit_code=0, result=None,
    )  # fmt: skip
    return replace(made, **changes)


def _measured(*items: ItemState, plan: Any = PLAN) -> Any:
    return measured(
        Finished(run="r", user="ada", at="2026-11-21T00:00:00Z", plan=plan, items={"eval": items})
    )


def test_the_median_of_items_stands_beside_the_first_prediction() -> None:
    (one,) = _measured(*(_item(n, seconds) for n, seconds in enumerate((19.0, 20.0, 90.0))))
    assert (one.predicted, one.measured, one.count) == (10.0, 20.0, 3)
    assert (one.quantity, one.basis, one.user) == (Quantity.DURATION, Basis.PHYSICS, "ada")
    subject = one.subject
    assert (subject.cluster, subject.gpu, subject.engine) == ("lab", "h100", "vllm")
    assert (subject.variant, subject.work) == ("org/m@fp8", "study/eval")


@pytest.mark.parametrize(
    "changes",
    [
        {"state": "failed"},
        {"starts": 2},
        {"node_class": "l4-x1"},
        {"variant": "org/m@awq"},
        {"seconds": 0.0},
    ],
)
def test_what_did_not_go_as_planned_does_not_count(changes: dict[str, Any]) -> None:
    odd = replace(_item(0, 99.0), **changes)
    assert _measured(odd) == ()
    (one,) = _measured(odd, _item(1, 20.0))
    assert (one.measured, one.count) == (20.0, 1)


def test_what_an_item_tells_of_itself_counts_too() -> None:
    result = {"decode_tokens_per_s": 80, "gpu_memory_bytes": 6e9, "score": 1}
    found = {one.quantity: one for one in _measured(_item(0, 20.0, result=result))}
    assert found[Quantity.DECODE].measured == 80
    assert found[Quantity.MEMORY].measured == 6e9
    assert len(found) == 3


@pytest.mark.parametrize(
    "result", ["text", [1], {"decode_tokens_per_s": "fast"}, {"decode_tokens_per_s": True}]
)
def test_other_results_are_left_alone(result: Any) -> None:
    assert [one.quantity for one in _measured(_item(0, 20.0, result=result))] == [Quantity.DURATION]


@pytest.mark.parametrize(
    "plan",
    [
        None,
        [],
        {},
        {"choices": 3, "workflow": []},
        {"choices": [None, {"group": "eval"}]},
        {**PLAN, "choices": [{**PLAN["choices"][0], "uncorrected": [1]}]},
        {**PLAN, "choices": [{**PLAN["choices"][0], "uncorrected": {"duration": "x"}}]},
    ],
)
def test_a_plan_that_predicted_nothing_teaches_nothing(plan: Any) -> None:
    assert _measured(_item(0, 20.0, node_class=None, variant=None), plan=plan) == ()
    assert _measured(_item(0, 20.0), plan=plan) == ()
