"""Bad input at the command line: exit 2, file:line:column, reason, remedy, and nothing done."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Call

HEAD = "schema: cfslurm.workflow/1\nname: w\n"


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        (f"{HEAD}tasks: {{t: {{command: [a], gpu: 1}}}}\n", "w.yaml:3:27", "unknown key 'gpu'"),
        (f"{HEAD}tasks:\n  t: {{command: [a]}}\n  t: {{command: [b]}}\n", "w.yaml:5:3", "stands here twice"),
        (f"{HEAD}tasks: {{t: {{command: [a], time: 90}}}}\n", "w.yaml:3:27", "without a unit"),
        (f"{HEAD}tasks: {{a: {{command: [a], needs: [b]}}, b: {{command: [b], needs: [a]}}}}\n", "w.yaml:3:27", "circle: a → b → a"),
        (f"{HEAD}tasks: {{t: {{command: [a], model: m}}}}\n", "w.yaml:3:27", "no model 'm'"),
        (f"{HEAD}tasks: {{t: {{command: [a], needs: [x]}}}}\n", "w.yaml:3:27", "no task or gang 'x'"),
        (f"{HEAD}tasks: {{t: {{command: [a], array: {{values: []}}}}}}\n", "w.yaml:3:35", "the array is empty"),
        ("name: 'a b'\ntasks: {t: {command: [a]}}\n", "w.yaml:1:1", "cannot be the name"),
        ("name: \"a\\n#SBATCH --uid=0\"\ntasks: {t: {command: [a]}}\n", "w.yaml:1:1", "cannot be the name"),
        ("name: $(id)\ntasks: {t: {command: [a]}}\n", "w.yaml:1:1", "cannot be the name"),
        ("name: a;b\ntasks: {t: {command: [a]}}\n", "w.yaml:1:1", "cannot be the name"),
        ("name: größe\ntasks: {t: {command: [a]}}\n", "w.yaml:1:1", "cannot be the name"),
        ("a: &a [x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
         "d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\n"
         "f: [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\n", "w.yaml:", "aliases expanded"),
        ("x" * 10_000_000, "w.yaml", "more than 1048576"),
        ("", "w.yaml", "the file is empty"),
    ],
)  # fmt: skip
def test_mistake_has_a_place_a_reason_and_a_remedy(
    cfslurm: Call, tmp_path: Path, text: str, place: str, said: str
) -> None:
    (tmp_path / "w.yaml").write_text(text)
    for command in ("validate", "plan", "submit"):
        done = cfslurm(command, "w.yaml")
        assert done.returncode == 2, done.stderr
        assert place in done.stderr
        assert said in done.stderr
        assert "try: " in done.stderr
    assert not (tmp_path / "runs").exists()


def test_missing_file_of_items_is_named(cfslurm: Call, tmp_path: Path) -> None:
    (tmp_path / "w.yaml").write_text(
        f"{HEAD}tasks: {{t: {{command: [a], array: {{file: items.txt}}}}}}\n"
    )
    done = cfslurm("validate", "w.yaml")
    assert done.returncode == 2
    assert f"cannot read {tmp_path}/items.txt" in done.stderr
    (tmp_path / "items.txt").write_text("\n\n")
    assert "holds no item" in cfslurm("validate", "w.yaml").stderr
    (tmp_path / "items.txt").write_bytes(b"a\xffb\n")
    assert "no UTF-8" in cfslurm("validate", "w.yaml").stderr


def test_sound_workflow(cfslurm: Call, tmp_path: Path) -> None:
    (tmp_path / "w.yaml").write_text(
        f"{HEAD}tasks: {{t: {{command: [a], array: {{range: 0-9}}}}}}\n"
    )
    done = cfslurm("validate", "w.yaml")
    assert (done.returncode, done.stdout) == (0, "w.yaml: ok: w: t (10 items)\n")


def test_no_slurm_here_is_said_with_the_next_step(cfslurm: Call, tmp_path: Path) -> None:
    (tmp_path / "w.yaml").write_text(f"{HEAD}tasks: {{t: {{command: [a]}}}}\n")
    done = cfslurm("submit", "w.yaml", PATH="/nonexistent")
    assert done.returncode == 69
    assert "scontrol is not on PATH" in done.stderr
    assert "try: Load Slurm's client programs" in done.stderr


@pytest.mark.parametrize("template", ["hello", "evaluate", "agents"])
def test_init_writes_a_workflow_that_is_sound_and_overwrites_nothing(
    cfslurm: Call, tmp_path: Path, template: str
) -> None:
    done = cfslurm("init", "study", "--template", template)
    assert done.returncode == 0, done.stderr
    assert cfslurm("validate", "study/workflow.yaml").returncode == 0
    again = cfslurm("init", "study", "--template", template)
    assert again.returncode == 2
    assert "already has" in again.stderr
