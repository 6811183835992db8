from __future__ import annotations

from dataclasses import replace

import pytest

from cfslurm.core.workflow.check import check
from cfslurm.core.workflow.model import (
    Array,
    Budget,
    Component,
    Gang,
    Model,
    Need,
    Resources,
    SessionSpec,
    Task,
    Weights,
    Work,
    Workflow,
)

TASK = Task(command=("work",))
MODEL = Model(repo="acme/model")


def _workflow(**changes: object) -> Workflow:
    base = Workflow(name="w", tasks={"t": TASK}, models={"m": MODEL})
    return replace(base, **changes)


def _task(**changes: object) -> Workflow:
    return _workflow(tasks={"t": replace(TASK, **changes)})


def _gang(*, gang: dict[str, object] | None = None, **changes: object) -> Workflow:
    part = replace(Component(command=("work",)), **changes)
    return _workflow(gangs={"g": replace(Gang(components={"c": part}), **(gang or {}))})


def test_sound_workflow_has_no_problem() -> None:
    assert check(_workflow()) == ()


@pytest.mark.parametrize(
    "name",
    [
        "a b",
        "a'b",
        'a"b',
        "a\nb",
        "$(x)",
        "a;b",
        "ä",
        "",
        "-a",
        "a" * 64,
        "a/b",
        "a|b",
        "..",
        "`id`",
        "a\0b",
    ],
)
def test_name_that_could_do_harm_is_refused_everywhere(name: str) -> None:
    workflows = [
        _workflow(name=name),
        _workflow(models={name: MODEL}),
        _workflow(tasks={name: TASK}),
        _workflow(gangs={name: Gang(components={"c": Component(command=("a",))})}),
        _workflow(gangs={"g": Gang(components={name: Component(command=("a",))})}),
    ]
    for workflow in workflows:
        assert any("cannot be the name" in problem.message for problem in check(workflow))


@pytest.mark.parametrize(
    ("workflow", "path", "message"),
    [
        (_workflow(tasks={}), "tasks", "no task and no gang"),
        (
            _workflow(gangs={"t": Gang(components={"c": Component(command=("a",))})}),
            "gangs.t",
            "a task and of a gang",
        ),
        (_workflow(deadline="90"), "deadline", "no unit"),
        (_workflow(budget=Budget(gpu_hours=0)), "budget.gpu_hours", "not positive"),
        (_workflow(budget=Budget(gpu_hours=-3)), "budget.gpu_hours", "not positive"),
        (_workflow(objective=Weights(time=0)), "objective", "not all zero"),
        (_workflow(objective=Weights(time=-1)), "objective", "zero or more"),
        (_workflow(account="lab a"), "account", "cannot be a name in Slurm"),
        (
            _workflow(partitions=("gpu\n#SBATCH --uid=0",)),
            "partitions.0",
            "cannot be a name in Slurm",
        ),
        (
            _workflow(models={"m": replace(MODEL, repo="model")}),
            "models.m.repo",
            "not a repository",
        ),
        (
            _workflow(models={"m": replace(MODEL, repo="a/../b")}),
            "models.m.repo",
            "not a repository",
        ),
        (
            _workflow(models={"m": replace(MODEL, revision="../x")}),
            "models.m.revision",
            "not a branch",
        ),
        (
            _workflow(models={"m": replace(MODEL, allow=("fp9",))}),
            "models.m.allow.0",
            "no quantization 'fp9'",
        ),
        (
            _workflow(models={"m": replace(MODEL, variant="awx")}),
            "models.m.variant",
            "no variant 'awx'",
        ),
        (
            _workflow(models={"m": replace(MODEL, max_model_len=0)}),
            "models.m.max_model_len",
            "not between",
        ),
        (
            _workflow(models={"m": replace(MODEL, quality={"awq": 101.0})}),
            "models.m.quality.awq",
            "the score is 101",
        ),
        (
            _workflow(models={"m": replace(MODEL, quality={"awk": 90.0})}),
            "models.m.quality.awk",
            "awk",
        ),
        (
            _workflow(models={"m": replace(MODEL, min_quality=101)}),
            "models.m.min_quality",
            "not between",
        ),
        (
            _workflow(models={"m": replace(MODEL, tensor_parallel_size=0)}),
            "models.m.tensor_parallel_size",
            "is 0",
        ),
        (_task(command=()), "tasks.t.command", "empty"),
        (_task(command=("a\0b",)), "tasks.t.command", "NUL"),
        (_task(command=("a | b",)), "tasks.t.command", "no shell reads"),
        (_task(command=("echo", "{itm}")), "tasks.t.command", "{itm} is not known"),
        (_task(command=("echo", "{model_path}")), "tasks.t.command", "{model_path} is not known"),
        (_task(model="n"), "tasks.t.model", "no model 'n'"),
        (
            _task(model="m", resources=Resources(gpus=1)),
            "tasks.t.resources.gpus",
            "the plan chooses",
        ),
        (_task(resources=Resources(cpus=0)), "tasks.t.resources.cpus", "is 0"),
        (_task(resources=Resources(mem="4")), "tasks.t.resources.mem", "no unit"),
        (_task(time="1:30"), "tasks.t.time", "two ways"),
        (_task(retries=-1), "tasks.t.retries", "is -1"),
        (_task(work=Work(tokens_out=-1)), "tasks.t.work.tokens_out", "is -1"),
        (_task(work=Work(requests=0)), "tasks.t.work.requests", "is 0"),
        (_task(work=Work(time="0s")), "tasks.t.work.time", "not a time"),
        (_task(session=SessionSpec(keep=0)), "tasks.t.session.keep", "is 0"),
        (_task(session=SessionSpec(checkpoint="5")), "tasks.t.session.checkpoint", "no unit"),
        (_task(session=SessionSpec(keep_hourly=-1)), "tasks.t.session.keep_hourly", "is -1"),
        (_task(session=SessionSpec(keep_daily=10_001)), "tasks.t.session.keep_daily", "is 10001"),
        (_task(session=SessionSpec(group="lab; x")), "tasks.t.session.group", "name of a group"),
        (_task(session=SessionSpec(key_file="")), "tasks.t.session.key_file", "no path"),
        (_task(session=SessionSpec(key_file="0f" * 32)), "tasks.t.session.key_file", "no path"),
        (_task(env={"A B": "x"}), "tasks.t.env.A B", "environment variable"),
        (_task(env={"SLURM_JOB_ID": "1"}), "tasks.t.env.SLURM_JOB_ID", "belongs to slurm"),
        (_task(array=Array()), "tasks.t.array", "exactly one"),
        (_task(array=Array(range="0-1", file="x")), "tasks.t.array", "exactly one"),
        (_task(array=Array(range="5-1")), "tasks.t.array.range", "empty"),
        (_task(array=Array(range="0-99999999")), "tasks.t.array.range", "more than"),
        (_task(array=Array(values=())), "tasks.t.array.values", "empty"),
        (_task(array=Array(file=" ")), "tasks.t.array.file", "empty"),
        (_task(needs={"t": Need.AFTEROK}), "tasks.t.needs.t", "needs itself"),
        (_task(needs={"u": Need.AFTEROK}), "tasks.t.needs.u", "no task or gang 'u'"),
        (_gang(gang={"components": {}}), "gangs.g.components", "no component"),
        (_gang(service=True), "gangs.g.components", "never end"),
        (_gang(gang={"replicas": 0}), "gangs.g.replicas", "is 0"),
        (_gang(command=("a", "{port.d}")), "gangs.g.components.c.command", "{port.d} is not known"),
        (_gang(model="n"), "gangs.g.components.c.model", "no model 'n'"),
    ],
)
def test_mistake_is_found_at_its_place(workflow: Workflow, path: str, message: str) -> None:
    problems = check(workflow)
    assert [p.path for p in problems if message in p.message] == [path]
    assert all(problem.remedy for problem in problems)


