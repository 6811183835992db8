"""`cfslurm site render` and `sandbox up --files` on the command line: what is asked, refused and written."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from cfslurm.adapters.site_folder import read_rendered
from cfslurm.cli.main import main
from cfslurm.errors import UserInputError

_DESCRIBED = ("site", "render", "--describe", "kinds")


def _written(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()} if folder.exists() else {}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (_DESCRIBED, "for which Slurm is not said"),
        ((*_DESCRIBED, "--slurm-version", "24"), "'24' is no version of Slurm"),
        ((*_DESCRIBED, "--slurm-version", "20.11"), "Slurm 20.11 knows no MIG instances"),
        (("site", "render", "--describe", "kindz"), "there is no profile 'kindz'"),
        (("sandbox", "up", "--files", "."), "has no nodes.conf"),
    ],
)
def test_what_cannot_be_rendered_is_refused_in_a_sentence(
    words: Sequence[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([*words]) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_description_and_a_harvest_exclude_each_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "hardware.json"
    file.write_text("{}")
    assert main([*_DESCRIBED, "--hardware", str(file)]) == 2
    assert "both say what the nodes are" in capsys.readouterr().err


def test_files_are_printed_without_a_folder(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*_DESCRIBED, "--slurm-version", "24.11.5"]) == 0
    text = capsys.readouterr().out
    heads = ("nodes", "partitions", "gres", "topology", "cgroup")
    assert [f"# {name}.conf: " in text for name in heads] == [True] * 5


def test_json_names_what_is_to_be_checked(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*_DESCRIBED, "--slurm-version", "26.05", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    files = {file["name"]: file for file in answer["files"]}
    assert answer["slurm_version"] == "26.05"
    assert "topology.yaml" in files
    assert len(files["gres.conf"]["to_check"]) >= 8
    assert files["cgroup.conf"]["to_check"] == []


def test_a_folder_is_written_once_and_again_only_by_force(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "deep" / "slurm"
    words = [*_DESCRIBED, "--slurm-version", "24.11", "-o", str(folder)]
    assert main([*words, "--dry-run"]) == 0
    assert _written(folder) == {}
    assert main(words) == 0
    first = _written(folder)
    assert main(words) == 0  # the same again is no change
    dated = folder / "gres.conf"
    dated.write_text("# gres.conf: made yesterday\n" + dated.read_text().partition("\n")[2])
    assert main(words) == 0  # and stays as it is where only its first line is of another day
    assert dated.read_text().startswith("# gres.conf: made yesterday\n")
    dated.write_text(first["gres.conf"])
    (folder / "nodes.conf").write_text("NodeName=mine\n")
    assert main([*words, "--autodetect"]) == 2
    assert "gres.conf, " not in capsys.readouterr().out
    assert _written(folder) == {**first, "nodes.conf": "NodeName=mine\n"}
    assert main([*words, "--force"]) == 0
    assert _written(folder) == first


def test_rendered_files_are_read_back(tmp_path: Path) -> None:
    assert main([*_DESCRIBED, "--slurm-version", "24.11", "-o", str(tmp_path)]) == 0
    assert set(read_rendered(tmp_path)) == {
        "nodes.conf", "partitions.conf", "gres.conf", "topology.conf",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("nodes.conf", "Prolog=/tmp/evil"),
        ("nodes.conf", "Include /etc/passwd"),
        ("partitions.conf", "NodeName=n1"),
        ("gres.conf", "Include x"),
        ("topology.conf", "PluginDir=/tmp"),
    ],
)
def test_a_line_that_nobody_renders_never_reaches_a_sandbox(
    name: str, line: str, tmp_path: Path
) -> None:
    assert main([*_DESCRIBED, "--slurm-version", "24.11", "-o", str(tmp_path)]) == 0
    with (tmp_path / name).open("a") as file:
        file.write(f"{line}\n")
    with pytest.raises(UserInputError, match="is not what `cfslurm site render` writes"):
        read_rendered(tmp_path)
