"""What benchmarks tell: figures with their aims, as JSON and as a table; and on which machine."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cfslurm.core.report.tables import table

_SCHEMA = "cfslurm.benchmark/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A number with an aim. ``says`` tells what was measured, for someone who was not there."""

    name: str
    value: float
    unit: str
    aim: float
    bound: Literal["at most", "at least"] = "at most"
    says: str

    @property
    def holds(self) -> bool:
        """Whether the aim is reached."""
        return self.value <= self.aim if self.bound == "at most" else self.value >= self.aim


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows under a title. Shape: every row has as many cells as the header."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[object]]
    notes: Sequence[str] = ()


def document(
    benchmark: str, figures: Sequence[Figure], tables: Sequence[Table], about: Mapping[str, object]
) -> dict[str, object]:
    """Everything that a benchmark found, ready for JSON."""
    return {
        "schema": _SCHEMA,
        "benchmark": benchmark,
        "machine": dict(about),
        "figures": {
            figure.name: {
                "value": round(figure.value, 3),
                "unit": figure.unit,
                "aim": figure.aim,
                "bound": figure.bound,
                "holds": figure.holds,
                "says": figure.says,
            }
            for figure in figures
        },
        "tables": [
            {"title": t.title, "rows": [dict(zip(t.header, row, strict=True)) for row in t.rows]}
            for t in tables
        ],
    }


def text(figures: Sequence[Figure], tables: Sequence[Table], about: Mapping[str, object]) -> str:
    """The same for people: the figures first, then what they stand among."""
    rows = [
        (
            figure.name,
            f"{figure.value:.3g} {figure.unit}",
            f"{figure.bound} {figure.aim:g} {figure.unit}",
            "holds" if figure.holds else "MISSED",
            figure.says,
        )
        for figure in figures
    ]
    parts = [
        "; ".join(f"{name} {value}" for name, value in about.items()),
        table(("FIGURE", "VALUE", "AIM", "", "WHAT"), rows),
    ]
    for one in tables:
        notes = [f"  {note}" for note in one.notes]
        parts.append("\n".join([one.title, table(one.header, one.rows, indent="  "), *notes]))
    return "\n\n".join(parts)


def write_json(path: Path, found: Mapping[str, object]) -> None:
    """Write a document where others find it."""
    path.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def machine() -> dict[str, object]:
    """What a reader needs to compare the numbers with those of another machine."""
    return {
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.processor() or "unknown"
