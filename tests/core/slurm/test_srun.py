"""srun --help: the options of SPANK plugins, as Slurm prints them."""

from __future__ import annotations

from cfslurm.core.slurm import srun
from cfslurm.core.slurm.command import Completed

# The end of `srun --help` of Slurm 22.05.8 with two plugins.
WITH_PLUGINS = """\
Help options:
  -h, --help                  show this help message
      --usage                 display brief usage message

Other options:
  -V, --version               output version information and exit

Options provided by plugins:
      --cf-model=REPO[@VARIANT,...]
                              [cfslurm] set the model's path
      --cf-run=ID             [cfslurm] the run that the job belongs to
      --container-image=IMAGE [pyxis] the image, not [cfslurm]'s
"""


def _answer(text: str) -> Completed:
    return Completed(command=srun.help_command(), returncode=0, stdout=text, stderr="")


def test_options_of_the_plugin_are_found_also_where_the_help_is_wrapped() -> None:
    assert srun.read_plugin_options(_answer(WITH_PLUGINS)) == ("--cf-model", "--cf-run")


def test_help_without_the_plugin_has_none() -> None:
    plain = "\n".join(line for line in WITH_PLUGINS.splitlines() if "cf" not in line)
    assert srun.read_plugin_options(_answer(plain)) == ()
