"""An array task's runner as a process: ends, retries, signals, kills, and what it leaves in its files."""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import mkdtemp

import pytest

from tests.node.array_run import ArrayRun, make_array_run

MARK = "echo {index} >> marks"
WAIT = "until [ -e go ]; do sleep 0.02; done"


def _sh(script: str) -> tuple[str, ...]:
    return ("sh", "-c", script)


def _until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_items_run_in_order_and_once(tmp_path: Path) -> None:
    run = make_array_run(tmp_path, _sh(MARK))
    assert run.run()[0] == 0
    assert run.marks() == ["0", "1", "2", "3"]
    assert run.told("done") == [0, 1, 2, 3]
    assert run.run(1)[0] == 0
    assert run.marks() == ["0", "1", "2", "3"]


def test_failed_item_is_tried_again_and_the_others_run(tmp_path: Path) -> None:
    run = make_array_run(tmp_path, _sh(f"{MARK}; [ {{index}} != 1 ]"), retries=2)
    assert run.run()[0] == 1
    assert run.marks() == ["0", "1", "1", "1", "2", "3"]
    assert run.told("retry") == [1, 1]
    assert run.told("failed") == [1]
    assert run.told("done") == [0, 2, 3]


def test_retries_are_counted_over_attempts(tmp_path: Path) -> None:
    second_waits = "while [ $(wc -l < marks) = 2 ]; do sleep 0.02; done"
    run = make_array_run(tmp_path, _sh(f"{MARK}; {second_waits}; exit 4"), items=1, retries=2)
    first = run.start()
    _until(lambda: len(run.marks()) == 2)
    assert run.told("retry") == [0]
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    assert run.run(1)[0] == 1
    assert run.told("retry") == [0, 0]
    assert run.told("failed") == [0]


def test_failure_of_an_earlier_attempt_is_not_forgotten(tmp_path: Path) -> None:
    run = make_array_run(tmp_path, _sh(f"{MARK}; [ {{index}} != 0 ]"), items=2)
    assert run.run()[0] == 1
    assert run.run(1)[0] == 1
    assert run.marks() == ["0", "1"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_program_with_a_session_is_told_and_asks_for_a_requeue(
    tmp_path: Path, number: signal.Signals
) -> None:
    program = "trap 'echo told >> marks; exit 75' TERM; echo up >> marks; sleep 30 & wait"
    run = make_array_run(tmp_path, _sh(program), items=2, checkpoint_s=5)
    task = run.start()
    _until(run.marks)
    task.send_signal(number)
    assert task.wait(20) == 75
    assert run.marks() == ["up", "told"]
    assert run.told("interrupted") == [0]
    assert run.told("start") == [0]


def test_warning_is_kept_from_a_program_that_may_still_end(tmp_path: Path) -> None:
    program = f"trap 'echo told >> marks' TERM; echo up >> marks; {WAIT}; echo end >> marks"
    run = make_array_run(tmp_path, _sh(program), items=2)
    task = run.start()
    _until(run.marks)
    task.send_signal(signal.SIGUSR1)
    time.sleep(0.3)  # long enough for a warning to be passed on, if it were
    (tmp_path / "go").touch()
    assert task.wait(20) == 75
    assert run.marks() == ["up", "end"]
    assert run.told("done") == [0]
    assert run.told("start") == [0]


def test_time_limit_without_a_session_is_a_failure_and_preemption_is_not(tmp_path: Path) -> None:
    for name, limit_s, code, told in (
        ("limit", 1, 1, "failed"),
        ("preempted", 600, 75, "interrupted"),
    ):
        folder = tmp_path / name
        folder.mkdir()
        program = "echo up >> marks; exec sleep 30"
        run = make_array_run(folder, _sh(program), items=1, time_limit_s=limit_s)
        task = run.start()
        _until(run.marks)
        task.send_signal(signal.SIGUSR1)
        time.sleep(1.0)
        task.send_signal(signal.SIGTERM)
        assert task.wait(20) == code, name
        assert run.told(told) == [0]


def test_item_that_takes_too_long_costs_the_others_of_its_task_nothing(tmp_path: Path) -> None:
    slow = f"{MARK}; trap 'echo told >> marks; exit 9' TERM; [ {{index}} != 1 ] || {{ sleep 30 & wait; }}"
    run = make_array_run(tmp_path, _sh(slow), items=3, time_limit_s=1)
    assert run.run()[0] == 1
    assert run.marks() == ["0", "1", "told", "2"]
    assert run.told("done") == [0, 2]
    (failed,) = [event for event in run.events() if event["event"] == "failed"]
    assert (failed["item"], failed["reason"]) == (1, "time limit: not done after 1 s")


def test_program_that_is_ended_a_moment_before_its_runner_is_told_has_not_failed(
    tmp_path: Path,
) -> None:
    run = make_array_run(tmp_path, _sh("echo $$ >> marks; exec sleep 30"), items=1)
    task = run.start()
    _until(run.marks)
    os.kill(int(run.marks()[0]), signal.SIGTERM)
    time.sleep(0.1)
    task.send_signal(signal.SIGTERM)
    assert task.wait(20) == 75
    assert run.told("interrupted") == [0]
    assert run.told("failed") == []


def test_runner_gives_up_after_as_many_requeues_as_it_may(tmp_path: Path) -> None:
    run = make_array_run(tmp_path, _sh("exit 75"), items=1, checkpoint_s=5, max_requeues=2)
    assert [run.run(attempt)[0] for attempt in range(3)] == [75, 75, 1]


def test_attempt_that_was_taken_for_dead_stops_after_its_item(tmp_path: Path) -> None:
    run = make_array_run(tmp_path, _sh(f"{MARK}; {WAIT}"), items=3)
    old = run.start()
    _until(run.marks)
    new = run.start(1, node="n2")
    _until(lambda: run.marks() == ["0", "0"])
    (tmp_path / "go").touch()
    assert old.wait(20) == 3
    assert new.wait(20) == 0
    assert sorted(run.told("done")).count(1) == 1
    assert sorted(run.told("done")).count(2) == 1


def test_what_a_program_leaves_behind_is_ended(tmp_path: Path) -> None:
    run = make_array_run(tmp_path, _sh("sleep 300 & echo $! >> marks"), items=1)
    assert run.run()[0] == 0
    (pid,) = run.marks()
    _until(lambda: not Path(f"/proc/{pid}").exists())


def test_program_that_is_not_there_says_so_in_log_and_outcome(tmp_path: Path) -> None:
    run = make_array_run(tmp_path, ("no-such-program",), items=1)
    code, said = run.run()
    assert code == 69
    assert "cannot start 'no-such-program'" in said
    assert "try: " in said
    assert "no-such-program" in run.events()[-1]["reason"]


def test_node_that_the_plan_does_not_know_is_refused(tmp_path: Path) -> None:
    run = make_array_run(tmp_path, _sh(MARK))
    code, said = run.run(node="n9")
    assert code == 69
    assert "the plan does not know node n9" in said
    assert run.marks() == []


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"schema": "cfslurm.manifest/9"}'])
def test_damaged_manifest_is_refused(tmp_path: Path, damage: str) -> None:
    run = make_array_run(tmp_path, _sh(MARK))
    (tmp_path / "manifest.json").write_text(damage)
    code, said = run.run()
    assert code == 69
    assert "Traceback" not in said
    assert run.marks() == []


