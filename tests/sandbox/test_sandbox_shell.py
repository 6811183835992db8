"""The lines of `cfslurm sandbox env` mean the same in the shells that read them."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from cfslurm.sandbox import shell

_VARIABLES = {"A": '/home/it\'s "so" $HOME `id`\\n', "B": "plain"}
_SHOW = 'printf "%s|%s|%s" "$A" "$B" "$SLURM_CLUSTERS"'


def _run(program: str, script: str) -> str:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    done = subprocess.run(
        [program, "-c", script], env={"SLURM_CLUSTERS": "other", "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout


@pytest.mark.parametrize("program", ["sh", "bash", "zsh"])
def test_posix_shell_gets_the_values_as_they_are(program: str) -> None:
    lines = shell.exports(_VARIABLES, inherited={"SLURM_CLUSTERS": "other"})
    assert _run(program, f"{lines}\n{_SHOW}") == f"{_VARIABLES['A']}|plain|"


def test_fish_gets_the_values_as_they_are() -> None:
    lines = shell.fish_exports(_VARIABLES, inherited={"SLURM_CLUSTERS": "other"})
    assert _run("fish", f"{lines}\n{_SHOW}") == f"{_VARIABLES['A']}|plain|"


def test_unset_takes_them_away_again() -> None:
    lines = f"{shell.exports(_VARIABLES, inherited={})}\n{shell.unsets(_VARIABLES)}"
    assert _run("sh", f"{lines}\n{_SHOW}") == "||other"


def test_fish_unset_takes_them_away_again() -> None:
    lines = f"{shell.fish_exports(_VARIABLES, inherited={})}\n{shell.fish_unsets(_VARIABLES)}"
    assert _run("fish", f"{lines}\n{_SHOW}") == "||other"


def test_slurm_clusters_is_only_unset_where_it_was_set() -> None:
    assert "SLURM_CLUSTERS" not in shell.exports(_VARIABLES, inherited={})
    assert "SLURM_CLUSTERS" not in shell.fish_exports(_VARIABLES, inherited={})
