"""Sessions taken elsewhere and kept in order from the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from cfslurm import Session

Completed = subprocess.CompletedProcess[str]


def call(folder: Path, *argv: str) -> Completed:
    return subprocess.run(
        [sys.executable, "-I", "-m", "cfslurm.cli", "sessions", *argv],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip


def good(folder: Path, *argv: str) -> str:
    done = call(folder, *argv)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the session ``s/agent``: generations 1 to 5, all kept, and a commit."""
    monkeypatch.chdir(tmp_path)
    with monkeypatch.context() as keep:
        keep.setenv("CFSLURM_SESSION_KEEP", "9")
        with Session.open("agent", directory="s") as session:
            session["weights"] = np.arange(50_000.0)
            session["big"] = b"x" * 100_000
            for step in range(3):
                session["step"] = step
                session.append({"role": "user", "content": f"question {step}"})
                session.checkpoint()
            session.once("asked", lambda: "42")
            session["step"] = 3
    return tmp_path


def state(path: str, generation: int | None = None) -> dict[str, Any]:
    return dict(Session.read(path, generation=generation).state)


def equal(one: str, other: str, generation: int | None = None) -> None:
    first, second = Session.read(one, generation=generation), Session.read(other)
    np.testing.assert_equal(dict(first.state), dict(second.state))
    assert list(first.events) == list(second.events)
    assert first.steps == second.steps


def whole(place: Path, path: str) -> None:
    assert "0 damaged" in good(place, "verify", path)


def test_fork_begins_with_what_is_there_now(place: Path) -> None:
    assert "generation 1, 3 events" in good(place, "fork", "./s/agent", "./s/fork")
    equal("s/agent", "s/fork")
    whole(place, "./s/fork")
    with Session.open("fork", directory="s") as session:
        session["step"] = 99
    assert state("s/agent")["step"] == 3


def test_fork_goes_back_to_an_earlier_generation(place: Path) -> None:
    answer = json.loads(good(place, "fork", "./s/agent", "./s/old", "--generation", "3", "--json"))
    assert (answer["generation"], answer["events"], answer["warnings"]) == (1, 2, [])
    equal("s/agent", "s/old", generation=3)
    parent = json.loads(h5py.File("s/old/g0001-000000000001.h5")["about"][()].tobytes())["parent"]
    assert parent.startswith("g0001-000000000003.h5:")
    missing = call(place, "fork", "./s/agent", "./s/none", "--generation", "77")
    assert "has no generation 77" in missing.stderr
    assert "1, 2, 3, 4, 5" in missing.stderr
    assert not Path("s/none").exists()


def test_nothing_is_overwritten(place: Path) -> None:
    Path("s/there").mkdir()
    for argv in (
        ("fork", "./s/agent", "./s/there"),
        ("copy", "./s/agent", "./s/there"),
        ("move", "./s/agent", "./s/there"),
        ("export", "./s/agent", "s/agent/g0001-000000000001.h5"),
    ):
        done = call(place, *argv)
        assert done.returncode == 69
        assert "is there already" in done.stderr
    whole(place, "./s/agent")


def test_copy_has_every_generation(place: Path) -> None:
    good(place, "copy", "./s/agent", "./t/copy")
    equal("s/agent", "t/copy")
    for generation in range(1, 6):
        assert state("t/copy", generation).keys() == state("s/agent", generation).keys()
    whole(place, "./t/copy")
    sizes = [sum(f.stat().st_size for f in Path(p).glob("g*")) for p in ("s/agent", "t/copy")]
    assert sizes[1] < 1.1 * sizes[0], "large parts are there once in the copy too"


def test_copy_leaves_damaged_generations_out_and_says_so(place: Path) -> None:
    damage(Path("s/agent/g0001-000000000003.h5"))
    done = call(place, "copy", "./s/agent", "./s/copy")
    assert done.returncode == 0
    assert "g0001-000000000003.h5 is left out" in done.stderr
    whole(place, "./s/copy")


def test_move_takes_all_of_it(place: Path) -> None:
    before = Session.read("s/agent")
    good(place, "move", "./s/agent", "./elsewhere/agent")
    assert not Path("s/agent").exists()
    assert list(Session.read("elsewhere/agent").events) == list(before.events)
    with Session.open("agent", directory="elsewhere") as session:
        assert session["step"] == 3


def test_export_is_one_file_for_everybody_and_comes_back(place: Path) -> None:
    good(place, "export", "./s/agent", "agent.h5")
    assert Path("agent.h5").stat().st_mode & 0o777 == 0o600
    with h5py.File("agent.h5") as file:
        assert file["state/weights"][-1] == 49_999
        assert json.loads(file["state_json"][()].tobytes())["step"] == 3
    good(place, "import", "agent.h5", "./s/again")
    equal("s/agent", "s/again")
    good(place, "export", "./s/agent", "events.jsonl")
    lines = [json.loads(line) for line in Path("events.jsonl").read_text().splitlines()]
    assert lines == list(Session.read("s/agent").events)
    assert "neither" in call(place, "export", "./s/agent", "agent.txt").stderr


