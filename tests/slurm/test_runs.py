"""Runs through the command line on a real Slurm: arrays, gangs, needs, requeues, what goes wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.slurm.user import User

COUNT = """\
schema: cfslurm.workflow/1
name: count
tasks:
  count:
    command: [python3, -c, "import sys; print('item', sys.argv[1])", "{item}"]
    array: {range: 10-29}
    work: {time: 1s}
    time: 1m
    resources: {mem: 50M}
"""


def test_every_item_runs_exactly_once(user: User) -> None:
    run_id = user.submit(COUNT)
    user.wait(run_id)
    items = user.items(run_id, "count")
    assert sorted(items) == list(range(20))
    assert {(i["state"], i["starts"], i["results"], i["exit_code"]) for i in items.values()} == {
        ("done", 1, 1, 0)
    }
    assert {i["node_class"] for i in items.values()} == {"cpu-32"}
    assert user.jobs() == []


def test_what_was_shown_is_what_was_submitted(user: User) -> None:
    user.write(COUNT)
    shown = user.cfslurm("submit", "workflow.yaml", "--dry-run", "-q")
    assert shown.returncode == 0, shown.stderr
    assert not user.runs.exists()
    run_id = user.submit(COUNT)
    script = (user.runs / run_id / "submission" / "count.sbatch").read_text()
    assert script.replace(run_id, "RUN-ID") in shown.stdout
    assert "Nothing was submitted" in shown.stdout
    user.wait(run_id)


def test_queue_status_and_logs_tell_the_same_run(user: User) -> None:
    run_id = user.submit(COUNT.replace("print('item'", "import time; time.sleep(2); print('item'"))
    (queued,) = user.json("queue")["runs"]
    assert queued["run_id"] == run_id
    assert queued["items_total"] == 20
    user.wait(run_id)
    assert user.json("queue")["runs"] == []
    assert [run["run_id"] for run in user.json("queue", "--all")["runs"]] == [run_id]
    assert "item 17" in user.cfslurm("logs", run_id, "count/7").stdout
    assert "item 10\n" not in user.cfslurm("logs", run_id, "count/19").stdout
    assert user.cfslurm("status", run_id).returncode == 0
    missing = user.cfslurm("logs", run_id, "cuont")
    assert (missing.returncode, "It has count." in missing.stderr) == (2, True)


WEIRD = [
    "a b",
    "it's",
    '"q"',
    "$(touch hacked)",
    "`id`",
    "a;b|c&d",
    "x\ny",
    "--option",
    "*",
    "\\",
    "ü→語",
    "%j",
    "{index}",
    "",
]


def test_every_letter_of_an_item_reaches_the_program(user: User) -> None:
    user.write("\n".join(json.dumps({"text": text}) for text in WEIRD), "items.jsonl")
    program = "import json,os,sys; open(os.environ['CFSLURM_RESULT'],'w').write(json.dumps([sys.argv[1:], os.environ['SECRET']]))"
    user.write(program, "echo.py")
    run_id = user.submit(
        "name: weird\ntasks:\n  t:\n    command: [python3, echo.py, '{item.text}', '[{item.text}]', '$HOME', '{{item}}']\n"
        "    array: {file: items.jsonl}\n    time: 1m\n    work: {time: 1s}\n"
        "    env: {SECRET: \"line one\\nline $(two) 'three'\"}\n"
    )
    user.wait(run_id)
    results = {number: item["result"] for number, item in user.items(run_id, "t").items()}
    assert results == {
        number: [[text, f"[{text}]", "$HOME", "{item}"], "line one\nline $(two) 'three'"]
        for number, text in enumerate(WEIRD)
    }
    assert not (user.folder / "hacked").exists()


@pytest.mark.parametrize("name", ["a b", "it's; echo foo", "$(touch x)", "ünï-コード", "per%cent"])
def test_runs_may_lie_in_any_folder(user: User, name: str) -> None:
    runs = user.runs.parent / name
    run_id = user.submit(COUNT.replace("10-29", "0-1"), CFSLURM_RUNS=str(runs))
    user.eventually(
        lambda: (
            json.loads(user.cfslurm("status", run_id, "--json", CFSLURM_RUNS=str(runs)).stdout)[
                "run"
            ]["state"]
            == "done"
        )
    )
    assert "item 1" in user.cfslurm("logs", run_id, CFSLURM_RUNS=str(runs)).stdout


def test_tokens_reach_neither_jobs_nor_files_nor_slurm(user: User) -> None:
    canary = "hf_canary0123456789"
    run_id = user.submit(
        "name: canary\ntasks:\n  t:\n    command: [env]\n    work: {time: 1s}\n    time: 1m\n",
        HF_TOKEN=canary,
        HUGGING_FACE_HUB_TOKEN=canary,
        MY_SECRET=canary,
    )
    user.wait(run_id)
    run = user.runs / run_id
    assert "PATH=" in (run / "logs" / "t-0.log").read_text()
    found = [
        path
        for path in (*run.rglob("*"), *(user.slurm.path / "state").rglob("*"))
        if path.is_file() and canary.encode() in path.read_bytes()
    ]
    assert found == []
    job_id = user.status(run_id)["run"]["jobs"][0]["job_id"]
    assert canary not in user.slurm.run("scontrol", "show", "job", job_id).stdout


FAILING = """\
name: fails
tasks:
  work:
    command: [python3, -c, "import sys; sys.exit(3 if sys.argv[1] == '2' else 0)", "{item}"]
    array: {range: 0-3}
    work: {time: 1s}
    time: 1m
    retries: 2
  never: {command: ["true"], work: {time: 1s}, time: 1m, needs: [work]}
  always: {command: ["true"], work: {time: 1s}, time: 1m, needs: {work: afterany}}