def test_full_disk_is_said_and_nothing_counts_as_done(tmp_path: Path) -> None:
    run = make_array_run(tmp_path, ("true",), items=50)

    def little_room() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (600, 600))

    code, said = _limited(run, little_room)
    assert code == 69
    assert "cannot write into" in said
    assert "Traceback" not in said
    done = run.told("done")
    assert 0 < len(done) < 50
    assert run.run(1)[0] == 0
    assert sorted(run.told("done")) == list(range(50))


def _limited(run: ArrayRun, limit: Callable[[], None]) -> tuple[int, str]:
    pid = os.fork()
    if pid == 0:
        limit()
        code, said = run.run()
        (run.folder.parent / "answer").write_text(f"{code}\n{said}"[:590])
        os._exit(0)
    os.waitpid(pid, 0)
    code, _, said = (run.folder.parent / "answer").read_text().partition("\n")
    return int(code), said


def _kills(folder: Path, *, kills: int, seed: int) -> tuple[int, int]:
    """Cut the power at random moments until all items are done; trials and items that began twice."""
    random_moment = random.Random(seed)
    trials = again = 0
    while trials < kills:
        run_folder = Path(mkdtemp(dir=folder))
        run = make_array_run(run_folder, _sh(f"{MARK}; sleep 0.01"), items=12)
        for attempt in range(200):
            task = run.start(attempt)
            try:
                # Later cuts leave more time, so that a busy machine comes to an end too.
                assert task.wait(random_moment.uniform(0.05, 0.35 + attempt * 0.02)) == 0
            except subprocess.TimeoutExpired:
                os.killpg(task.pid, signal.SIGKILL)
                task.wait()
                trials += 1
                continue
            break
        assert sorted(run.told("done")) == list(range(12))
        starts = run.told("start")
        assert set(starts) == set(range(12))
        finished: set[int] = set()
        for event in run.events():
            if event["event"] == "start":
                assert event["item"] not in finished, "a finished item began again"
                again += starts.count(event["item"]) > 1
            if event["event"] == "done":
                finished.add(event["item"])
    return trials, again


def test_no_finished_item_begins_again_wherever_the_power_is_cut(tmp_path: Path) -> None:
    trials, _ = _kills(tmp_path, kills=12, seed=1)
    assert trials >= 12


@pytest.mark.soak
def test_thousand_power_cuts(tmp_path: Path) -> None:
    trials, again = _kills(tmp_path, kills=1000, seed=2)
    print(  # noqa: T201
        f"\n{trials} power cuts, {again} starts of items that were cut off, 0 of finished items"
    )
