"""Ledgers on a disk: whose they are, and what happens to damaged ones."""

from __future__ import annotations

import os
import pwd
from dataclasses import replace
from pathlib import Path

import pytest

from cfslurm.adapters.calibration_file import CalibrationFiles
from cfslurm.core.models.calibration_lines import line_of
from tests.core.models.test_calibration import ONE

ME = pwd.getpwuid(os.getuid()).pw_name
MINE = replace(ONE, user=ME)


@pytest.fixture
def files(tmp_path: Path) -> CalibrationFiles:
    shared = tmp_path / "shared"
    shared.mkdir()
    return CalibrationFiles(
        user=ME, uid=os.getuid(), own=tmp_path / "state" / "own.jsonl", shared=shared
    )


def test_what_was_written_is_read(files: CalibrationFiles) -> None:
    assert files.read() == ((), 0)
    files.append([MINE])
    files.append([replace(MINE, run="w-2")])
    assert [o.run for o in files.read()[0]] == ["w-1", "w-2"]
    assert files.own.stat().st_mode & 0o777 == 0o600


def test_the_same_run_again_adds_nothing(files: CalibrationFiles) -> None:
    files.append([MINE])
    files.append([MINE])
    assert files.read() == ((MINE,), 0)


def test_others_are_heard_from_the_shared_folder(files: CalibrationFiles) -> None:
    if os.getuid() != 0:
        pytest.skip("needs root: a file of another user")
    other = pwd.getpwnam("nobody")
    assert files.shared is not None
    theirs = files.shared / "nobody.jsonl"
    theirs.write_text(line_of(replace(ONE, user="nobody")))
    assert files.read() == ((), 0), "a file of mine that bears another user's name"
    os.chown(theirs, other.pw_uid, other.pw_gid)
    assert [o.user for o in files.read()[0]] == ["nobody"]


def test_a_link_is_not_followed(files: CalibrationFiles, tmp_path: Path) -> None:
    real = tmp_path / "real.jsonl"
    real.write_text(line_of(MINE))
    files.own.parent.mkdir()
    files.own.symlink_to(real)
    assert files.read() == ((), 0)
    with pytest.raises(OSError, match="symbolic links"):
        files.append([MINE])


def test_a_pipe_does_not_block(files: CalibrationFiles) -> None:
    files.own.parent.mkdir()
    os.mkfifo(files.own)
    assert files.read() == ((), 0)


def test_only_the_newest_megabyte_is_read(files: CalibrationFiles) -> None:
    files.own.parent.mkdir()
    old = line_of(replace(MINE, run="old"))
    filling = line_of(replace(MINE, run="filling")) * 8000
    files.own.write_text(old + filling + line_of(replace(MINE, run="new")))
    found, refused = files.read()
    assert [o.run for o in found] == ["filling", "new"]
    assert refused == 0


def test_a_torn_last_line_costs_itself_only(files: CalibrationFiles) -> None:
    files.append([MINE])
    with files.own.open("a") as file:
        file.write(line_of(replace(MINE, run="torn"))[:60])
    assert files.read() == ((MINE,), 1)


def test_without_a_shared_folder_only_ones_own_is_read(files: CalibrationFiles) -> None:
    alone = replace(files, shared=None)
    alone.append([MINE])
    gone = replace(files, shared=files.own / "no-folder")
    assert alone.read() == gone.read() == ((MINE,), 0)


def test_files_that_bear_other_names_keep_nobody_out(files: CalibrationFiles) -> None:
    if os.getuid() != 0:
        pytest.skip("needs root: a file of another user")
    assert files.shared is not None
    for number in range(300):
        (files.shared / f"a{number}.jsonl").touch()
    theirs = files.shared / "nobody.jsonl"
    theirs.write_text(line_of(replace(ONE, user="nobody")))
    os.chown(theirs, pwd.getpwnam("nobody").pw_uid, -1)
    assert [o.user for o in files.read()[0]] == ["nobody"]