"""


def test_failed_item_is_tried_again_and_told_with_its_reason(user: User) -> None:
    run_id = user.submit(FAILING)
    answer = user.wait(run_id, "failed")
    items = user.items(run_id, "work")
    assert {n: (i["state"], i["starts"], i["exit_code"]) for n, i in items.items()} == {
        0: ("done", 1, 0), 1: ("done", 1, 0), 2: ("failed", 3, 3), 3: ("done", 1, 0),
    }  # fmt: skip
    jobs = {job["key"]: (job["state"], job["reason"]) for job in answer["run"]["jobs"]}
    assert jobs["work"] == ("failed", "exit 3")
    assert jobs["always"][0] == "done"
    assert jobs["never"][0] == "cancelled"
    assert user.cfslurm("status", run_id).returncode == 1


def test_program_that_is_not_there_is_a_setup_error_with_the_way_out(user: User) -> None:
    run_id = user.submit(
        "name: lost\ntasks: {t: {command: [no-such-program], work: {time: 1s}, time: 1m}}\n"
    )
    answer = user.wait(run_id, "failed")
    (job,) = answer["run"]["jobs"]
    assert job["reason"].startswith("cannot start 'no-such-program'")
    assert "try: Check the command's name" in user.cfslurm("logs", run_id).stdout


def test_items_wait_for_their_own_partner_only(user: User) -> None:
    user.write(
        "import os, pathlib, sys, time\n"
        "mark = pathlib.Path(sys.argv[1])\n"
        "if len(sys.argv) == 3:\n    assert mark.exists()\nelse:\n    mark.touch()\n",
        "mark.py",
    )
    run_id = user.submit(
        "name: pairs\ntasks:\n"
        "  first: {command: [python3, mark.py, 'm{item}'], array: {range: 0-3}, work: {time: 300s}, time: 10m}\n"
        "  second: {command: [python3, mark.py, 'm{item}', check], array: {range: 0-3}, work: {time: 300s}, time: 10m,\n"
        "           needs: {first: aftercorr}}\n"
    )
    jobs = user.status(run_id)["run"]["jobs"]
    dependency = user.slurm.job(
        next(job["job_id"] for job in jobs if job["key"] == "second") + "_0"
    ).get("Dependency", "")
    assert dependency == "(null)" or dependency.startswith("aftercorr:")
    user.wait(run_id)


RESUME = """\
name: resume
tasks:
  loop:
    command: [python3, loop.py]
    array: {range: 0-1}
    work: {time: 10s}
    time: 5m
    session: {checkpoint: 1s}
"""
LOOP = """\
import time
from cfslurm import Session
with Session.open() as session:
    session.append({"begins": session.get("step", 0)})
    for step in range(session.get("step", 0), 40):
        time.sleep(0.1)
        session["step"] = step + 1
        session.append({"step": step})
        session.checkpoint_if_due()
