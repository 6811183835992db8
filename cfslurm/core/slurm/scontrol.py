"""scontrol: slurmctld's own settings, and what it is told to do with a job.

Nodes, partitions, topology and reservations have files of their own beside this one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from cfslurm.core.slurm.answers import checked, command_text
from cfslurm.core.slurm.command import Command, Completed
from cfslurm.errors import SlurmOutputError

_PROGRAM = "scontrol"


def config_command() -> Command:
    """The settings of slurmctld as text; ``--json`` exists for them from 26.05 only."""
    return Command(argv=(_PROGRAM, "show", "config"))


def read_config(done: Completed) -> dict[str, str]:
    """Read the answer to `config_command`: the first block's ``Key = value`` lines.

    Raises:
        SlurmUnavailableError: slurmctld did not answer.
        SlurmOutputError: the answer is cut off, or is none of scontrol's.
    """
    settings: dict[str, str] = {}
    for line in checked(done).splitlines():
        match = re.fullmatch(r"([A-Za-z][A-Za-z0-9_]*)\s+=\s?(.*)", line)
        if match:
            settings.setdefault(match.group(1), match.group(2).strip())
    for key in ("ClusterName", "SLURM_VERSION"):
        if not settings.get(key):
            raise SlurmOutputError(
                f"`{command_text(done.command)}` printed no {key}; it begins {done.stdout[:80]!r}",
                remedy="Run it by hand: it should list every setting of slurmctld. An answer that is "
                "cut off or comes from another program cannot be used.",
            )
    return settings


def version_of(settings: Mapping[str, str]) -> tuple[int, ...]:
    """Slurm's version in the settings that `read_config` read: ``24.11.5`` is (24, 11, 5)."""
    return tuple(int(part) for part in re.findall(r"\d+", settings["SLURM_VERSION"])[:3])


def release_command(job_id: str) -> Command:
    """Let a held job go; for a het job the leader's id stands for all components."""
    return Command(argv=(_PROGRAM, "release", job_id))
