from __future__ import annotations

from dataclasses import replace

from cfslurm.core.report.reasons import explain_queued
from cfslurm.core.slurm.squeue import QueuedJob

WAITING = QueuedJob(
    job_id="12_[4-9%2]", record_id=12, state="PENDING", reason="Resources", used_s=0,
    time_limit_s=60, start_time=None, submit_time=990, partition="gpu", nodelist="", comment="",
    name="study.eval",
)  # fmt: skip


def test_equal_tasks_of_an_array_share_a_sentence() -> None:
    running = [
        replace(WAITING, job_id=f"12_{n}", state="RUNNING", nodelist=f"n{n}", used_s=10 + n)
        for n in range(4)
    ]
    assert explain_queued([*running, WAITING], now=1000) == (
        "12_[4-9%2] (study.eval, 6 tasks) waits for 10s: it is next, and waits until enough of "
        "what it asks for is free (Resources).",
        "12 (study.eval, 4 tasks) is RUNNING on n0, n1, n2, n3 for 13s.",
    )


def test_a_single_job_is_not_counted() -> None:
    done = replace(WAITING, job_id="7", state="COMPLETED", nodelist="n1", used_s=70)
    assert explain_queued([done], now=1000) == ("7 (study.eval) is COMPLETED on n1 after 1m10s.",)


def test_different_reasons_stay_apart() -> None:
    soon = replace(WAITING, job_id="12_3", reason="BeginTime", start_time=1006)
    told = explain_queued([WAITING, soon], now=1000)
    assert [text.split(" waits")[0] for text in told] == [
        "12_3 (study.eval)",
        "12_[4-9%2] (study.eval, 6 tasks)",
    ]
    assert told[0].endswith("Slurm expects it to start in 6.0s.")