"""


def _steps(run: Path, name: str) -> tuple[list[int], list[int]]:
    from cfslurm import Session

    events = Session.read(run / "sessions" / name).events
    return [e["step"] for e in events if "step" in e], [
        e["begins"] for e in events if "begins" in e
    ]


def test_requeued_task_goes_on_at_its_step_and_no_step_is_lost(user: User) -> None:
    user.write(LOOP, "loop.py")
    run_id = user.submit(RESUME)
    run = user.runs / run_id
    user.eventually(lambda: any((run / "sessions" / "loop.0").glob("g*-00000000000[2-9].h5")))
    job_id = user.status(run_id)["run"]["jobs"][0]["job_id"]
    user.slurm.run("scontrol", "requeue", f"{job_id}_0")
    user.wait(run_id)
    for name, restarts in (("loop.0", 1), ("loop.1", 0)):
        steps, begins = _steps(run, name)
        assert steps == list(range(40))
        assert len(begins) == restarts + 1
    assert _steps(run, "loop.0")[1][1] > 0
    items = user.items(run_id, "loop")
    assert {n: (i["starts"], i["results"]) for n, i in items.items()} == {0: (2, 1), 1: (1, 1)}
    told = {facts["name"]: facts for facts in user.json("sessions", "ls", run_id)["sessions"]}
    assert {name: (facts["events"], facts["is_held"]) for name, facts in told.items()} == {
        "loop.0": (42, False),
        "loop.1": (41, False),
    }
    assert "  step: 40" in user.cfslurm("sessions", "show", "loop.0", "--run", run_id).stdout
    assert user.cfslurm("sessions", "verify", "--run", run_id).returncode == 0
    missing = user.cfslurm("sessions", "show", "lop.0", "--run", run_id)
    assert (missing.returncode, "Did you mean 'loop.0'?" in missing.stderr) == (2, True)


def test_time_limit_with_a_session_goes_on_and_without_is_told_as_a_failure(user: User) -> None:
    user.write(LOOP.replace("40", "700"), "loop.py")
    run_id = user.submit(
        "name: limit\ntasks:\n"
        "  loop: {command: [python3, loop.py], array: {range: 0-0}, work: {time: 50s}, time: 1m,\n"
        "         session: {checkpoint: 1s}}\n"
        "  slow: {command: [sleep, '200'], array: {range: 0-1}, work: {time: 50s}, time: 1m}\n"
    )
    answer = user.wait(run_id, "failed", within_s=150)
    jobs = {job["key"]: job for job in answer["run"]["jobs"]}
    assert (jobs["loop"]["state"], jobs["slow"]["state"]) == ("done", "failed")
    steps, begins = _steps(user.runs / run_id, "loop.0")
    assert steps == list(range(700))
    assert len(begins) >= 2
    assert begins[1] > 0
    assert jobs["slow"]["reason"].startswith("time limit")
    items = user.items(run_id, "slow")
    assert {(i["state"], i["starts"]) for i in items.values()} == {("failed", 1)}
    assert user.jobs() == []


def test_preemption_is_no_failure_of_work_without_a_session(user: User) -> None:
    run_id = user.submit(
        "name: guest\ntasks:\n  t: {command: [sleep, '25'], array: {range: 0-1}, work: {time: 25s}, time: 5m,\n"
        "      resources: {gpus: 2, gpu_types: [a100_80], mem: 50M}, preemptible: true}\n"
        "gangs:\n  g:\n    time: 5m\n    work: {time: 8s}\n    preemptible: true\n    components:\n"
        "      c: {command: [sleep, '25'], resources: {gpus: 8, gpu_types: [rtx4090], mem: 50M}}\n"
    )
    user.eventually(
        lambda: [i["state"] for i in user.items(run_id, "t").values()] == ["running"] * 2
    )
    user.eventually(lambda: {j["state"] for j in user.status(run_id)["run"]["jobs"]} == {"running"})
    hosts = [
        user.slurm.submit("-p", "gpu", f"--gres=gpu:{gpus}", script="sleep 3")
        for gpus in ("a100_80:4", "rtx4090:8")
    ]
    user.wait(run_id, within_s=90)
    assert all(user.slurm.job_state(job_id) == "COMPLETED" for job_id in hosts)
    assert {(i["state"], i["starts"], i["results"]) for i in user.items(run_id, "t").values()} == {
        ("done", 2, 1)
    }
    # Slurm 24.11.5 starts a job that was preempted once more when it has ended: then nothing is run.
    most = 2 if user.slurm.state.slurm_version.startswith("24.11") else 1
    assert all(1 <= job["restarts"] <= most for job in user.status(run_id)["run"]["jobs"])


def test_node_that_dies_takes_no_item_with_it(user: User) -> None:
    slow = COUNT.replace("print('item'", "import time; time.sleep(4); print('item'")
    run_id = user.submit(slow.replace("10-29", "0-3"))
    user.eventually(lambda: len(user.items(run_id, "count")) == 4)
    node = user.items(run_id, "count")[0]["node"]
    user.slurm.fail(node)
    try:
        user.wait(run_id, within_s=90)
    finally:
        user.slurm.recover(node)
    items = user.items(run_id, "count")
    assert {(i["state"], i["results"]) for i in items.values()} == {("done", 1)}
    assert max(i["starts"] for i in items.values()) == 2


def test_cancel_ends_a_part_or_all(user: User) -> None:
    slow = "command: [sleep, '60'], work: {time: 60s}, time: 5m"
    run_id = user.submit(f"name: slow\ntasks:\n  a: {{{slow}}}\n  b: {{{slow}}}\n")
    user.eventually(lambda: user.state(run_id) == "running")
    assert user.cfslurm("cancel", run_id, "c").returncode == 2
    assert user.cfslurm("cancel", run_id, "a").returncode == 0
    states = {job["key"]: job["state"] for job in user.status(run_id)["run"]["jobs"]}
    assert states["a"] == "cancelled"
    assert states["b"] in ("pending", "running")
    assert user.cfslurm("cancel", run_id, "-y").returncode == 0
    user.eventually(lambda: user.jobs() == [])
    assert user.state(run_id) == "cancelled"


def test_cancel_changes_nothing_of_a_run_that_has_ended(user: User) -> None:
    for command, state in (("true", "done"), ("no-such-program", "failed")):
        run_id = user.submit(
            f"name: over\ntasks: {{t: {{command: ['{command}'], work: {{time: 1s}}, time: 1m}}}}\n"
        )
        user.wait(run_id, state)
        user.eventually(lambda: user.jobs() == [])
        before = user.status(run_id)["run"]
        assert before["state"] == state
        assert user.json("cancel", run_id)["jobs"] == {}
        assert user.status(run_id)["run"] == before


def test_scancel_of_a_task_that_would_go_on_is_final(user: User) -> None:
    user.write(LOOP.replace("40", "700"), "loop.py")
    run_id = user.submit(RESUME)
    user.eventually(lambda: any((user.runs / run_id / "sessions").glob("loop.*/g*.h5")))
    job_id = user.status(run_id)["run"]["jobs"][0]["job_id"]
    user.slurm.run("scancel", job_id)
    user.eventually(lambda: user.jobs() == [], within_s=30)
    assert user.state(run_id) == "cancelled"


GANG = """\
name: pair
gangs:
  pair:
    time: 5m
    work: {time: 5s}
    retries: 1
    components:
      server:
        command: [python3, talk.py, serve, "{port}"]
        service: true
        resources: {mem: 50M}
      client:
        command: [python3, talk.py, ask, "{host.server}", "{port.server}"]
        resources: {mem: 50M}
