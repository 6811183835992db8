"""A run's jobs are submitted all or none, each once: shown against everything that can go wrong."""

from __future__ import annotations

import random
import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.slurm.conftest import Slurm
from tests.slurm.faults import CHAIN, KEYS, Client, Controller, client_of
from tests.slurm.user import User

KILLED = -signal.SIGKILL
Completed = subprocess.CompletedProcess[str]
NewClient = Callable[[str], Client]
Check = Callable[..., None]


@pytest.fixture(autouse=True)
def interruptible() -> Iterator[None]:
    """A shell that starts tests in the background lets them, and so their clients, ignore Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def new_client(user: User, tmp_path: Path) -> NewClient:
    """Clients with folders and runs of their own."""

    def make(name: str) -> Client:
        folder = tmp_path / name
        folder.mkdir()
        return client_of(replace(user, folder=folder, runs=folder / "runs"), folder / "faults")

    return make


@pytest.fixture
def client(new_client: NewClient) -> Client:
    return new_client("client")


def at_once(new_client: NewClient, cases: Sequence[tuple[Any, ...]], check: Check) -> None:
    """Try several cases side by side, each with a client of its own: they mostly wait for Slurm."""

    def one(case: tuple[Any, ...]) -> None:
        try:
            check(new_client("-".join(map(str, case))), *case)
        except BaseException as error:
            error.add_note(f"case: {case}")
            raise

    with ThreadPoolExecutor(len(cases)) as threads:
        for future in [threads.submit(one, case) for case in cases]:
            future.result()


def test_refused_job_undoes_the_others(new_client: NewClient) -> None:
    def check(client: Client, call: int) -> None:
        client.faults.plan("refuse", call=call)
        done = client.submit()
        assert done.returncode == 69, done.stderr
        assert f"Slurm refused job {call} of 3 ({KEYS[call - 1]})" in done.stderr
        assert "Requested node configuration is not available" in done.stderr
        assert "  try: See " in done.stderr
        refused = client.run_id()
        assert client.queued(refused) == []
        assert client.user.state(refused) == "undone"
        run_id = client.submit_well()
        assert run_id != refused
        client.assert_each_ran_once(run_id)
        assert client.events(refused, "outcomes") == []

    at_once(new_client, [(1,), (2,), (3,)], check)


def test_answer_that_is_lost_or_wrong_doubles_nothing(new_client: NewClient) -> None:
    def check(client: Client, fault: str) -> None:
        client.user.write(CHAIN.replace('b: {command: ["true"]', 'b: {command: [sleep, "1"]'))
        client.faults.plan(fault, call=2)
        done = client.submit()
        assert done.returncode == 0, done.stderr
        client.assert_each_ran_once(done.stdout.strip())
        client.assert_in_order(done.stdout.strip())

    faults = ["drop", "lose", "lose-silently", "lose-killed", "lose-garbage", "wrong-id", "twice"]
    at_once(new_client, [(fault,) for fault in faults], check)


@pytest.mark.parametrize(("fault", "made"), [("kill-before", 0), ("kill-after", 1)])
def test_killed_client_is_followed_by_one_that_finishes(
    new_client: NewClient, fault: str, made: int
) -> None:
    def check(client: Client, call: int) -> None:
        client.faults.plan(fault, call=call)
        assert client.submit().returncode == KILLED
        run_id = client.run_id()
        client.assert_held(run_id, KEYS[: call - 1 + made])
        assert client.user.state(run_id) == "submitting"
        client.faults.clear()
        done = client.submit()
        assert (done.returncode, done.stdout.strip()) == (0, run_id), done.stderr
        assert f"finishing run {run_id}, whose submission was cut off" in done.stderr
        client.assert_each_ran_once(run_id)

    at_once(new_client, [(1,), (2,), (3,)], check)


def test_call_that_arrives_after_its_client_was_killed_is_waited_for(client: Client) -> None:
    client.faults.plan("kill-early", call=2)
    assert client.submit().returncode == KILLED
    assert client.submit_well() == client.run_id()
    assert client.faults.calls("sbatch") == 1
    client.assert_each_ran_once(client.run_id())


def test_client_killed_while_it_releases(new_client: NewClient) -> None:
    def check(client: Client, fault: str, call: int) -> None:
        client.faults.plan(fault, program="scontrol", call=call)
        assert client.submit().returncode == KILLED
        assert client.submit_well() == client.run_id()
        client.assert_each_ran_once(client.run_id())

    cases = [("kill-before", 1), ("kill-after", 1), ("kill-after", 2), ("kill-after", 3)]
    at_once(new_client, cases, check)


def test_client_killed_while_it_releases_is_followed_when_a_job_has_ended(client: Client) -> None:
    client.faults.plan("kill-after", program="scontrol", call=1)
    assert client.submit().returncode == KILLED
    run_id = client.run_id()
    client.user.eventually(lambda: client.jobs_of(run_id)["a"][0][0] == "COMPLETED")
    assert client.submit_well() == run_id
    client.assert_each_ran_once(run_id)


def test_superfluous_job_does_not_hide_the_one_to_release(client: Client) -> None:
    client.faults.plan("twice", call=3)
    client.faults.plan_more("kill-before", program="scontrol", call=3)
    assert client.submit().returncode == KILLED
    assert client.submit_well() == client.run_id()
    client.assert_each_ran_once(client.run_id())


def test_interrupted_client_says_what_is_left(new_client: NewClient) -> None:
    def check(client: Client, program: str, fault: str) -> None:
        client.faults.plan(fault, program=program, call=2)
        done = client.submit()
        run_id = client.run_id()
        assert done.returncode == 130, done.stderr
        assert f"interrupted while run {run_id} was being submitted" in done.stderr
        assert "try: Run the same command again to finish it, or" in done.stderr
        assert f"`cfslurm cancel {run_id}` to undo it" in done.stderr
        if program == "sbatch":
            client.assert_held(run_id, KEYS[: 1 + fault.endswith("after")])
        assert client.submit_well() == run_id
        client.assert_each_ran_once(run_id)

    cases = [
        ("sbatch", "interrupt-before"),
        ("sbatch", "interrupt-after"),
        ("scontrol", "interrupt-after"),
    ]
    at_once(new_client, cases, check)


def test_submission_that_was_cut_off_can_be_undone(new_client: NewClient) -> None:
    def check(client: Client, fault: str) -> None:
        client.faults.plan(fault, call=2)
        assert client.submit().returncode == KILLED
        cut_off = client.run_id()
        done = client.user.cfslurm("cancel", cut_off, "a")
        assert done.returncode == 0, done.stderr
        assert client.queued(cut_off) == []
        assert client.user.state(cut_off) == "cancelled"
        run_id = client.submit_well()
        assert run_id != cut_off
        client.assert_each_ran_once(run_id)
        assert client.events(cut_off, "outcomes") == []

    at_once(new_client, [("kill-after",), ("kill-early",)], check)


def test_held_job_that_somebody_cancels_is_submitted_again(client: Client) -> None:
    client.faults.plan("kill-after", call=3)
    assert client.submit().returncode == KILLED
    run_id = client.run_id()
    client.user.slurm.run("scancel", f"--name={run_id}.b")
    assert client.submit_well() == run_id
    assert client.faults.calls("sbatch") == 2  # b, and c, which had waited for the other b
    client.assert_each_ran_once(run_id)


def test_second_client_is_told_of_the_first(client: Client) -> None:
    client.faults.plan("wait", call=2)
    with ThreadPoolExecutor() as threads:
        first = threads.submit(client.submit)
        client.user.eventually(lambda: (client.faults.folder / "waiting").exists())
        run_id = client.run_id()
        for second in (client.submit(), client.user.cfslurm("cancel", run_id)):
            assert second.returncode == 69, second.stderr
            assert f"run {run_id} is being submitted by another client" in second.stderr
            assert "try: Wait for it" in second.stderr
        (client.faults.folder / "go").touch()
        done = first.result()
    assert (done.returncode, done.stdout.strip()) == (0, run_id), done.stderr
    client.assert_each_ran_once(run_id)
    assert len({event["client"] for event in client.events(run_id, "ledger")}) == 1


def test_clients_who_begin_together_get_runs_of_their_own_or_are_told(client: Client) -> None:
    with ThreadPoolExecutor() as threads:
        both = [future.result() for future in [threads.submit(client.submit) for _ in range(2)]]
    assert {done.returncode for done in both} <= {0, 69}, [done.stderr for done in both]
    assert all("by another client" in done.stderr for done in both if done.returncode)
    assert sorted({done.stdout.strip() for done in both if not done.returncode}) == client.run_ids()
    for run_id in client.run_ids():
        client.assert_each_ran_once(run_id)
        assert len({event["client"] for event in client.events(run_id, "ledger")}) == 1


def test_clients_who_finish_the_same_run_together(client: Client) -> None:
    client.faults.plan("kill-after", call=2)
    assert client.submit().returncode == KILLED
    cut_off = client.run_id()
    with ThreadPoolExecutor() as threads:
        all_done = [future.result() for future in [threads.submit(client.submit) for _ in range(4)]]
    assert {done.returncode for done in all_done} <= {0, 69}, [done.stderr for done in all_done]
    assert all("by another client" in done.stderr for done in all_done if done.returncode)
    assert cut_off in {done.stdout.strip() for done in all_done}
    told = Counter((event["event"], event.get("key")) for event in client.events(cut_off, "ledger"))
    assert {key: told["submitted", key] for key in KEYS} == dict.fromkeys(KEYS, 1)
    assert told["released", None] == 1
    for run_id in client.run_ids():  # who comes when the first run is whole gets one of his own
        client.assert_each_ran_once(run_id)


def test_workflow_whose_run_is_done_is_a_new_run(client: Client) -> None:
    first = client.submit_well()
    client.assert_each_ran_once(first)
    second = client.submit_well()
    assert second != first
    client.assert_each_ran_once(second)
    client.assert_each_ran_once(first)


@pytest.fixture
def lonely(
    start_slurm: Callable[..., Slurm], user: User, tmp_path: Path
) -> tuple[Client, Controller]:
    """A client on a Slurm of his own, whose programs soon lose patience with slurmctld."""
    slurm = start_slurm("own")
    conf = tmp_path / "impatient.conf"
    conf.write_text(Path(slurm.env["SLURM_CONF"]).read_text() + "\nMessageTimeout=2\n")
    impatient = replace(slurm, env={**slurm.env, "SLURM_CONF": str(conf)})
    client = client_of(replace(user, slurm=impatient), tmp_path / "faults")
    client.user.write(CHAIN.replace(", needs: [a]", "").replace(", needs: [b]", ""))
    return client, Controller(slurm)


def _assert_said(done: Completed, run_id: str) -> None:
    assert done.returncode == 75, done.stderr
    assert "could not reach Slurm" in done.stderr
    assert "scontrol ping" in done.stderr
    assert f"run the same command again to finish run {run_id}" in done.stderr


@pytest.mark.parametrize("program", ["sbatch", "scontrol"])
def test_slurmctld_that_does_not_answer_for_a_while(
    lonely: tuple[Client, Controller], program: str
) -> None:
    client, controller = lonely
    client.faults.plan("stop-daemon", program=program, call=2, argument=str(controller.pid))
    _assert_said(client.submit(), client.run_id())
    controller.go_on()
    assert client.submit_well() == client.run_id()
    client.assert_each_ran_once(client.run_id())


def test_slurmctld_that_dies_and_forgets_what_it_has_taken(
    lonely: tuple[Client, Controller],
) -> None:
    client, controller = lonely
    client.faults.plan("kill-daemon", call=2, argument=str(controller.pid))
    _assert_said(client.submit(), client.run_id())
    controller.start_without_jobs()
    assert client.submit_well() == client.run_id()
    assert client.faults.calls("sbatch") == 3
    client.assert_each_ran_once(client.run_id())


def test_slurmctld_that_dies_and_forgets_what_may_have_run(
    lonely: tuple[Client, Controller],
) -> None:
    client, controller = lonely
    client.faults.plan("kill-daemon", program="scontrol", call=1, argument=str(controller.pid))
    done = client.submit()
    _assert_said(done, client.run_id())
    assert "scontrol could not reach Slurm" in done.stderr
    controller.start_without_jobs()
    lost = client.run_id()
    client.faults.clear()
    done = client.submit()
    assert done.returncode == 69, done.stderr
    assert f"Slurm has forgotten a, b, c of run {lost}" in done.stderr
    assert f"try: Run `cfslurm cancel {lost}`, then submit the workflow again" in done.stderr
    assert client.user.cfslurm("cancel", lost).returncode == 0
    client.assert_each_ran_once(client.submit_well())
    assert client.events(lost, "outcomes") == []


@pytest.mark.soak
@pytest.mark.parametrize("fault", ["hang", "lose-and-hang"])
def test_sbatch_that_never_comes_back(client: Client, fault: str) -> None:
    client.faults.plan(fault, call=2)
    done = client.submit()
    assert done.returncode == 0, done.stderr
    client.assert_each_ran_once(done.stdout.strip())


FAULTS: Mapping[str, tuple[str, ...]] = {
    "sbatch": (
        "refuse", "drop", "lose", "lose-silently", "lose-killed", "lose-garbage", "wrong-id", "twice",
        "kill-before", "kill-after", "kill-early", "interrupt-before", "interrupt-after",
    ),
    "scontrol": ("drop", "lose", "kill-before", "kill-after", "interrupt-before", "interrupt-after"),
}  # fmt: skip


@pytest.mark.parametrize("trials", [2, pytest.param(100, marks=pytest.mark.soak)])
def test_any_faults_after_each_other_leave_one_run_that_ran_once(
    client: Client, trials: int
) -> None:
    dice = random.Random(trials)
    met: Counter[str] = Counter()
    commands = 0
    for _ in range(trials):
        before = set(client.run_ids())
        for _ in range(dice.randint(1, 3)):
            program = dice.choices(("sbatch", "scontrol"), weights=(3, 1))[0]
            fault = dice.choice(FAULTS[program])
            client.faults.plan(fault, program=program, call=dice.randint(1, 3))
            done = client.submit()
            commands += 1
            met[f"{program} {fault}"] += client.faults.met()
            assert done.returncode in (0, 69, 75, 130, KILLED), done.stderr
            if done.returncode == 0:
                break
        else:
            client.submit_well()
            commands += 1
        client.faults.clear()
        *undone, last = _by_age(client, set(client.run_ids()) - before)
        client.assert_each_ran_once(last)
        for run_id in undone:
            assert client.user.state(run_id) == "undone"
            assert client.events(run_id, "outcomes") == []
        assert [job for run_id in client.run_ids() for job in client.queued(run_id)] == []
    print(f"\n{trials} submissions, {commands} commands, {sum(met.values())} faults: {dict(met)}")  # noqa: T201
    print(f"{trials} of {trials} ran each job exactly once, none before all were there")  # noqa: T201


def _by_age(client: Client, run_ids: set[str]) -> list[str]:
    return sorted(
        run_ids, key=lambda run_id: (client.user.runs / run_id / "run.json").stat().st_mtime
    )
