"""What is asked for with ``-o`` is written whole, or refused in a sentence."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cfslurm.adapters.files import lines_text
from cfslurm.cli.main import main
from tests.builders import lab


@pytest.mark.parametrize(
    ("place", "why"), [("missing/x.svg", "No such file or directory"), ("file/x.svg", "Not a dir")]
)
def test_a_place_that_cannot_be_written_is_told(
    place: str, why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hardware = tmp_path / "hardware.json"
    hardware.write_text(lines_text(lab()))
    (tmp_path / "file").touch()
    assert main(["topo", "--hardware", str(hardware), "-o", str(tmp_path / place)]) == 2
    told = capsys.readouterr().err
    assert f"{tmp_path / place} cannot be written: {why}" in told
    assert "try: Name another file." in told


def test_a_recorded_cluster_cannot_speak_to_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evil = "lab\x1b]0;x\x07\nfake: ok"
    graph = replace(
        lab(), controller=replace(lab().controller, cluster=evil), backend=evil, warnings=(evil,)
    )
    hardware, other = tmp_path / "evil.json", tmp_path / "good.json"
    hardware.write_text(lines_text(graph))
    other.write_text(lines_text(lab()))
    assert main(["topo", "--hardware", str(hardware)]) == 0
    assert main(["harvest", "--diff", str(other), "--against", str(hardware)]) == 1
    told = capsys.readouterr()
    for text in (told.out, told.err):
        assert "\x1b" not in text
        assert "\nfake" not in text
        assert "lab?]0;x??fake: ok" in text
