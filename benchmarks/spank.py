"""What the SPANK plugin costs a job: ``python -m benchmarks.spank [--quick] [--json FILE]``.

Private Slurms that differ in their plugstack.conf only are started side by side: without a plugin, with
the smallest plugin that sets a variable, with ours. Each kind of srun is called once in every round, in
an order that is drawn anew. Times are by the clock, from before srun is started until it has ended.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import report, world
from benchmarks.measure import Program, Sample, Times, beyond_ms, call
from cfslurm.core.run.manifest import VariantPlace
from cfslurm.core.run.node_manifest import ClassLine, ModelLine, NodeManifest, node_manifest_text

SPANK = world.REPOSITORY / "spank"
WITHOUT = "srun true, without plugin"
AGAIN = "srun true, without plugin, again"
SMALLEST = "srun true, a plugin that sets a variable"
IDLE = "srun true, plugin loaded, no option"
CHOOSES = "srun true, plugin chooses a variant"
_RUN, _REPO, _NODES = (
    "bench-1",
    "acme/tiny",
    ("a100-1", "ada-1", "ada-2", "cpu-1", "cpu-2", "rtx4090-1"),
)


# What no plugin that helps a job can do without: being loaded, and one variable.
_SMALLEST = """\
#include <slurm/spank.h>
SPANK_PLUGIN(smallest, 1)
int slurm_spank_user_init(spank_t spank, int ac, char **av)
{
	(void)ac, (void)av;
	spank_setenv(spank, "SMALLEST", "1", 1);
	return 0;
}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much is measured."""

    rounds: int
    steps: int


QUICK = Size(rounds=15, steps=3)
FULL = Size(rounds=301, steps=21)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print a table; 0 if every aim is reached."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.spank", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="within 20 s; wider spread")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers there too")
    options = parser.parse_args(argv)
    about = report.machine()
    began = time.monotonic()
    figures, tables, slurm_version = measure(QUICK if options.quick else FULL)
    about |= {"slurm": slurm_version, "took_s": round(time.monotonic() - began)}
    print(report.text(figures, tables, about))
    if options.json is not None:
        report.write_json(options.json, report.document("spank", figures, tables, about))
    return 0 if all(figure.holds for figure in figures) else 1


def measure(size: Size) -> tuple[list[report.Figure], list[report.Table], str]:
    """All figures, all tables, and the version of Slurm."""
    plugin = build()
    with ExitStack() as stack:
        folder = stack.enter_context(world.scratch())
        env = world.clean_environment(folder / "home")
        bare = stack.enter_context(world.cluster(folder / "bare", env))
        ours = _with_plugin(stack, folder, env, plugin, f"runs={folder / 'runs'}")
        smallest = _with_plugin(stack, folder, env, build_smallest(folder))
        write_run(folder)
        programs = (
            srun(WITHOUT, bare.env, folder),
            srun(AGAIN, bare.env, folder),
            srun(SMALLEST, smallest.env, folder),
            srun(IDLE, ours.env, folder),
            srun(CHOOSES, ours.env, folder, "--cf-run", _RUN, "--cf-model", _REPO),
        )
        times = in_turn(programs, rounds=size.rounds)
        kept: dict[str, list[Resident]] = {program.name: [] for program in programs}
        for _ in range(size.steps):
            for program in programs:
                kept[program.name].append(resident(program))
    return _figures(times, kept), [_times(times, size), _memory(kept, size)], bare.slurm_version


def _with_plugin(
    stack: ExitStack, folder: Path, env: Mapping[str, str], plugin: Path, *arguments: str
) -> world.Cluster:
    plugstack = folder / f"{plugin.stem}.conf"
    plugstack.write_text(f"optional {plugin} {' '.join(arguments)}\n")
    box = folder / plugin.stem
    return stack.enter_context(world.cluster(box, env, "--plugstack", str(plugstack)))


def in_turn(programs: Sequence[Program], *, rounds: int) -> dict[str, Times]:
    """Call every program once in each round, in a new order each time, so that none has a better place."""
    dice = random.Random(1)
    found: dict[str, list[Sample]] = {program.name: [] for program in programs}
    for program in programs:
        call(program)
    for _ in range(rounds):
        for program in dice.sample(programs, k=len(programs)):
            found[program.name].append(call(program))
    return {name: Times(samples=tuple(samples)) for name, samples in found.items()}


def build() -> Path:
    """Compile the plugin against this machine's Slurm.

    Raises:
        RuntimeError: it cannot be compiled.
    """
    world.run(("make", "--silent", "-C", str(SPANK)), dict(os.environ))
    return SPANK / "build" / "cfslurm.so"


def build_smallest(folder: Path) -> Path:
    """Compile the plugin of `SMALLEST`."""
    source, plugin = folder / "smallest.c", folder / "smallest.so"
    source.write_text(_SMALLEST)
    words = ("cc", "-O2", "-fPIC", "-shared", "-o", str(plugin), str(source))
    world.run(words, dict(os.environ))
    return plugin


def write_run(folder: Path) -> None:
    """A run's directory with a node manifest, and a published model of one file."""
    model = folder / "models" / "store" / "acme--tiny" / ("1" * 40)
    model.mkdir(mode=0o755, parents=True)
    (model / "config.json").write_text("{}")
    (model / "cfslurm.lock.json").write_text("{}")
    run = folder / "runs" / _RUN
    run.mkdir(mode=0o700, parents=True)
    place = VariantPlace(
        variant=f"{_REPO}@none", repo_id=_REPO, revision="1" * 40, quantization="none",
        path=str(model), tensor_parallel_size=0, max_model_len=4096,
    )  # fmt: skip
    text = node_manifest_text(
        NodeManifest(
            run_id=_RUN,
            run_dir=str(run),
            nodes={name: "any" for name in _NODES},
            classes=(ClassLine(name="any", gpu_type="", gpu_count=0, gpu_memory_mib=0),),
            models=(
                ModelLine(
                    key="one", node_class="any", model=_REPO, place=place, files=1, total_bytes=2
                ),
            ),
        )
    )
    file = run / "node_manifest"
    file.touch(mode=0o600)
    file.write_text(text or "")


