from __future__ import annotations

import pytest

from cfslurm.cli.commands import names
from tests.cli.conftest import Call


def test_help_names_every_command_and_fits_a_screen(cfslurm: Call) -> None:
    done = cfslurm("--help")
    assert done.returncode == 0
    assert all(f"  {name} " in done.stdout for name in names())
    assert len(done.stdout.splitlines()) <= 45


@pytest.mark.parametrize("name", names())
def test_every_command_has_help_with_an_example(cfslurm: Call, name: str) -> None:
    done = cfslurm(name, "-h")
    assert done.returncode == 0, done.stderr
    assert f"cfslurm {name}" in done.stdout


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("sumbit",), "Did you mean 'submit'?"),
        (("submit",), "Missing argument 'FILE'"),
        (("plan", "--al"), "No such option"),
        (("schema", "workflo"), "is not one of"),
    ],
)
def test_wrong_usage_is_exit_2(cfslurm: Call, argv: tuple[str, ...], said: str) -> None:
    done = cfslurm(*argv)
    assert done.returncode == 2
    assert said in done.stderr


def test_version_is_a_constant(cfslurm: Call) -> None:
    assert cfslurm("--version").stdout.startswith("cfslurm 0.")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_static_and_knows_all_commands(cfslurm: Call, shell: str) -> None:
    done = cfslurm("completion", shell)
    assert done.returncode == 0
    assert all(name in done.stdout for name in names())
    assert "_CFSLURM_COMPLETE" not in done.stdout  # how click would call us at every TAB


def test_bash_completes_commands_options_and_subcommands(cfslurm: Call) -> None:
    import subprocess

    script = cfslurm("completion", "bash").stdout
    probe = (
        f"{script}\n"
        'try() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _cfslurm; echo "${COMPREPLY[*]}"; }\n'
        "try cfslurm su; try cfslurm submit --dry; try cfslurm sandbox d; try cfslurm schema wo\n"
    )
    done = subprocess.run(["bash", "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["submit", "--dry-run", "down", "workflow"]


def test_pipe_that_closes_early_is_no_error(cfslurm: Call) -> None:
    import subprocess
    import sys

    command = f"{sys.executable} -I -m cfslurm.cli schema plan | head -1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
