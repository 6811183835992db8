from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.report import Figure, Table, document, machine, text, write_json

FAST = Figure(name="fast", value=12.3456, unit="ms", aim=80, says="a call")
SLOW = Figure(name="slow", value=81.0, unit="ms", aim=80, says="another call")
TABLE = Table(title="Calls", header=("COMMAND", "MS"), rows=[("a", 12), ("b", 81)], notes=("warm",))


@pytest.mark.parametrize(
    ("value", "bound", "holds"),
    [
        (80.0, "at most", True),
        (80.1, "at most", False),
        (80.0, "at least", True),
        (79.9, "at least", False),
    ],
)
def test_aim_is_reached_from_the_right_side(value: float, bound: str, holds: bool) -> None:
    figure = Figure(name="f", value=value, unit="x", aim=80, bound=bound, says="")  # type: ignore[arg-type]
    assert figure.holds is holds


def test_document_has_each_figure_with_its_aim(tmp_path: Path) -> None:
    path = tmp_path / "found.json"
    write_json(path, document("calls", [FAST, SLOW], [TABLE], {"cores": 2}))
    assert json.loads(path.read_text()) == {
        "schema": "cfslurm.benchmark/1",
        "benchmark": "calls",
        "machine": {"cores": 2},
        "figures": {
            "fast": {"value": 12.346, "unit": "ms", "aim": 80, "bound": "at most", "holds": True, "says": "a call"},
            "slow": {"value": 81.0, "unit": "ms", "aim": 80, "bound": "at most", "holds": False, "says": "another call"},
        },
        "tables": [
            {"title": "Calls", "rows": [{"COMMAND": "a", "MS": 12}, {"COMMAND": "b", "MS": 81}]}
        ],
    }  # fmt: skip


def test_text_shows_what_is_missed_and_every_note() -> None:
    assert text([FAST, SLOW], [TABLE], {"cores": 2, "load": 0.1}).splitlines() == [
        "cores 2; load 0.1",
        "",
        "FIGURE  VALUE    AIM                    WHAT",
        "fast    12.3 ms  at most 80 ms  holds   a call",
        "slow    81 ms    at most 80 ms  MISSED  another call",
        "",
        "Calls",
        "  COMMAND  MS",
        "  a        12",
        "  b        81",
        "  warm",
    ]


def test_machine_is_told_without_its_name() -> None:
    assert set(machine()) == {"cpu", "cores", "load", "python", "system"}
