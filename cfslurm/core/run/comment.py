"""The comment that every job of ours carries: ``cfslurm:run=ID,job=KEY``."""

from __future__ import annotations

import re

_COMMENT = re.compile(r"cfslurm:run=([A-Za-z0-9._-]+),job=([A-Za-z0-9._-]+)")


def comment_of(run_id: str, job_key: str) -> str:
    """The comment for a job."""
    return f"cfslurm:run={run_id},job={job_key}"


def run_of(comment: str) -> str:
    """The run that a job belongs to; "" if it is none of ours.

    >>> run_of("cfslurm:run=lab-1f,job=eval")
    'lab-1f'
    """
    match = _COMMENT.fullmatch(comment)
    return match[1] if match else ""