def test_diff_tells_what_changed(place: Path) -> None:
    done = call(place, "diff", "./s/agent", "--from", "3", "--to", "4")
    assert done.returncode == 1
    assert "- step: 1\n+ step: 2\nEvents: 1 new ones" in done.stdout
    latest = call(place, "diff", "./s/agent")
    assert "- step: 2\n+ step: 3\nRecorded by once:\n+ asked" in latest.stdout
    good(place, "fork", "./s/agent", "./s/fork")
    same = call(place, "diff", "./s/agent", "./s/fork", "--json")
    assert same.returncode == 0
    answer = json.loads(same.stdout)["difference"]
    assert (answer["keys"], answer["events_kept"]) == ([], 3)


def test_diff_sees_one_bit_of_an_array(place: Path) -> None:
    good(place, "fork", "./s/agent", "./s/fork")
    with Session.open("fork", directory="s") as session:
        session["weights"][7] = np.nextafter(7.0, 8.0)
    assert "+ weights:" in call(place, "diff", "./s/agent", "./s/fork").stdout


def damage(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 3] ^= 1
    path.write_bytes(raw)


def test_repair_puts_damaged_files_aside_and_changes_nothing_else(place: Path) -> None:
    for number in (4, 5):
        damage(Path(f"s/agent/g0001-{number:012d}.h5"))
    Path("s/agent/.tmp-0001-ab").write_text("unfinished")
    before = {p.name: p.read_bytes() for p in Path("s/agent").iterdir()}
    dry = good(place, "repair", "./s/agent", "--dry-run")
    assert "3 file(s) to put aside; the session goes on from g0001-000000000003.h5" in dry
    assert {p.name: p.read_bytes() for p in Path("s/agent").iterdir()} == before
    good(place, "repair", "./s/agent")
    aside = {p.name for p in Path("s/agent/quarantine").iterdir()}
    assert aside == {"g0001-000000000004.h5", "g0001-000000000005.h5", "tmp-0001-ab"}
    for name, raw in before.items():
        kept = Path("s/agent", name)
        moved = Path("s/agent/quarantine", name.lstrip("."))
        assert (kept if kept.exists() else moved).read_bytes() == raw
    assert Session.read("s/agent").warnings == ()
    assert state("s/agent")["step"] == 1
    with Session.open("agent", directory="s") as session:
        assert session.once("asked", lambda: "again") == "42", "what was recorded still counts"


def test_repair_makes_nothing_up(place: Path) -> None:
    for path in Path("s/agent").glob("g*.h5"):
        damage(path)
    done = call(place, "repair", "./s/agent")
    assert done.returncode == 69
    assert "nothing to go on from" in done.stderr
    assert not Path("s/agent/quarantine").exists()


def test_prune_keeps_what_later_ones_need(place: Path) -> None:
    dry = json.loads(good(place, "prune", "./s/agent", "--keep", "1", "--dry-run", "--json"))
    assert dry["is_done"] is False
    assert dry["parts_only"] == ["g0001-000000000002.h5"]
    good(place, "prune", "./s/agent", "--keep", "1")
    assert sorted(p.name for p in Path("s/agent").glob("[gp]0*")) == [
        "g0001-000000000005.h5", "p0001-000000000002.h5",
    ]  # fmt: skip
    assert state("s/agent")["weights"].sum() == np.arange(50_000.0).sum()


def test_prune_never_removes_the_newest_that_is_whole(place: Path) -> None:
    for number in (4, 5):
        damage(Path(f"s/agent/g0001-{number:012d}.h5"))
    good(place, "prune", "./s/agent", "--keep", "1")
    assert state("s/agent")["step"] == 1


def test_nothing_is_done_beside_a_live_writer(place: Path) -> None:
    with Session.open("agent", directory="s") as session:
        for argv in (("move", "./s/agent", "./x"), ("repair", "./s/agent"), ("prune", "./s/agent")):
            done = call(place, *argv)
            assert done.returncode == 69
            assert f"is held by process {os.getpid()}" in done.stderr
        good(place, "fork", "./s/agent", "./s/fork")
        session["step"] = 4
    assert state("s/agent")["step"] == 4


def test_show_goes_back_in_time_and_prints_a_conversation(place: Path) -> None:
    assert "  step: 1" in good(place, "show", "./s/agent", "--generation", "3")
    with Session.open("agent", directory="s") as session:
        session.append(
            {
                "role": "assistant",
                "content": [{"type": "text", "text": "long " * 40}],
                "tool_calls": [{"function": {"name": "search", "arguments": '{"q": 1}'}}],
                "tokens": 12,
            }
        )
        session.append({"role": "tool", "name": "sea\x1b[31mrch", "content": None, "text": "a\nb"})
        session.append(3.5)
    shown = good(place, "show", "./s/agent")
    assert "  0  user:\n      question 0\n" in shown
    assert "  3  assistant:\n      long long" in shown
    assert '      calls search({"q": 1})\n      tokens: 12' in shown
    assert "  4  tool (sea\\x1b[31mrch):\n      a\n      b\n  5  3.5" in shown
    assert max(len(line) for line in shown.splitlines()) < 170


def test_listing_reads_no_large_part(place: Path) -> None:
    from cfslurm.adapters.session_survey import look_at

    damage(Path("s/agent/g0001-000000000002.h5"))  # in the middle of its weights
    facts = look_at(Path("s/agent"), None)
    assert (facts.generation, facts.events, facts.problem) == (5, 3, "")