def srun(name: str, env: Mapping[str, str], folder: Path, *options: str) -> Program:
    """One step of one task on the first free node."""
    argv = ("srun", "--mem=10", "--quiet", *options, "true")
    return Program(name=name, argv=argv, env=env, cwd=folder)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resident:
    """What a slurmstepd keeps in memory, and which part of it nobody shares."""

    all_kib: int
    private_kib: int


def resident(program: Program) -> Resident:
    """Start a step that waits, and look at its slurmstepd."""
    with _waiting(program) as stepd:
        text = Path(f"/proc/{stepd}/smaps_rollup").read_text()
    seen = {"Rss": 0, "Private_Clean": 0, "Private_Dirty": 0}
    for name, kib in re.findall(r"^(\w+): +(\d+) kB$", text, re.MULTILINE):
        if name in seen:
            seen[name] += int(kib)
    return Resident(all_kib=seen["Rss"], private_kib=seen["Private_Clean"] + seen["Private_Dirty"])


@contextmanager
def _waiting(program: Program) -> Iterator[int]:
    """A step's slurmstepd, found as the parent of its task."""
    argv = (*program.argv[:-1], "sh", "-c", "echo $PPID; read -r until_the_end_of_input")
    client = subprocess.Popen(
        argv, env=dict(program.env), cwd=program.cwd, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        assert client.stdout is not None
        yield int(client.stdout.readline())
    finally:
        client.communicate()


def _figures(
    times: Mapping[str, Times], kept: Mapping[str, Sequence[Resident]]
) -> list[report.Figure]:
    bare = times[WITHOUT]
    figures = []
    for word, name, says in (
        ("loaded", IDLE, "a job that does not ask for cfslurm"),
        (
            "chooses",
            CHOOSES,
            "--cf-run and --cf-model: manifest read, snapshot checked, environment set",
        ),
    ):
        added = beyond_ms(times[name], bare)
        what = f"`srun true` with the plugin less without it, same round; {says}"
        figures += [
            report.Figure(name=f"{word}_ms", value=added, unit="ms", aim=2, says=what),
            report.Figure(
                name=f"{word}_percent", value=100 * added / bare.median_ms, unit="%", aim=3, says="the same"
            ),
        ]  # fmt: skip
    for name, one, other, says in (
        ("resident", IDLE, WITHOUT, "a job that does not ask for cfslurm, less one without plugin"),
        (
            "chooses_resident",
            CHOOSES,
            SMALLEST,
            "a job that does, less one with the smallest plugin",
        ),
    ):
        more = _middle(kept[one], "all_kib") - _middle(kept[other], "all_kib")
        what = f"resident memory of slurmstepd while a task runs: {says}"
        figures.append(report.Figure(name=name, value=more, unit="KiB", aim=200, says=what))
    return figures


def _times(times: Mapping[str, Times], size: Size) -> report.Table:
    bare = times[WITHOUT]
    return report.Table(
        title="srun, from its start to its end: ms",
        header=("COMMAND", "MEDIAN", "LEAST", "MOST", "ADDED"),
        rows=[
            (
                name,
                f"{seen.median_ms:.2f}",
                f"{seen.least_ms:.2f}",
                f"{seen.most_ms:.2f}",
                f"{beyond_ms(seen, bare):+.2f}",
            )
            for name, seen in times.items()
        ],
        notes=(
            f"{size.rounds} rounds; ADDED: median of the differences to the first line, same round",
            "`again` is the first line once more: its ADDED is the noise",
        ),
    )


def _memory(kept: Mapping[str, Sequence[Resident]], size: Size) -> report.Table:
    return report.Table(
        title="slurmstepd while a task runs: KiB",
        header=("COMMAND", "RESIDENT", "PRIVATE"),
        rows=[
            (
                name,
                f"{_middle(seen, 'all_kib'):.0f}",
                f"{_middle(seen, 'private_kib'):.0f}",
            )
            for name, seen in kept.items()
        ],
        notes=(
            f"medians of {size.steps} steps each",
            "the smallest plugin: what Slurm's own spank_setenv leaves in the heap, for every plugin",
        ),
    )


def _middle(seen: Sequence[Resident], name: str) -> float:
    return statistics.median(getattr(one, name) for one in seen)


if __name__ == "__main__":
    sys.exit(main())
