"""srun: which options has it here?"""

from __future__ import annotations

import re

from cfslurm.core.slurm.answers import checked
from cfslurm.core.slurm.command import Command, Completed

_OPTION = re.compile(r"^ +(--cf-[a-z-]+)\S*\s+\[cfslurm\] ", re.MULTILINE)


def help_command() -> Command:
    """Ask for srun's options; those of SPANK plugins stand among them."""
    return Command(argv=("srun", "--help"), timeout_s=10.0)


def read_plugin_options(done: Completed) -> tuple[str, ...]:
    """The options of cfslurm's SPANK plugin; none where it is not loaded.

    Raises:
        SlurmRejectedError: srun has no help.

    Shape: ``      --cf-run=ID             [cfslurm] the run …``, as in every version of Slurm.
    """
    return tuple(_OPTION.findall(checked(done)))
