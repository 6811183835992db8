"""Whole plans: the same from any order, each objective the best at what it is for, no worse than by hand."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace

import pytest

from cfslurm.adapters.solver import solve
from cfslurm.core.documents import to_json
from cfslurm.core.hardware.classes import node_classes
from cfslurm.core.models.calibration import (
    Basis,
    Calibration,
    Observation,
    Quantity,
    Subject,
)
from cfslurm.core.planner.milp import Milp, Outcome, Solution
from cfslurm.core.planner.options import World, options_of
from cfslurm.core.planner.plan import Plan
from cfslurm.core.report.plan_table import Detail, explain_plan, plan_text
from cfslurm.core.workflow.groups import groups_of
from cfslurm.core.workflow.model import (
    Array,
    Budget,
    Component,
    Gang,
    Goal,
    Model,
    Resources,
    Task,
    Weights,
    Work,
    Workflow,
)
from cfslurm.errors import InfeasibleError, PlanningTimeoutError
from cfslurm.stages.plan import Planning, make_plan
from tests.builders import (
    ENGINES,
    KNOWLEDGE,
    catalog,
    graph,
    lab,
    node,
    partition,
    three_sizes,
    variant,
)

STUDY = Workflow(
    name="study",
    models={
        "judge": Model(repo="acme/model", max_model_len=4096),
        "small": Model(repo="acme/small"),
    },
    tasks={
        "evaluate": Task(
            command=("e",), model="judge", array=Array(range="0-199"), preemptible=True
        ),
        "clean": Task(command=("c",), array=Array(range="0-199"), work=Work(time="10s")),
    },
    gangs={
        "agents": Gang(
            work=Work(time="5s"),
            components={
                "writer": Component(command=("w",), model="small"),
                "boss": Component(command=("b",)),
            },
        )
    },
)
NO_PRICE: Mapping[str, float] = {}


def _planning(workflow: Workflow = STUDY, **changes: object) -> Planning:
    planning = Planning(
        workflow=workflow,
        workdir="/w",
        item_counts={name: 200 if task.array else 1 for name, task in workflow.tasks.items()},
        graph=lab(),
        catalog=catalog(judge=three_sizes(), small=(variant("none", 16.0, repo="acme/small"),)),
        engines=ENGINES,
        price=NO_PRICE,
        knowledge=KNOWLEDGE,
    )
    return replace(planning, **changes)  # type: ignore[arg-type]


def _plan(workflow: Workflow = STUDY, **changes: object) -> Plan:
    return make_plan(_planning(workflow, **changes), solver=solve)


def _quality(plan: Plan) -> float:
    told = [(c.quality, c.items) for c in plan.choices if c.variant]
    return sum(quality * items for quality, items in told) / sum(items for _, items in told)


def test_order_of_the_input_does_not_change_the_plan() -> None:
    first = to_json(_plan())
    turned = lab()
    turned = replace(
        turned,
        nodes=tuple(reversed(turned.nodes)),
        partitions=tuple(reversed(turned.partitions)),
    )
    models = dict(reversed(STUDY.models.items()))
    tasks = dict(reversed(STUDY.tasks.items()))
    workflow = replace(STUDY, models=models, tasks=tasks)
    variants = tuple(reversed(three_sizes()))
    again = _plan(
        workflow,
        graph=turned,
        catalog=catalog(small=(variant("none", 16.0, repo="acme/small"),), judge=variants),
    )
    assert to_json(again)["choices"] == first["choices"]


def test_all_items_are_placed_and_only_where_they_may_run() -> None:
    plan = _plan()
    for group, count in (
        ("evaluate", 200),
        ("clean", 200),
        ("agents/writer", 1),
        ("agents/boss", 1),
    ):
        assert sum(choice.items for choice in plan.choices_of(group)) == count
    assert all(choice.items > 0 for choice in plan.choices)
    assert {c.node_class for c in plan.choices_of("clean")} == {"cpu-32"}


def test_each_objective_is_the_best_at_what_it_is_for() -> None:
    plans = {goal: _plan(replace(STUDY, objective=goal)) for goal in Goal}
    slack = 1.0001
    for goal, plan in plans.items():
        assert plans[Goal.FAST].makespan_s <= plan.makespan_s * slack, goal
        assert plans[Goal.CHEAP].gpu_hours <= plan.gpu_hours * slack, goal
        assert _quality(plans[Goal.BEST_QUALITY]) * slack >= _quality(plan), goal
    assert plans[Goal.FAST].makespan_s < plans[Goal.CHEAP].makespan_s
    assert _quality(plans[Goal.BEST_QUALITY]) > _quality(plans[Goal.CHEAP])


def test_weights_lie_between_the_goals() -> None:
    fast = _plan(replace(STUDY, objective=Goal.FAST))
    heavy = _plan(replace(STUDY, objective=Weights(time=1.0, quality=100.0)))
    assert _quality(heavy) >= _quality(fast)
    assert _quality(heavy) == pytest.approx(100.0)


def test_price_moves_work_to_the_cheaper_gpus() -> None:
    cheap = replace(STUDY, objective=Goal.CHEAP)
    for dear, other in (("a100_80", "rtx4090"), ("rtx4090", "a100_80")):
        plan = _plan(cheap, price={dear: 100.0, other: 1.0, "rtx6000ada": 100.0})
        assert {c.gpu_type for c in plan.choices_of("evaluate")} == {other}


def test_plan_keeps_to_the_budget_and_says_what_it_takes_where_it_cannot() -> None:
    least = _plan(replace(STUDY, objective=Goal.CHEAP)).gpu_hours
    fastest = _plan(replace(STUDY, objective=Goal.FAST)).gpu_hours
    between = (least + fastest) / 2
    held = _plan(replace(STUDY, objective=Goal.FAST, budget=Budget(gpu_hours=between)))
    assert least <= held.gpu_hours <= between * 1.0001
    with pytest.raises(InfeasibleError) as raised:
        _plan(replace(STUDY, budget=Budget(gpu_hours=least * 0.9)))
    assert any(reason.startswith("budget: ") for reason in raised.value.reasons)


def test_solvers_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    """HiGHS and CBC reach the same value; where several plans are as good they may choose another."""
    pytest.importorskip("highspy")
    highs = _plan()
    monkeypatch.setattr("cfslurm.adapters.solver.find_spec", lambda _: None)
    cbc = _plan()
    assert (highs.solver, cbc.solver) == ("HiGHS", "CBC")
    assert cbc.makespan_s == pytest.approx(highs.makespan_s, rel=0.011)


@pytest.mark.parametrize("seed", range(6))
def test_gang_takes_as_long_as_the_best_of_all_placements(seed: int) -> None:
    """Against every placement tried by hand: components on different nodes, quickest together."""
    nodes = [
        node("a1", "gpu:a100_80:4"),
        node("g1", "gpu:rtx4090:8"),
        node("r1", "gpu:rtx6000ada:2"),
        node("r2", "gpu:rtx6000ada:2"),
    ]
    repos = ("acme/x", "acme/y", "acme/z")
    sizes = [(8 + 3 * seed, 14 + seed, 4 + 5 * seed)[i] for i in range(3)]
    workflow = Workflow(
        name="w",
        models={name: Model(repo=repo) for name, repo in zip("xyz", repos, strict=True)},
        gangs={
            "g": Gang(
                components={
                    name: Component(command=("c",), model=name, resources=Resources(cpus=1))
                    for name in "xyz"
                }
            )
        },
        objective=Goal.FAST,
    )
    models = catalog(
        **{
            name: (variant("none", float(gib), repo=repo),)
            for name, repo, gib in zip("xyz", repos, sizes, strict=True)
        }
    )
    cluster = graph(nodes)
    plan = _plan(workflow, item_counts={}, graph=cluster, catalog=models)
    world = World(
        graph=cluster,
        classes=node_classes(cluster),
        catalog=models.models,
        engines=ENGINES,
        account=None,
        workflow="w",
        knowledge=KNOWLEDGE,
    )
    ways = [options_of(group, world)[0] for group in groups_of(workflow, item_counts={})]
    count = {c.name: len(c.free_cpus) for c in world.classes}
    by_hand = min(
        max(option.item_s for option in chosen)
        for chosen in itertools.product(*ways)
        if all(
            [o.node_class.name for o in chosen].count(name) <= number
            for name, number in count.items()
        )
    )
    assert plan.makespan_s == pytest.approx(by_hand, rel=0.011)


def test_solver_that_gives_up_is_not_taken_for_an_answer() -> None:
    def gives_up(milp: Milp, /, *, time_limit_s: float) -> Solution:
        return Solution(outcome=Outcome.UNKNOWN, solver="slow")

    with pytest.raises(PlanningTimeoutError, match="slow"):
        make_plan(_planning(), solver=gives_up)


def test_text_gives_each_reason_once_and_everything_on_demand() -> None:
    plan = _plan()
    reasons = plan_text(plan, Detail.REASONS)
    everything = plan_text(plan, Detail.EVERYTHING)
    chosen = plan_text(plan, Detail.CHOSEN)
    assert "Not taken" not in chosen
    assert len(chosen) < len(reasons) < len(everything)
    for item in plan.rejected:
        assert item.reason in everything
    boss = reasons.split("Not taken for agents/boss:\n")[1].split("\nNot taken")[0].splitlines()
    assert len(boss) == 2
    assert "a100_80-x4, rtx4090-x8, rtx6000ada-x2" in boss[1]


def test_variants_of_one_format_keep_their_names() -> None:
    twins = (variant("awq", 12.0), variant("awq", 12.5, repo="other/model"))
    plan = _plan(
        catalog=catalog(judge=twins, small=(variant("none", 16.0, repo="acme/small"),)),
        graph=graph(
            [node("a1", "gpu:a100_80:4"), node("c1", partitions=("gpu",), cpus=32)],
            [partition("gpu", default=True)],
        ),
    )
    text = plan_text(plan, Detail.REASONS)
    assert "other/model-awq@awq" in text or "acme/model-awq@awq" in text


def test_the_plan_and_its_explanation_say_how_far_a_time_may_be_off_and_why() -> None:
    task = Task(
        command=("a",), model="judge", array=Array(range="0-199"),
        work=Work(tokens_in=200, tokens_out=500),
    )  # fmt: skip
    plan = _plan(Workflow(name="w", models={"judge": STUDY.models["judge"]}, tasks={"t": task}))
    choice = plan.choices[0]
    assert choice.item_low_s < choice.item_s < choice.item_high_s
    assert choice.tokens_per_s is not None
    assert choice.uncorrected.duration == choice.item_s
    text = plan_text(plan, Detail.CHOSEN)
    assert "RANGE" in text
    assert "TOK/S" in text
    (first, *_) = explain_plan(
        plan, group="t", variant=choice.variant, node_class=choice.node_class
    )
    assert "8 of 10 items; roofline (" in first
    assert "tok/s  while decoding" in first


def test_what_ran_before_corrects_the_plan_and_is_counted() -> None:
    task = Task(command=("a",), array=Array(range="0-199"), work=Work(time="10s"))
    workflow = Workflow(name="w", tasks={"t": task})
    before = _plan(workflow)
    ran = Observation(
        subject=Subject(cluster="test", gpu="", engine="", variant="", work="w/t"),
        quantity=Quantity.DURATION, basis=Basis.GIVEN, user="ada", run="w-1", at="2026",
        predicted=10.0, measured=30.0,
    )  # fmt: skip
    known = replace(KNOWLEDGE, calibration=Calibration(observations=(ran,), user="ada"))
    after = _plan(workflow, knowledge=known)
    assert (before.choices[0].item_s, before.choices[0].samples) == (10.0, 0)
    assert after.choices[0].item_s == pytest.approx(30.0, rel=0.05)
    assert after.choices[0].samples == 1
    assert after == _plan(workflow, knowledge=known)
