"""How long a user waits for cfslurm: ``python -m benchmarks.startup [--quick] [--json FILE]``.

Every program is called in turn with all others, one round after the other, on a private Slurm that
this starts and ends. Times are by the clock, from before the call until the program has ended.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks import peers, report, world
from benchmarks.measure import Program, Times, beyond_ms, file_operations, interleaved
from cfslurm.adapters.environment import read_environment
from cfslurm.core.slurm import squeue

WORKFLOW = world.REPOSITORY / "examples" / "lab" / "workflow.yaml"
BARE = "python -c pass"
HELP = "cfslurm --help"
SQUEUE = "squeue, as queue calls it"
QUEUE = "cfslurm queue --json"
PLAN = "cfslurm plan (the demo)"
_WAITING = """\
schema: cfslurm.workflow/1
name: waiting
tasks:
  sweep: {{command: [sleep, "600"], array: {{range: 0-{last}}}, resources: {{mem: 64M}}, time: 20m}}
  after: {{command: [sleep, "1"], resources: {{mem: 64M}}, time: 1m, needs: [sweep]}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much is measured."""

    rounds: int
    slow_rounds: int
    sandboxes: int
    runs: int
    items: int


QUICK = Size(rounds=5, slow_rounds=2, sandboxes=1, runs=3, items=10)
FULL = Size(rounds=41, slow_rounds=15, sandboxes=5, runs=8, items=40)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print a table; 0 if every aim is reached."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.startup", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="within 50 s; wider spread")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers there too")
    parser.add_argument(
        "--peers", type=Path, default=peers.FOLDER, metavar="FOLDER",
        help="a virtual environment with other projects in it; default: %(default)s",
    )  # fmt: skip
    options = parser.parse_args(argv)
    about = report.machine()
    began = time.monotonic()
    figures, tables, slurm_version = measure(QUICK if options.quick else FULL, options.peers)
    about |= {"slurm": slurm_version, "took_s": round(time.monotonic() - began)}
    print(report.text(figures, tables, about))
    if options.json is not None:
        report.write_json(options.json, report.document("startup", figures, tables, about))
    return 0 if all(figure.holds for figure in figures) else 1


def measure(size: Size, peers_folder: Path) -> tuple[list[report.Figure], list[report.Table], str]:
    """All figures, all tables, and the version of Slurm."""
    with ExitStack() as stack:
        folder = stack.enter_context(world.scratch())
        env = world.clean_environment(folder / "home")
        starts = [_start_once(folder / f"lab{i}", env) for i in range(size.sandboxes - 1)]
        cluster = stack.enter_context(world.cluster(folder / "lab", env))
        env = {**cluster.env, "CFSLURM_RUNS": str(folder / "runs")}
        starts.append(cluster)
        jobs = _fill(folder, env, size)
        catalog = folder / "catalog.json"
        with world.hub(folder / "hub", env) as endpoint:
            words = ("cfslurm", "plan", str(WORKFLOW), "--save-catalog", str(catalog))
            world.run(words, {**env, "HF_ENDPOINT": endpoint})
        ours = _ours(env, folder)
        times = interleaved(ours, rounds=size.rounds)
        slow = (*_plans(env, folder, catalog), *peers.programs(peers_folder, env, folder))
        times |= interleaved(slow, rounds=size.slow_rounds)
        rows = _rows((*ours, *slow), times)
        notes = (
            f"{size.rounds} rounds; {size.slow_rounds} of plan and of peers; ms by the clock; CPU ms "
            "with what the program itself starts",
            "FILE OPS: system calls that name a path, of the program's own process",
            f"queue saw {size.runs} runs, {jobs} rows of squeue",
            *peers.notes(peers_folder),
        )
        commands = report.Table(
            title="Commands, beside what every Python or Slurm program costs here, and peers",
            header=("COMMAND", "MEDIAN", "LEAST", "MOST", "CPU", "x PYTHON", "FILE OPS"),
            rows=rows,
            notes=notes,
        )
        up = report.Table(
            title="cfslurm sandbox up, 6 nodes: seconds until all are idle, until a job has run on all",
            header=("START", "IDLE", "JOB DONE"),
            rows=[
                (index + 1, f"{start.idle_s:.2f}", f"{start.first_job_s:.2f}")
                for index, start in enumerate(starts)
            ],
        )
        return _figures(times, starts), [commands, up], cluster.slurm_version


def _start_once(folder: Path, env: Mapping[str, str]) -> world.Cluster:
    with world.cluster(folder, env) as cluster:
        return cluster


def _fill(folder: Path, env: Mapping[str, str], size: Size) -> int:
    """Put runs into the queue: arrays of which some tasks run, and a task behind each."""
    workflow = folder / "waiting.yaml"
    workflow.write_text(_WAITING.format(last=size.items - 1))
    for _ in range(size.runs):
        world.run(("cfslurm", "submit", str(workflow), "--parsable"), env)
    return len(world.run(_squeue_words(), env).splitlines())


def _squeue_words() -> tuple[str, ...]:
    return squeue.user_jobs_command(read_environment().user).argv


def _ours(env: Mapping[str, str], folder: Path) -> tuple[Program, ...]:
    python = (sys.executable, "-I", "-c")
    words: dict[str, tuple[str, ...]] = {
        BARE: (*python, "pass"),
        "python -c 'import click'": (*python, "import click"),
        "import cfslurm.node.array": (*python, "import cfslurm.node.array"),
        HELP: ("cfslurm", "--help"),
        "cfslurm --version": ("cfslurm", "--version"),
        "cfslurm submit --help": ("cfslurm", "submit", "--help"),
        "sinfo --version": ("sinfo", "--version"),
        SQUEUE: _squeue_words(),
        QUEUE: ("cfslurm", "queue", "--json"),
        "cfslurm status last --json": ("cfslurm", "status", "last", "--json"),
    }
    return tuple(Program(name=n, argv=w, env=env, cwd=folder) for n, w in words.items())


def _plans(env: Mapping[str, str], folder: Path, catalog: Path) -> tuple[Program, ...]:
    plan = ("cfslurm", "plan", str(WORKFLOW), "--catalog", str(catalog), "--json")
    return (Program(name=PLAN, argv=plan, env=env, cwd=folder),)


def _rows(programs: Sequence[Program], times: Mapping[str, Times]) -> list[tuple[object, ...]]:
    bare = times[BARE].median_ms
    rows: list[tuple[object, ...]] = []
    for program in programs:
        seen = times[program.name]
        operations = file_operations(program)
        rows.append(
            (
                program.name,
                f"{seen.median_ms:.0f}",
                f"{seen.least_ms:.0f}",
                f"{seen.most_ms:.0f}",
                f"{seen.cpu_ms:.0f}",
                f"{seen.median_ms / bare:.1f}",
                "-" if operations is None else str(operations),
            )
        )
    return rows


def _figures(times: Mapping[str, Times], starts: Sequence[world.Cluster]) -> list[report.Figure]:
    return [
        report.Figure(
            name="help", value=times[HELP].median_ms, unit="ms", aim=80,
            says="`cfslurm --help`, the whole process",
        ),
        report.Figure(
            name="queue_beyond_slurm", value=beyond_ms(times[QUEUE], times[SQUEUE]), unit="ms", aim=150,
            says="`cfslurm queue --json` less the same squeue alone in the same round",
        ),
        report.Figure(
            name="plan_demo", value=times[PLAN].median_ms / 1000, unit="s", aim=1,
            says="`cfslurm plan examples/lab/workflow.yaml --catalog FILE --json`, the whole process, "
            "reading the cluster included",
        ),
        report.Figure(
            name="sandbox_up", value=statistics.median(start.idle_s for start in starts), unit="s", aim=5,
            says="`cfslurm sandbox up`, 6 nodes, until all are idle",
        ),
    ]  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
