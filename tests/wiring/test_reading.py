"""Which command may use what Slurm has said before, and what happens when Slurm says nothing."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from cfslurm.adapters.environment import read_environment
from cfslurm.core.hardware.graph import SCHEMA, HardwareGraph
from cfslurm.core.hardware.parts import Freshness, part_of
from cfslurm.core.site.settings import Layer, settle
from cfslurm.core.slurm.command import Command, Completed
from cfslurm.errors import SlurmUnavailableError, UserInputError
from cfslurm.wiring import Context
from cfslurm.wiring.reading import HARVEST, recorded

FREE = {"nodes", "jobs", "reservations", "licenses"}
SETTINGS = {"settings", "partitions", "topology"}
REST = SETTINGS | {"qos", "associations", "shares"}


@dataclass
class _Slurm:
    """Slurm 22.05 as it once answered; or it answers no more."""

    corpus: Path
    asked: list[str] = field(default_factory=list)
    is_dead: bool = False

    def __call__(self, command: Command, /) -> Completed:
        part = part_of(command.argv)
        assert part is not None, command.argv
        self.asked.append(part)
        if self.is_dead:
            raise SlurmUnavailableError("scontrol gave no answer within 30 s", remedy="Ping it.")
        file = {"settings": "config"}.get(part, part)
        path = self.corpus / "slurm-22.05" / f"{file}_plain.txt"
        text = path.read_text() if path.exists() else ""
        if "-o" in command.argv:
            text = "\n".join(" ".join(record.split()) for record in text.split("\n\n"))
        return Completed(command=command, returncode=0, stdout=text, stderr="")


@dataclass
class _Clock:
    seconds: float = 1_795_219_200.0

    def now(self) -> float:
        return self.seconds

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


@pytest.fixture
def slurm(corpus: Path) -> _Slurm:
    return _Slurm(corpus=corpus)


@pytest.fixture
def clock() -> _Clock:
    return _Clock()


def _cluster_name(corpus: Path) -> str:
    text = (corpus / "slurm-22.05" / "config_plain.txt").read_text()
    line = next(line for line in text.splitlines() if line.startswith("ClusterName"))
    return line.split("=")[1].strip()


@pytest.fixture
def context(tmp_path: Path, corpus: Path, slurm: _Slurm, clock: _Clock) -> Context:
    conf = tmp_path / "slurm.conf"
    conf.write_text(f"ClusterName={_cluster_name(corpus)}\n")
    environment = replace(
        read_environment(), home=tmp_path, variables={"SLURM_CONF": str(conf), "PATH": "/usr/bin"}
    )
    return Context(
        environment=environment,
        settings=settle((), user="ada", home=str(tmp_path)),
        site_file=None,
        run=slurm,
        clock=clock,
    )


def test_a_second_look_asks_nothing(context: Context, slurm: _Slurm, clock: _Clock) -> None:
    first = context.harvest(Freshness.LIMITS)
    assert sorted(slurm.asked) == sorted(FREE | REST)
    slurm.asked.clear()
    clock.sleep(8)
    second = context.harvest(Freshness.LIMITS)
    assert slurm.asked == []
    assert second == first
    assert second.harvested_at == "2026-11-21T00:00:00Z"


def test_a_plan_asks_what_is_free_every_time(
    context: Context, slurm: _Slurm, clock: _Clock
) -> None:
    context.harvest(Freshness.LIMITS)
    slurm.asked.clear()
    clock.sleep(2)
    graph = context.harvest(Freshness.FREE_NOW)
    assert set(slurm.asked) == FREE
    read_at = {part.name: part.read_at[-4:] for part in graph.parts}
    assert read_at == {part: ":02Z" if part in FREE else ":00Z" for part in FREE | REST}
    assert graph.harvested_at == "2026-11-21T00:00:02Z"


def test_what_is_too_old_is_asked_for_by_kind(
    context: Context, slurm: _Slurm, clock: _Clock
) -> None:
    context.harvest(Freshness.LIMITS)
    slurm.asked.clear()
    clock.sleep(11)
    context.harvest(Freshness.LIMITS)
    assert set(slurm.asked) == FREE
    assert len(slurm.asked) == len(FREE)
    clock.sleep(601)
    context.harvest(Freshness.LIMITS)
    assert set(slurm.asked) == FREE | REST


def test_everything_now_is_everything(context: Context, slurm: _Slurm) -> None:
    context.harvest(Freshness.NOW)
    slurm.asked.clear()
    context.harvest(Freshness.NOW)
    assert set(slurm.asked) == FREE | REST


def test_the_site_sets_the_limits(context: Context, slurm: _Slurm, clock: _Clock) -> None:
    layer = Layer(values={"refresh_nodes": "1m", "refresh_settings": "0s"}, origins={
        "refresh_nodes": "site.yaml:3", "refresh_settings": "site.yaml:4"})  # fmt: skip
    mine = replace(context, settings=settle((layer,), user="ada", home="/home/ada"))
    mine.harvest(Freshness.LIMITS)
    slurm.asked.clear()
    clock.sleep(50)
    mine.harvest(Freshness.LIMITS)
    assert set(slurm.asked) == SETTINGS


def test_a_limit_that_is_no_time_is_refused_with_its_place(context: Context) -> None:
    layer = Layer(values={"refresh_nodes": "10"}, origins={"refresh_nodes": "site.yaml:3"})
    mine = replace(context, settings=settle((layer,), user="ada", home="/home/ada"))
    with pytest.raises(UserInputError, match=r"refresh_nodes \(site.yaml:3\): '10' has no unit"):
        mine.harvest(Freshness.LIMITS)


def test_a_dead_slurmctld_is_asked_once_and_the_last_answer_is_offered_with_its_age(
    context: Context, slurm: _Slurm, clock: _Clock
) -> None:
    graph = context.harvest(Freshness.NOW)
    slurm.is_dead = True
    slurm.asked.clear()
    clock.sleep(7200)
    with pytest.raises(SlurmUnavailableError) as caught:
        context.harvest(Freshness.LIMITS)
    assert slurm.asked == ["settings"]
    assert caught.value.message == "scontrol gave no answer within 30 s"
    assert (
        "Ping it. What it said 2h ago is kept: `cfslurm info --last-known`" in caught.value.remedy
    )
    assert context.harvest(Freshness.KEPT) == graph


def test_nothing_is_offered_where_nothing_is_kept(context: Context, slurm: _Slurm) -> None:
    slurm.is_dead = True
    with pytest.raises(SlurmUnavailableError) as caught:
        context.harvest(Freshness.NOW)
    assert caught.value.remedy == "Ping it."
    with pytest.raises(
        SlurmUnavailableError, match="nothing that Slurm said about settings is kept"
    ):
        context.harvest(Freshness.KEPT)


def test_answers_of_another_cluster_than_slurm_conf_names_are_not_kept(
    context: Context, slurm: _Slurm
) -> None:
    Path(context.environment.variables["SLURM_CONF"]).write_text("ClusterName=elsewhere\n")
    graph = context.harvest(Freshness.LIMITS)
    assert "is of 'elsewhere': set SLURM_CONF; no answer is kept" in graph.warnings[-1]
    slurm.asked.clear()
    context.harvest(Freshness.LIMITS)
    assert set(slurm.asked) == FREE | REST


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (
            '{"schema": "cfslurm.hardware/1", "nodes": []}',
            "is 'cfslurm.hardware/1', and 'cfslurm.hardware/2' is read here",
        ),
        ("[]", "names no schema, and 'cfslurm.hardware/2' is read here"),
        ('{"schema": "cfslurm.plan/1"}', "is 'cfslurm.plan/1', and"),
        ("{", "cannot read .*no JSON: Expecting property name"),
        (f'{{"schema": "{SCHEMA}", "nodes": 3}}', "errors"),
    ],
)
def test_what_is_no_recorded_cluster_is_refused(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "old.json"
    path.write_text(text)
    with pytest.raises(UserInputError, match=why):
        recorded(HardwareGraph, path, HARVEST)


def test_without_slurm_conf_nothing_is_kept(context: Context, slurm: _Slurm) -> None:
    nowhere = replace(context.environment, variables={"SLURM_CONF": "/nowhere/slurm.conf"})
    mine = replace(context, environment=nowhere)
    mine.harvest(Freshness.LIMITS)
    mine.harvest(Freshness.LIMITS)
    assert len(slurm.asked) == 2 * len(FREE | REST)
    with pytest.raises(UserInputError, match="nothing is kept of this cluster"):
        mine.harvest(Freshness.KEPT)
