"""scancel: end jobs."""

from __future__ import annotations

from collections.abc import Collection

from cfslurm.core.slurm.command import Command


def cancel_command(job_ids: Collection[str]) -> Command:
    """End some jobs; ids that are gone already are no error to Slurm's ``--quiet``.

    Shape: ``12`` ends a whole array or het job, ``12_3`` one array task.
    """
    return Command(argv=("scancel", "--quiet", *sorted(job_ids)))
