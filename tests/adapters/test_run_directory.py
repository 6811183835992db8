from __future__ import annotations

import multiprocessing
import os
import stat
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from cfslurm.adapters.environment import Environment, read_environment
from cfslurm.adapters.run_directory import RunDirectory, open_run, prepare_run, run_ids
from cfslurm.errors import RunError


def _published(runs: Path, name: str = "lab") -> RunDirectory:
    store = prepare_run(runs, name, read_environment(), now=1e9)
    store.write_document("run.json", {"a": 1})
    store.publish()
    return store


def test_run_appears_whole_or_not_at_all(weird_path: Path) -> None:
    store = prepare_run(weird_path, "lab", read_environment(), now=1e9)
    store.write_text("submission/a.sbatch", "#!/bin/bash\n")
    assert run_ids(weird_path) == []
    store.publish()
    assert run_ids(weird_path) == [store.run_id]
    assert (store.path / "submission" / "a.sbatch").read_text() == "#!/bin/bash\n"


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_nobody_else_reads_a_run_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    old = os.umask(umask)
    try:
        store = _published(tmp_path / "runs")
        store.append_ledger({"event": "intended", "at": 1.0})
    finally:
        os.umask(old)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (store.path, *store.path.rglob("*"))}
    assert modes == {0o700, 0o600}


def test_two_runs_of_one_workflow_have_two_names(tmp_path: Path) -> None:
    assert len({_published(tmp_path).run_id for _ in range(20)}) == 20


@pytest.mark.parametrize("how", ["whole", "end", "last"])
def test_run_is_found_by_name_end_or_as_the_last(tmp_path: Path, how: str) -> None:
    store = _published(tmp_path)
    name = {"whole": store.run_id, "end": store.run_id.rpartition("-")[2], "last": "last"}[how]
    assert open_run(tmp_path, name, read_environment()).path == store.path


def test_unknown_and_ambiguous_names_are_refused(tmp_path: Path) -> None:
    _published(tmp_path)
    _published(tmp_path)
    with pytest.raises(RunError, match="there is no run 'x'"):
        open_run(tmp_path, "x", read_environment())
    with pytest.raises(RunError, match="2 runs go by 'lab'"):
        open_run(tmp_path, "lab", read_environment())
    with pytest.raises(RunError, match="there is no run"):
        open_run(tmp_path / "nowhere", "last", read_environment())


def test_ledger_of_several_clients_is_one_in_time(tmp_path: Path) -> None:
    store = _published(tmp_path)
    other = RunDirectory(store.path, read_environment())
    store.append_ledger({"event": "a", "at": 1.0})
    other.append_ledger({"event": "b", "at": 2.0})
    store.append_ledger({"event": "c", "at": 3.0})
    assert [event["event"] for event in store.ledger()] == ["a", "b", "c"]


def test_torn_ledger_line_is_left_out(tmp_path: Path) -> None:
    store = _published(tmp_path)
    store.append_ledger({"event": "a", "at": 1.0})
    (path,) = (store.path / "ledger").iterdir()
    with path.open("a") as file:
        file.write('{"event": "b", "at"')
    assert [event["event"] for event in store.ledger()] == ["a"]


def test_second_client_is_refused_while_the_first_submits(tmp_path: Path) -> None:
    store = _published(tmp_path)
    other = RunDirectory(store.path, read_environment())
    refused = pytest.raises(RunError, match="is being submitted by another client")
    with store.submitting(), refused, other.submitting():
        pass
    with store.submitting():
        pass


def _hold(path: Path, ready: multiprocessing.synchronize.Event) -> None:
    with RunDirectory(path, read_environment()).submitting():
        ready.set()
        os.kill(os.getpid(), 9)


def test_lock_of_a_killed_client_is_taken_over(tmp_path: Path) -> None:
    store = _published(tmp_path)
    context = multiprocessing.get_context("fork")
    ready = context.Event()
    process = context.Process(target=_hold, args=(store.path, ready))
    process.start()
    ready.wait(10)
    process.join(10)
    with store.submitting():
        pass


def test_lock_of_a_killed_client_is_taken_over_by_one_only(tmp_path: Path) -> None:
    path = _published(tmp_path).path
    dead = f"{read_environment().host}-4194305-0"  # above the largest number of a process
    inside = threading.Lock()

    def submit(_: int) -> int:
        try:
            with RunDirectory(path, read_environment()).submitting():
                assert inside.acquire(blocking=False), "two at the same time"
                time.sleep(0.001)
                inside.release()
        except RunError:
            return 0
        return 1

    with ThreadPoolExecutor(8) as threads:
        for _ in range(100):
            (path / "submit.lock").write_text(dead)
            assert sum(threads.map(submit, range(8))) >= 1
            assert [lock.read_text() for lock in path.glob("submit.lock*")] == [dead]


def test_lock_of_another_host_is_not_taken_over(tmp_path: Path) -> None:
    store = _published(tmp_path)
    far = RunDirectory(store.path, replace(read_environment(), host="other"))
    with far.submitting(), pytest.raises(RunError, match="other-"), store.submitting():
        pass


def test_abandoned_preparations_are_dropped_after_a_day(tmp_path: Path) -> None:
    environment: Environment = read_environment()
    left = prepare_run(tmp_path, "lab", environment, now=0)
    staging = next(tmp_path.glob(".preparing-*"))
    os.utime(staging, (1000, 1000))
    prepare_run(tmp_path, "lab", environment, now=1000 + 3600)
    assert staging.exists()
    prepare_run(tmp_path, "lab", environment, now=1000 + 90_000)
    assert not staging.exists()
    assert left.run_id not in run_ids(tmp_path)


def test_folder_that_cannot_be_written_says_what_to_set() -> None:
    with pytest.raises(RunError, match="cannot create a run") as error:
        prepare_run(Path("/proc/nowhere"), "lab", read_environment(), now=0)
    assert "CFSLURM_RUNS" in error.value.remedy


def test_damaged_document_says_which(tmp_path: Path) -> None:
    store = _published(tmp_path)
    (store.path / "plan.json").write_text("{")
    with pytest.raises(RunError, match=r"no readable plan\.json"):
        store.read_json("plan.json")
    with pytest.raises(RunError, match=r"no readable other\.json"):
        store.read_json("other.json")
