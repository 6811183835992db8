"""What finished work teaches the next plan, on a real Slurm."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.slurm.user import User

# Says that an item takes 1 s; it takes 3.
SLOW = """\
schema: cfslurm.workflow/1
name: slow
tasks:
  think:
    command: [python3, -c, "import time; time.sleep(3)"]
    array: {range: 0-3}
    work: {time: 1s}
    time: 1m
    resources: {mem: 50M, gpus: 1}
"""


def _plan(user: User) -> dict[str, Any]:
    (choice, *_) = user.json("plan", "workflow.yaml")["plan"]["choices"]
    return dict(choice)


def test_the_second_plan_of_work_that_is_slower_than_told_predicts_better(user: User) -> None:
    user.write(SLOW)
    first = _plan(user)
    assert (first["item_s"], first["samples"], first["source"]) == (1.0, 0, "work.time")
    run_id = user.submit(SLOW)
    user.wait(run_id)
    items = user.items(run_id, "think")
    truth = sorted(item["seconds"] for item in items.values())[len(items) // 2]
    assert truth > 2.9

    second = _plan(user)
    assert second["samples"] >= 1
    assert "by the history of this work (1)" in second["source"]
    assert abs(second["item_s"] - truth) < 0.2 * truth < abs(first["item_s"] - truth)
    assert second["item_low_s"] < truth < second["item_high_s"]
    assert second["uncorrected"]["duration"] == 1.0, "corrections do not pile up"

    again = user.submit(SLOW)
    user.wait(again)
    third = _plan(user)
    assert "by the history of this work" in third["source"]
    assert abs(third["item_s"] - truth) < 0.2 * truth
    wide = second["item_high_s"] / second["item_low_s"]
    assert third["item_high_s"] / third["item_low_s"] <= wide

    told = user.json("models", "calibrate")["observations"]
    assert {one["run"] for one in told} == {run_id, again}
    assert {one["subject"]["work"] for one in told} == {"slow/think"}
    repeated = user.json("models", "calibrate", run_id)["observations"]
    assert [one["measured"] for one in repeated] == [
        one["measured"] for one in told if one["run"] == run_id
    ]
    assert user.json("models", "calibrate")["observations"][0]["count"] == told[0]["count"]


def test_a_damaged_ledger_stops_no_plan(user: User) -> None:
    user.write(SLOW)
    ledger = Path(user.cfslurm("models", "calibrate").stderr.split("ledger: ")[1].strip())
    ledger.parent.mkdir(parents=True, exist_ok=True)
    ledger.write_text("{\n\0\n" + json.dumps({"schema": "cfslurm.calibration/1"}) + "\n")
    assert _plan(user)["samples"] == 0
    assert user.json("models", "calibrate")["refused"] == 3
