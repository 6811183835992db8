from __future__ import annotations

from pathlib import Path

import pytest

from cfslurm.adapters.process import client_environment, run
from cfslurm.core.slurm.command import Command
from cfslurm.errors import SetupError, SlurmUnavailableError


def test_non_zero_exit_is_a_value() -> None:
    done = run(Command(argv=("sh", "-c", "echo out; echo err >&2; exit 3")))
    assert (done.returncode, done.stdout, done.stderr) == (3, "out\n", "err\n")


def test_words_reach_the_program_as_they_are(weird_path: Path) -> None:
    done = run(Command(argv=("printf", "%s", f"$(x) {weird_path}"), directory=str(weird_path)))
    assert done.stdout == f"$(x) {weird_path}"


def test_missing_program_names_it() -> None:
    with pytest.raises(SetupError, match="no-such-program is not on PATH"):
        run(Command(argv=("no-such-program",)))


def test_missing_program_names_it_also_where_a_folder_of_path_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "no-such-program").write_text("")  # there, and not to be executed
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SetupError, match="no-such-program is not on PATH, or may not be executed"):
        run(Command(argv=("no-such-program",)))


def test_program_that_hangs_is_ended() -> None:
    with pytest.raises(SlurmUnavailableError, match=r"sleep gave no answer within 0\.1 s"):
        run(Command(argv=("sleep", "60"), timeout_s=0.1))


def test_output_that_is_no_utf_8_does_not_break_the_reader() -> None:
    assert run(Command(argv=("printf", r"a\377b"))).stdout == "a\ufffdb"


def test_users_own_slurm_options_do_not_reach_slurm(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SQUEUE_FORMAT", "SBATCH_TIMELIMIT", "SLURM_JOB_ID", "SLURM_TIME_FORMAT"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("SLURM_CONF", "/etc/slurm.conf")
    environment = client_environment({"SLURM_TIME_FORMAT": "%s"})
    assert {
        k: v for k, v in environment.items() if k.startswith(("SQUEUE", "SBATCH", "SLURM"))
    } == {
        "SLURM_CONF": "/etc/slurm.conf",
        "SLURM_TIME_FORMAT": "%s",
    }


def test_named_variables_only_are_inherited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    assert client_environment({"A": "1"}, inherit=("HOME", "NOT_SET")).keys() == {"HOME", "A"}