def test_all_mistakes_are_told_at_once() -> None:
    problems = check(_task(command=(), time="90", retries=-1))
    assert {p.path for p in problems} == {"tasks.t.command", "tasks.t.time", "tasks.t.retries"}


def test_nearest_name_is_offered() -> None:
    (problem,) = check(_task(model="mm"))
    assert problem.remedy == "Did you mean 'm'?"


@pytest.mark.parametrize(
    ("needs", "circle"),
    [
        ({"a": ("b",), "b": ("a",)}, "a → b → a"),
        ({"a": ("b",), "b": ("c",), "c": ("a",)}, "a → b → c → a"),
        ({"x": ("a",), "a": ("b",), "b": ("a",)}, "a → b → a"),
    ],
)
def test_circle_of_needs_is_told_once(needs: dict[str, tuple[str, ...]], circle: str) -> None:
    tasks = {
        n: replace(TASK, needs=dict.fromkeys(others, Need.AFTEROK)) for n, others in needs.items()
    }
    (problem,) = check(_workflow(tasks=tasks))
    assert problem.message == f"the needs go in a circle: {circle}"


def test_diamond_is_no_circle() -> None:
    needs = {"a": (), "b": ("a",), "c": ("a",), "d": ("b", "c")}
    tasks = {n: replace(TASK, needs=dict.fromkeys(o, Need.AFTEROK)) for n, o in needs.items()}
    assert check(_workflow(tasks=tasks)) == ()


def test_chain_of_ten_thousand_is_checked_without_recursion() -> None:
    tasks = {
        f"t{i}": replace(TASK, needs={f"t{i - 1}": Need.AFTEROK} if i else {})
        for i in range(10_000)
    }
    assert check(_workflow(tasks=tasks)) == ()


@pytest.mark.parametrize(
    ("mine", "theirs", "message"),
    [
        (None, Array(range="0-9"), "one of these has none"),
        (Array(range="0-9"), Array(range="0-4"), "joins 10 items to 5"),
    ],
)
def test_aftercorr_wants_equal_arrays(mine: Array | None, theirs: Array, message: str) -> None:
    tasks = {
        "a": replace(TASK, array=theirs),
        "b": replace(TASK, array=mine, needs={"a": Need.AFTERCORR}),
    }
    (problem,) = check(_workflow(tasks=tasks))
    assert message in problem.message


@pytest.mark.parametrize(
    "command",
    [
        ("bash", "-c", "a | b && c; $(d) `e` > f"),
        ("echo", "${HOME}", '{"json": 1}', "{}", "{{item}}", "$(not a shell)"),
        ("echo", "{index}", "{run_dir}"),
    ],
)
def test_words_are_taken_as_they_are(command: tuple[str, ...]) -> None:
    assert check(_task(command=command)) == ()
