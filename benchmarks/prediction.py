"""How well memory and speed are predicted: ``python -m benchmarks.prediction [--quick] [--json FILE]``.

Speed: published measurements (``data/speed_public*.csv``), each predicted by a fit that has not seen it,
left out one by one in turn, a model on a GPU as a whole, a GPU, an engine, or a publication. Beside it, on
the same rows, what others would say. ``--rows FILE`` predicts measurements of one's own with the shipped
table, in the same columns as those files.

Memory: see ``prediction_memory``. And how long `cfslurm models fit` takes for 40 variants and 12 node
classes.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks import report, world
from benchmarks.measure import Program, interleaved
from benchmarks.prediction_memory import memory
from benchmarks.prediction_speed import FULL, QUICK, Size, own_rows, speed
from benchmarks.speed_rows import read_rows
from cfslurm.adapters.files import json_text

_VARIANTS, _CLASSES = 40, 12
_GPUS = (
    "a100_80", "h100", "rtx4090", "l40s", "rtxa6000", "t4", "a100_40", "h200", "mi300x", "v100_32",
    "l4", "rtx3090",
)  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print tables; 0 if every aim is reached."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.prediction", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="within 50 s; fewer ways of leaving out"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers there too")
    parser.add_argument(
        "--rows",
        type=Path,
        metavar="FILE",
        help="predict the measurements of a CSV file, and no more",
    )
    options = parser.parse_args(argv)
    about, began = report.machine(), time.monotonic()
    if options.rows is not None:
        figures, tables = own_rows(read_rows([options.rows]))
    else:
        size = QUICK if options.quick else FULL
        figures, tables = speed(size)
        for more_figures, more_tables in (memory(), fit_time(size)):
            figures += more_figures
            tables += more_tables
    about |= {"took_s": round(time.monotonic() - began)}
    print(report.text(figures, tables, about))
    if options.json is not None:
        report.write_json(options.json, report.document("prediction", figures, tables, about))
    return 0 if all(figure.holds for figure in figures) else 1


def fit_time(size: Size) -> tuple[list[report.Figure], list[report.Table]]:
    """`cfslurm models fit` with recorded cluster and variants, the whole process."""
    with world.scratch() as folder:
        env = world.clean_environment(folder / "home")
        hardware, catalog = _documents(folder)
        words = (
            "cfslurm", "models", "fit", "table/model", "--hardware", str(hardware),
            "--catalog", str(catalog), "--json",
        )  # fmt: skip
        programs = [
            Program(
                name="python -c pass", argv=(sys.executable, "-c", "pass"), env=env, cwd=folder
            ),
            Program(name="cfslurm models fit", argv=_program(words), env=env, cwd=folder),
        ]
        times = interleaved(programs, rounds=size.rounds)
    found = times["cfslurm models fit"]
    figure = report.Figure(
        name="models_fit", value=found.cpu_ms / 1000, unit="s", aim=0.5,
        says=f"CPU time of `cfslurm models fit`, {_VARIANTS} variants x {_CLASSES} node classes, cached",
    )  # fmt: skip
    rows = [
        (name, f"{t.median_ms:.0f}", f"{t.least_ms:.0f}", f"{t.cpu_ms:.0f}")
        for name, t in times.items()
    ]
    table = report.Table(
        title="`models fit`: ms", header=("COMMAND", "MEDIAN", "LEAST", "CPU"), rows=rows
    )
    return [figure], [table]


def _program(words: Sequence[str]) -> tuple[str, ...]:
    return (str(Path(sys.executable).with_name(words[0])), *words[1:])


def _documents(folder: Path) -> tuple[Path, Path]:
    """A recorded cluster with twelve kinds of GPUs, and 40 variants of a model."""
    from tests import builders

    nodes = [builders.node(f"n{n}", f"gpu:{gpu}:{2 ** (n % 4)}") for n, gpu in enumerate(_GPUS)]
    kinds = ("none", "fp8", "int8", "awq", "gptq", "gguf:Q4_K_M", "gguf:Q8_0", "nvfp4")
    variants = tuple(
        builders.variant(kinds[n % len(kinds)], 4.0 + 3 * n, repo=f"table/m{n}")
        for n in range(_VARIANTS)
    )
    catalog = builders.catalog(**{"table/model": variants})
    hardware_file, catalog_file = folder / "hardware.json", folder / "catalog.json"
    hardware_file.write_text(json_text(builders.graph(nodes)), encoding="utf-8")
    catalog_file.write_text(json_text(catalog), encoding="utf-8")
    return hardware_file, catalog_file


if __name__ == "__main__":
    sys.exit(main())
