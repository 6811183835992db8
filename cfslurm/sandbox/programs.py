"""The programs a sandbox is made of: they come from the distribution's packages."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from cfslurm.adapters import process
from cfslurm.core.slurm.command import Command
from cfslurm.errors import SetupError

SLURM = ("munged", "slurmctld", "slurmd", "scontrol", "sbatch", "srun", "squeue")
ACCOUNTING = ("slurmdbd", "sacctmgr", "mariadbd", "mariadb-install-db")
OLDEST = (22, 5)

_INSTALL_SLURM = (
    "Install them once: `sudo apt-get install -y slurmctld slurmd slurm-client munge` (Debian, "
    "Ubuntu) or `sudo dnf install -y slurm-slurmctld slurm-slurmd slurm munge` (Fedora, EPEL). "
    "Their services need not run: a sandbox starts its own copies as you, on ports of its own."
)
_INSTALL_ACCOUNTING = (
    "Install them once: `sudo apt-get install -y slurmdbd mariadb-server` (Debian, Ubuntu) or "
    "`sudo dnf install -y slurm-slurmdbd mariadb-server` (Fedora, EPEL). Their services need not "
    "run. Or leave --accounting out."
)


def find_programs(*, accounting: bool) -> dict[str, Path]:
    """Where the programs lie.

    Raises:
        SetupError: some are not installed.
    """
    found = _find(SLURM, "Slurm's programs", _INSTALL_SLURM)
    if accounting:
        found |= _find(ACCOUNTING, "the programs for accounting", _INSTALL_ACCOUNTING)
    return found


def _find(names: tuple[str, ...], what: str, remedy: str) -> dict[str, Path]:
    paths = {name: process.which(name) for name in names}
    missing = [name for name, path in paths.items() if path is None]
    if missing:
        raise SetupError(f"{what} are not installed: {', '.join(missing)}", remedy=remedy)
    return {name: path for name, path in paths.items() if path is not None}


def slurm_version(programs: Mapping[str, Path]) -> tuple[str, tuple[int, int]]:
    """Slurm's version as text and as (major, minor).

    Raises:
        SetupError: slurmctld does not say it, or it is too old.
    """
    done = process.run(Command(argv=(str(programs["slurmctld"]), "-V"), timeout_s=10.0))
    match = re.search(r"(\d+)\.(\d+)\.\d+\S*", done.stdout)
    if match is None:
        raise SetupError(
            f"slurmctld does not say its version: {(done.stdout + done.stderr).strip()[:120]!r}",
            remedy=f"Run `{programs['slurmctld']} -V` by hand.",
        )
    version = (int(match[1]), int(match[2]))
    if version < OLDEST:
        raise SetupError(
            f"Slurm {match[0]} is too old for a sandbox",
            remedy="Install Slurm 22.05 or newer, for example in a container of Debian 12.",
        )
    return match[0], version
