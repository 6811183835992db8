"""What reading a large cluster costs: ``python -m benchmarks.harvest [--quick] [--json FILE]``.

One real slurmctld with 10,000 configured nodes (`benchmarks.big_cluster`). In every round all is done once:
each call of Slurm's programs bare, the same calls by a harvest, the same answers read again without Slurm,
and what others do instead.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks import report, world
from benchmarks.big_cluster import GROUPS, large_cluster
from benchmarks.measure import Program, call
from cfslurm.adapters import process
from cfslurm.core.hardware.classes import node_classes
from cfslurm.core.hardware.graph import HardwareGraph
from cfslurm.core.hardware.parts import Freshness, part_of
from cfslurm.core.site.settings import Settings
from cfslurm.core.slurm.command import Command, Completed
from cfslurm.ports import RunCommand
from cfslurm.wiring import Context, live

MIB = 1024**2
BARE = "the same calls, bare"
OUR_CALLS = "the calls, as harvest makes them"
READ = "their answers to a graph"
WHOLE = "calls and graph, in one process"
BY_JSON = "the same, read as JSON"
CLASSES = "classes"
HARVEST = "cfslurm harvest -o FILE"
INFO = "cfslurm info, again within 10 s"
SINFO = "sinfo --json"
SINFO_READ = "sinfo --json, its answer to Python data"
ALONE = "scontrol show node NAME, for each node"
_BESIDE = (
    BARE, OUR_CALLS, READ, WHOLE, BY_JSON, CLASSES, HARVEST, INFO, SINFO, SINFO_READ, ALONE,
)  # fmt: skip
_SDIAG_ITSELF = "REQUEST_STATS_INFO"
_RPC = re.compile(r"^\s*(REQUEST_\w+)\s+\(\s*\d+\) count:(\d+)", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much is measured; ``asked_alone`` nodes are asked for one by one."""

    nodes: int
    rounds: int
    asked_alone: int


