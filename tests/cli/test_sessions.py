"""Looking at sessions from the command line: a run's, one elsewhere, damaged ones."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cfslurm import Session
from cfslurm.core.session.survey import short

Completed = subprocess.CompletedProcess[str]


def _type(folder: Path, *argv: str) -> Completed:
    return subprocess.run(
        [sys.executable, "-I", "-m", "cfslurm.cli", "sessions", *argv],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.fixture
def saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A session in a folder of its own, of which every generation is kept."""
    monkeypatch.setenv("CFSLURM_SESSION_KEEP", "9")
    with Session.open("agent", directory=tmp_path / "sessions") as session:
        for step in range(3):
            session["step"] = step
            session["weights"] = np.zeros((2, 3), dtype="float32")
            session["note"] = "a\x1b[31mb"
            session.append({"step": step})
            session.checkpoint()
        session.once("asked", lambda: "42")
    (found,) = (tmp_path / "sessions").iterdir()
    return found


def test_state_events_and_recorded_steps_are_shown(saved: Path, tmp_path: Path) -> None:
    done = _type(tmp_path, "show", str(saved), "--events", "2")
    assert done.returncode == 0, done.stderr
    assert "  step: 2" in done.stdout
    assert "  weights: <float32[2, 3]>" in done.stdout
    assert "Events: 3, the last 2:\n  1  {step: 1}\n  2  {step: 2}" in done.stdout
    assert '  asked: "42"' in done.stdout
    assert "\x1b" not in done.stdout


def test_json_gives_every_value_exactly(saved: Path, tmp_path: Path) -> None:
    done = _type(tmp_path, "show", str(saved), "--events", "50", "--json")
    answer: dict[str, Any] = json.loads(done.stdout)
    assert answer["state"]["step"] == 2
    assert answer["state"]["note"] == "a\x1b[31mb"
    assert answer["state"]["weights"]["$array"][:2] == ["<f4", [2, 3]]
    assert answer["events"] == [{"step": n} for n in range(3)]
    assert answer["events_total"] == 3
    assert (
        json.loads(_type(tmp_path, "show", str(saved), "--events", "0", "--json").stdout)["events"]
        == []
    )


def test_an_earlier_generation_can_be_looked_at(saved: Path, tmp_path: Path) -> None:
    opening, first, *_ = sorted(saved.glob("g*.h5"))
    assert "State: empty" in _type(tmp_path, "show", str(opening)).stdout
    assert "  step: 0" in _type(tmp_path, "show", str(first)).stdout


def test_verify_finds_every_damaged_generation(saved: Path, tmp_path: Path) -> None:
    whole = _type(tmp_path, "verify", str(saved))
    assert whole.returncode == 0, whole.stderr
    files = sorted(saved.glob("g*.h5"))
    assert f"{len(files)} generation(s), 0 damaged" in whole.stdout
    raw = bytearray(files[1].read_bytes())
    raw[len(raw) // 2] ^= 1
    files[1].chmod(0o600)
    files[1].write_bytes(raw)
    damaged = _type(tmp_path, "verify", str(saved), "--json")
    assert damaged.returncode == 1
    (generations,) = json.loads(damaged.stdout)["sessions"].values()
    assert [bool(facts["damage"]) for facts in generations] == [
        path == files[1] for path in reversed(files)
    ]


@pytest.mark.parametrize("argv", [("show",), ("verify",)])
def test_what_is_no_session_is_refused_with_the_way_out(
    tmp_path: Path, argv: tuple[str, ...]
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.h5").write_text("hello")
    for place in ("./nowhere", "./empty", "./text.h5"):
        done = _type(tmp_path, *argv, place)
        assert "Traceback" not in done.stderr
        assert done.returncode == 69, place
        assert "try: " in done.stderr


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (3.5, "3.5"),
        ("ü\n", '"ü\\n"'),
        (np.float32(2), "2.0"),
        (np.arange(4), "<int64[4]>"),
        ({"a": [1, (2,)]}, "{a: [1, [2]]}"),
        ("x" * 500, '"' + "x" * 158 + "…"),
    ],
)
def test_values_in_a_line(value: object, text: str) -> None:
    assert short(value) == text


def test_sessions_outside_of_runs_are_listed_by_their_folder(saved: Path, tmp_path: Path) -> None:
    (saved.parent / "notes").mkdir()  # no session
    for run in ("./sessions", str(saved.parent)):
        done = _type(tmp_path, "ls", run)
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[1].split()[0] == "agent"
        assert "notes" not in done.stdout
    assert "agent" in _type(saved.parent, "ls", ".").stdout
    whole = _type(tmp_path, "verify", "--run", "./sessions")
    assert (whole.returncode, "agent" in whole.stdout) == (0, True)
    assert _type(tmp_path, "show", "agent", "--run", "./sessions").returncode == 0
    empty = _type(tmp_path, "ls", "./sessions/notes")
    assert (empty.returncode, "no session in ./sessions/notes" in empty.stdout) == (0, True)
    wrong = _type(tmp_path, "ls", "./nothing")
    assert (wrong.returncode, "./nothing is no folder" in wrong.stderr) == (2, True)