"""
TALK = """\
import socket, sys, time
if sys.argv[1] == "serve":
    listener = socket.create_server(("", int(sys.argv[2])))
    while True:
        listener.accept()[0].sendall(b"hello")
else:
    for _ in range(100):
        try:
            answer = socket.create_connection((sys.argv[2], int(sys.argv[3])), timeout=5).recv(5)
            break
        except OSError:
            time.sleep(0.1)
    print("got", answer.decode())
"""


def test_components_find_each_other_and_services_end_with_the_work(user: User) -> None:
    user.write(TALK, "talk.py")
    run_id = user.submit(GANG)
    answer = user.wait(run_id)
    (job,) = answer["run"]["jobs"]
    parts = {part["name"]: part for part in job["parts"]}
    assert parts["client"]["state"] == "done"
    assert parts["server"]["node"] != parts["client"]["node"]
    assert "got hello" in user.cfslurm("logs", run_id, "pair/client").stdout
    assert user.jobs() == []


def test_gang_that_has_ended_is_not_run_again_by_a_requeue(user: User) -> None:
    user.write("import sys; print('ran', sys.argv[1])\n", "talk.py")
    run_id = user.submit(GANG.replace("service: true", "service: false"))
    answer = user.wait(run_id)
    job_id = answer["run"]["jobs"][0]["job_id"]
    assert user.slurm.run("scontrol", "requeue", job_id).returncode == 0
    user.eventually(lambda: user.slurm.job(job_id).get("Restarts") == "1", within_s=30)
    user.eventually(lambda: user.slurm.job_state(job_id) == "COMPLETED", within_s=60)
    assert user.cfslurm("logs", run_id, "pair/client").stdout.count("ran ask") == 1
    assert user.state(run_id) == "done"


def test_component_that_dies_ends_the_gang_and_its_retries_are_counted(user: User) -> None:
    user.write(
        "import sys, time\ntime.sleep(60) if sys.argv[1] == 'serve' else sys.exit(5)\n", "talk.py"
    )
    run_id = user.submit(GANG)
    answer = user.wait(run_id, "failed", within_s=90)
    (job,) = answer["run"]["jobs"]
    assert job["restarts"] == 1
    assert {part["name"]: part["state"] for part in job["parts"]}["client"] == "failed"
    assert job["reason"] == "exit 5"
    assert user.jobs() == []


def test_component_that_srun_cannot_start_is_told_with_the_place_of_its_words(user: User) -> None:
    user.write("import time\ntime.sleep(60)\n", "talk.py")
    user.write('#!/bin/sh\necho "srun: error: no such luck" >&2\nexit 1\n', "srun")
    (user.folder / "srun").chmod(0o755)
    run_id = user.submit(GANG, PATH=f"{user.folder}:{user.variables['PATH']}")
    (job,) = user.wait(run_id, "failed", within_s=90)["run"]["jobs"]
    assert job["reason"].startswith("srun could not start ")
    assert job["reason"].endswith(": see logs/pair.log")
    assert "no such luck" in (user.runs / run_id / "logs" / "pair.log").read_text()
    assert user.jobs() == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "tasks: {t: {command: [a], resources: {gpus: 9}}}",
            "9 GPU(s) on one node, its nodes have 8",
        ),
        (
            "tasks: {t: {command: [a], resources: {gpus: 1, gpu_types: [h100]}}}",
            "asks for GPU type h100",
        ),
        ("tasks: {t: {command: [a], time: 3d}}", "time 3d is over the limit of partition"),
        ("tasks: {t: {command: [a], resources: {mem: 2T}}}", "MiB of host memory"),
        ("tasks: {t: {command: [a], resources: {partitions: [gup]}}}", "its nodes are not in gup"),
        (
            "gangs: {g: {components: {a: {command: [a], resources: {gpus: 4}}, b: {command: [b], resources: {gpus: 4, gpu_types: [a100_80]}},"
            " c: {command: [c], resources: {gpus: 4}}}}}",
            "gang g: Slurm puts each of its 3 components on a node of its own, and those that fit are 2",
        ),
        (
            "budget: {gpu_hours: 0.001}\ntasks: {t: {command: [a], resources: {gpus: 1}}}",
            "budget: 0.001 GPU hours",
        ),
        ("deadline: 10s\ntasks: {t: {command: [a]}}", "deadline: 10s, the fastest plan needs"),
    ],
)
def test_what_fits_nowhere_is_exit_3_with_the_reasons_and_nothing_submitted(
    user: User, text: str, said: str
) -> None:
    user.write(f"name: w\n{text}\n")
    done = user.cfslurm("submit", "workflow.yaml")
    assert done.returncode == 3, done.stderr
    assert said in done.stderr
    assert "try: " in done.stderr
    assert not user.runs.exists()
    assert user.jobs() == []


def test_plan_from_a_file_is_submitted_exactly(user: User) -> None:
    user.write(COUNT)
    assert user.cfslurm("plan", "workflow.yaml", "-o", "plan.json").returncode == 0
    plan = json.loads((user.folder / "plan.json").read_text())
    (choice,) = plan["choices"]
    choice["cpus"] = 3
    user.write(json.dumps(plan), "plan.json")
    done = user.cfslurm("submit", "plan.json", "--parsable")
    assert done.returncode == 0, done.stderr
    script = (user.runs / done.stdout.strip() / "submission" / "count.sbatch").read_text()
    assert "#SBATCH --cpus-per-task=3\n" in script
    user.wait(done.stdout.strip())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda plan: plan["choices"][0].update(partitions=["gone"]), "the cluster has no gone"),
        (lambda plan: plan["choices"][0].update(cpu=3), "unknown key 'cpu'"),
        (lambda plan: plan.update(item_counts={"count": 5}), "other numbers of items"),
        (lambda plan: plan.update(schema="cfslurm.plan/9"), "schema cannot be 'cfslurm.plan/9'"),
    ],
)
def test_plan_that_no_longer_holds_is_refused(user: User, change: object, said: str) -> None:
    user.write(COUNT)
    user.cfslurm("plan", "workflow.yaml", "-o", "plan.json")
    plan = json.loads((user.folder / "plan.json").read_text())
    change(plan)  # type: ignore[operator]
    user.write(json.dumps(plan), "plan.json")
    done = user.cfslurm("submit", "plan.json")
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert user.jobs() == []


def test_explain_says_why_a_job_waits_and_why_a_plan_is_so(user: User) -> None:
    user.write(COUNT)
    text = user.cfslurm("explain", "workflow.yaml", "count").stdout
    assert "count: the work on cpu-32 (cpu) for 20 item(s)" in text
    assert "count: not the work on rtx4090-x8: work without GPUs stays off GPU nodes" in text
    held = user.slurm.submit("--hold", "--partition=cpu", script="true")
    assert "it is held until all jobs" in user.cfslurm("explain", held).stdout
    assert user.cfslurm("explain", "999999").returncode == 2
    assert user.cfslurm("explain", "workflow.yaml", "nothing").returncode == 1


def test_doctor_info_topo_and_harvest_agree_on_the_cluster(user: User) -> None:
    checks = {check["name"]: check for check in user.json("doctor", "--no-hub")["checks"]}
    assert checks["Slurm"]["grade"] == "ok"
    assert "6 nodes, 16 GPUs" in checks["Slurm"]["detail"]
    rows = user.json("info")["rows"]
    assert {(r["partition"], r["gpu_type"], r["free"], r["total"]) for r in rows if r["partition"] == "gpu*"} == {
        ("gpu*", "a100_80", 4, 4), ("gpu*", "rtx4090", 8, 8), ("gpu*", "rtx6000ada", 4, 4),
    }  # fmt: skip
    assert "switch leaf-room" in user.cfslurm("topo").stdout
    assert user.cfslurm("harvest", "-o", "h.json").returncode == 0
    user.write(COUNT)
    done = user.cfslurm("plan", "workflow.yaml", "--hardware", "h.json", SLURM_CONF="/nonexistent")
    assert done.returncode == 0, done.stderr
    assert "cpu-32" in done.stdout


def test_hub_that_does_not_answer_is_said_and_nothing_is_submitted(user: User) -> None:
    user.write("name: w\nmodels: {m: {repo: a/b}}\ntasks: {t: {command: [a], model: m}}\n")
    done = user.cfslurm("submit", "workflow.yaml")
    assert done.returncode == 75, done.stderr
    assert "http://127.0.0.1:1" in done.stderr
    assert not user.runs.exists()


def test_slurm_that_does_not_answer_is_said(user: User) -> None:
    conf = user.folder / "slurm.conf"
    text = Path(user.slurm.env["SLURM_CONF"]).read_text()
    # The last line needs its end: Slurm 22.05 reads an Include without one together with what it read before.
    conf.write_text(
        "".join(
            "SlurmctldPort=1\n" if line.startswith("SlurmctldPort=") else f"{line}\n"
            for line in text.splitlines()
        )
    )
    user.write(COUNT)
    done = user.cfslurm("submit", "workflow.yaml", SLURM_CONF=str(conf))
    assert done.returncode == 75, done.stderr
    assert "could not reach Slurm" in done.stderr
    assert not user.runs.exists()