QUICK = Size(nodes=10_000, rounds=2, asked_alone=10)
FULL = Size(nodes=10_000, rounds=15, asked_alone=20)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print a table; 0 if every aim is reached."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.harvest", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="within 50 s: fewer rounds")
    parser.add_argument(
        "--nodes", type=int, metavar="N", help="that many nodes, and not 10,000: other figures"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers there too")
    options = parser.parse_args(argv)
    about = report.machine()
    began = time.monotonic()
    size = QUICK if options.quick else FULL
    figures, tables, slurm_version = measure(replace(size, nodes=options.nodes or size.nodes))
    about |= {"slurm": slurm_version, "took_s": round(time.monotonic() - began)}
    print(report.text(figures, tables, about))
    if options.json is not None:
        report.write_json(options.json, report.document("harvest", figures, tables, about))
    return 0 if all(figure.holds for figure in figures) else 1


@dataclass
class Counting:
    """A `RunCommand` that passes calls on, and remembers them with their answers and times."""

    run: Callable[[Command], Completed] = process.run
    answers: dict[tuple[str, ...], list[Completed]] = field(default_factory=dict)
    seconds: float = 0.0

    def __call__(self, command: Command, /) -> Completed:
        """Run it."""
        began = time.perf_counter()
        done = self.run(command)
        self.seconds += time.perf_counter() - began
        self.answers.setdefault(command.argv, []).append(done)
        return done

    def replayed(self, command: Command, /) -> Completed:
        """The answer that was given."""
        return self.answers[command.argv][0]


def measure(size: Size) -> tuple[list[report.Figure], list[report.Table], str]:
    """All figures, all tables, and the version of Slurm."""
    with ExitStack() as stack:
        folder = stack.enter_context(world.scratch())
        env = world.clean_environment(folder / "home")
        env = stack.enter_context(large_cluster(folder, env, nodes=size.nodes))
        stack.enter_context(_environment(env))
        return _Measuring(size=size, folder=folder, env=env, context=live(None)).all()


@contextmanager
def _environment(env: Mapping[str, str]) -> Iterator[None]:
    """Be a user of the large cluster for a while: what is measured in this process reads os.environ."""
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(env)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@dataclass(kw_only=True)
class _Measuring:
    size: Size
    folder: Path
    env: Mapping[str, str]
    context: Context
    seconds: dict[str, list[float]] = field(default_factory=dict)

    def all(self) -> tuple[list[report.Figure], list[report.Table], str]:
        before = self._rpcs()
        counted = Counting()
        graph = self._harvest(counted)
        after = self._rpcs()
        rpcs = {name: after[name] - before.get(name, 0) for name in after if name != _SDIAG_ITSELF}
        for _ in range(self.size.rounds):
            self._round(counted, graph)
        peak_mib = max(self._peak_mib() for _ in range(2))
        figures = self._figures(counted, peak_mib)
        version = graph.controller.slurm_version
        return figures, [self._calls(counted, rpcs), self._beside()], version

    def _rpcs(self) -> dict[str, int]:
        text = world.run(("sdiag",), self.env)
        return {name: int(count) for name, count in _RPC.findall(text)}

    def _harvest(self, run: RunCommand) -> HardwareGraph:
        return replace(self.context, run=run).harvest(Freshness.NOW)

    def _harvest_json(self) -> None:
        settings = self.context.settings
        entries = tuple(
            replace(one, value="json") if one.name == "slurm_reader" else one
            for one in settings.entries
        )
        replace(self.context, settings=Settings(entries=entries)).harvest(Freshness.NOW)

    def _round(self, counted: Counting, graph: HardwareGraph) -> None:
        """Everything once."""
        bare = [
            self._time(" ".join(argv), lambda argv=argv: self._call(*argv))
            for argv in counted.answers
        ]
        self.seconds.setdefault(BARE, []).append(sum(bare))
        ours = Counting()
        self._time(WHOLE, lambda: self._harvest(ours))
        self.seconds.setdefault(OUR_CALLS, []).append(ours.seconds)
        self._time(BY_JSON, self._harvest_json)
        self._time(READ, lambda: self._harvest(counted.replayed))
        self._time(CLASSES, lambda: node_classes(graph))
        self._time(HARVEST, lambda: self._call("cfslurm", "harvest", "-o", "graph.json"))
        self._time(INFO, lambda: self._call("cfslurm", "info"))
        self._time(SINFO, lambda: self._call("sinfo", "--json"))
        text = world.run(("sinfo", "--json"), self.env)
        self._time(SINFO_READ, lambda: json.loads(text))
        alone = [name for group in GROUPS for name in group.names(self.size.nodes)]
        some = alone[:: len(alone) // self.size.asked_alone][: self.size.asked_alone]
        each = [
            self._seconds(lambda name=name: self._call("scontrol", "show", "node", name))
            for name in some
        ]
        self.seconds.setdefault(ALONE, []).append(statistics.mean(each) * self.size.nodes)

    def _time(self, name: str, do: Callable[[], object]) -> float:
        took = self._seconds(do)
        self.seconds.setdefault(name, []).append(took)
        return took

    def _seconds(self, do: Callable[[], object]) -> float:
        began = time.perf_counter()
        do()
        return time.perf_counter() - began

    def _call(self, *argv: str) -> None:
        call(Program(name=argv[0], argv=argv, env=self.env, cwd=self.folder))

    def _peak_mib(self) -> float:
        """The most memory that `cfslurm harvest -o FILE` had, as the kernel tells the process itself."""
        code = (
            "from cfslurm.cli.main import main\n"
            "assert main(['harvest', '-o', 'graph.json']) == 0\n"
            "print(open('/proc/self/status').read())"
        )
        words = (sys.executable, "-c", code)
        done = subprocess.run(
            words, env=dict(self.env), cwd=self.folder, capture_output=True, text=True, check=True
        )
        return int(done.stdout.partition("VmHWM:")[2].split()[0]) / 1024

    def _median(self, name: str) -> float:
        return statistics.median(self.seconds[name])

    def _ratio(self, name: str, to: str = BARE) -> float:
        """Of the times of the same round."""
        pairs = zip(self.seconds[name], self.seconds[to], strict=True)
        return statistics.median(ours / other for ours, other in pairs)

    def _figures(self, counted: Counting, peak_mib: float) -> list[report.Figure]:
        nodes = f"{self.size.nodes} nodes"
        return [
            report.Figure(
                name="calls_of_a_kind", value=max(len(a) for a in counted.answers.values()),
                unit="calls", aim=1, says="of each kind, in one harvest",
            ),
            report.Figure(
                name="calls_ratio", value=self._ratio(OUR_CALLS), unit="x", aim=1.5,
                says="what a harvest waits for Slurm's programs, to the same calls bare, same round",
            ),
            report.Figure(
                name="whole_to_calls", value=self._ratio(WHOLE), unit="x", aim=1.5,
                says="a whole harvest, calls and graph, to the same calls bare, same round",
            ),
            report.Figure(
                name="whole_to_sinfo", value=self._ratio(WHOLE, SINFO), unit="x", aim=1.5,
                says="a whole harvest, calls and graph, to `sinfo --json` alone, same round",
            ),
            report.Figure(
                name="parse_build", value=min(self.seconds[READ]), unit="s", aim=1,
                says=f"all answers of {nodes} to a graph, without Slurm, least of the rounds",
            ),
            report.Figure(
                name="memory", value=peak_mib, unit="MiB", aim=300,
                says=f"`cfslurm harvest -o FILE`, most resident memory of the process, {nodes}",
            ),
            report.Figure(
                name="classes", value=min(self.seconds[CLASSES]), unit="s", aim=0.1,
                says=f"{nodes} to classes, least of the rounds",
            ),
        ]  # fmt: skip

    def _calls(self, counted: Counting, rpcs: Mapping[str, int]) -> report.Table:
        rows = [
            (
                _short(" ".join(argv)), len(answers), part_of(argv) or "-",
                f"{self._median(' '.join(argv)) * 1000:.0f}",
                f"{len(answers[0].stdout) / MIB:.2f}",
            )
            for argv, answers in counted.answers.items()
        ]  # fmt: skip
        told = ", ".join(f"{name} {count}" for name, count in sorted(rpcs.items()) if count)
        return report.Table(
            title="What one harvest asks Slurm",
            header=("CALL", "TIMES", "PART", "BARE MS", "MIB"),
            rows=rows,
            notes=(f"slurmctld counted (sdiag): {told}",),
        )

    def _beside(self) -> report.Table:
        rows = [
            (name, f"{self._median(name) * 1000:.0f}", f"{self._ratio(name):.2f}")
            for name in _BESIDE
        ]
        return report.Table(
            title=f"A harvest of {self.size.nodes} nodes, beside other ways: ms",
            header=("WHAT", "MEDIAN", "x BARE CALLS"),
            rows=rows,
            notes=(
                f"{self.size.rounds} rounds; x: median of the ratios of the same round",
                f"one call per node: {self.size.asked_alone} nodes of each round, times "
                f"{self.size.nodes} / {self.size.asked_alone}",
            ),
        )


def _short(call: str) -> str:
    return call if len(call) <= 60 else f"{call[:59]}…"


if __name__ == "__main__":
    sys.exit(main())
