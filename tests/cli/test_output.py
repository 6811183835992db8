"""What is asked for with ``-o`` is written whole, or refused in a sentence."""

from __future__ import annotations

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
