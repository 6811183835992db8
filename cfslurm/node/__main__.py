"""``python -I -m cfslurm.node array|gang|component``: what a batch script starts."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from cfslurm.adapters.clock import SystemClock
from cfslurm.adapters.environment import read_environment
from cfslurm.errors import BUG, CfslurmError, UserInputError

_OPTIONS = {
    "array": ("run", "entry", "job"),
    "gang": ("run", "entry", "job"),
    "component": ("run", "entry", "job", "name"),
}


def main(arguments: Sequence[str]) -> int:
    """Run one part of a run; the exit code for Slurm."""
    try:
        return _dispatch(arguments)
    except CfslurmError as error:
        sys.stderr.write(f"cfslurm: {error.message}\n  try: {error.remedy}\n")
        return error.exit_code
    except Exception:  # noqa: BLE001 - the outermost frame: a bug must not look like an answer
        traceback.print_exc()
        return BUG


def _dispatch(arguments: Sequence[str]) -> int:
    role, options = _parse(arguments)
    environment, clock = read_environment(), SystemClock()
    run, entry, job_key = Path(options["run"]), options["entry"], options["job"]
    if role == "array":
        from cfslurm.node.array import run_array_task

        return run_array_task(
            run, entry=entry, job_key=job_key, environment=environment, clock=clock
        )
    if role == "gang":
        from cfslurm.node.gang import run_gang

        return run_gang(run, entry=entry, job_key=job_key, environment=environment, clock=clock)
    from cfslurm.node.component import run_component

    return run_component(
        run,
        entry=entry,
        job_key=job_key,
        name=options["name"],
        environment=environment,
        clock=clock,
    )


def _parse(arguments: Sequence[str]) -> tuple[str, dict[str, str]]:
    """``ROLE --key value …``; argparse would cost every task 60 files more."""
    role = arguments[0] if arguments else ""
    wanted = _OPTIONS.get(role, ())
    pairs = dict(zip(arguments[1::2], arguments[2::2], strict=False))
    if not wanted or set(pairs) != {f"--{key}" for key in wanted}:
        raise UserInputError(
            f"cfslurm.node cannot be called with {list(arguments)!r}",
            remedy="Batch scripts call it; `cfslurm submit` writes them.",
        )
    return role, {key: pairs[f"--{key}"] for key in wanted}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
