"""Sessions of earlier formats are read, and go on in the present one."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cfslurm import Session
from cfslurm.adapters import session_apart
from cfslurm.adapters.session_load import read_head
from cfslurm.core.session.layout import VERSION, Damage
from cfslurm.core.slurm.command import Command, Completed
from cfslurm.errors import SessionError

CORPUS = Path(__file__).parents[1] / "corpus"
EARLIER = [1]


@pytest.fixture(params=EARLIER)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return Path(shutil.copytree(CORPUS / f"session-{request.param}", tmp_path / "coder"))


def test_no_version_is_left_out() -> None:
    assert [*EARLIER, VERSION] == list(range(1, VERSION + 1))


def test_an_earlier_version_is_read(folder: Path) -> None:
    found = Session.read(folder)
    assert (found.name, found.epoch, found.generation, found.warnings) == ("coder", 1, 2, ())
    assert found.writer.startswith("cfslurm ")
    state = dict(found.state)
    assert state["weights"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert state["layers"]["a/b"][0].dtype == np.dtype(">i8")
    assert state["layers"]["a/b"][1] == bytes(5000)
    assert state["layers"]["names"].tolist() == ["ada", "é"]
    assert state["long"].tolist() == list(range(10000))
    assert (state["big"], state["pair"], state["$odd"]) == (2**70, (1, None), float("inf"))
    assert [event["role"] for event in found.events] == ["user", "assistant"]
    assert dict(found.steps) == {"ask": {"answer": (1, 2)}}


def test_an_earlier_version_goes_on(folder: Path) -> None:
    with Session.open("coder", directory=folder.parent) as session:
        assert session.once("ask", lambda: 1) == {"answer": (1, 2)}
        generator = random.Random(9)
        session.register_rng("r", generator)
        assert generator.random() == random.Random(1).random()
        session.append({"role": "user"})
        session["step"] += 1
    found = Session.read(folder)
    assert (found.generation, found.state["step"], len(found.events)) == (4, 8, 3)
    versions = []
    for path in sorted(folder.glob("g*.h5")):
        head = read_head(path)
        assert not isinstance(head, Damage)
        versions.append(head.trailer.version)
    assert versions == [1, VERSION, VERSION]


def test_a_damaged_earlier_version_is_noticed(folder: Path) -> None:
    path = folder / "g0001-000000000002.h5"
    whole = bytearray(path.read_bytes())
    for position in range(0, len(whole), 499):
        whole[position] ^= 4
        path.write_bytes(whole)
        assert isinstance(read_head(path), Damage)
        whole[position] ^= 4


@pytest.mark.parametrize(
    ("returncode", "stdout", "reason"),
    [
        (-6, "", "it died of SIGABRT"),
        (1, "", "HDF5 cannot read it"),
        (0, "[]", "HDF5 cannot read it"),
    ],
)
def test_hdf5_that_dies_of_a_file_of_version_1_makes_it_a_damaged_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch, returncode: int, stdout: str, reason: str
) -> None:
    def run(command: Command) -> Completed:
        return Completed(command=command, returncode=returncode, stdout=stdout, stderr="free()")

    monkeypatch.setattr(session_apart, "run", run)
    found = read_head(folder / "g0001-000000000002.h5")
    assert isinstance(found, Damage)
    assert reason in found.reason


def test_who_reads_version_1_with_hdf5_can_open_no_file(folder: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from cfslurm.adapters import session_apart\n"
        "raw = Path(sys.argv[1]).read_bytes()[:-64]\n"
        "print(sorted(session_apart._answer(raw)))\n"
        "open('/etc/passwd')"
    )
    argv = [sys.executable, "-c", code, str(folder / "g0001-000000000002.h5")]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.stdout == "['datasets', 'numbers', 'texts']\n"
    assert "Too many open files" in done.stderr


def test_a_large_file_of_version_1_is_refused(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    monkeypatch.setattr(session_apart, "_MOST_BYTES", 1000)
    with pytest.raises(SessionError, match="in the form of version 1"):
        read_head(folder / "g0001-000000000002.h5")
