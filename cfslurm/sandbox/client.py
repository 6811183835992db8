"""Ask a sandbox' Slurm, whatever Slurm the caller's environment points to."""

from __future__ import annotations

from dataclasses import replace

from cfslurm.adapters import process
from cfslurm.core.slurm.answers import meaningful
from cfslurm.core.slurm.command import Command, Completed
from cfslurm.core.slurm.records import NodeRecord
from cfslurm.core.slurm.scontrol_nodes import nodes_command, read_nodes
from cfslurm.errors import SetupError, SlurmError
from cfslurm.sandbox.folder import Layout

_USABLE = frozenset({"IDLE", "MIXED", "ALLOCATED"})


def call(layout: Layout, command: Command) -> Completed:
    """Run one of Slurm's programs against this sandbox.

    A SLURM_CLUSTERS of the caller would send the question to another cluster, and an empty one is
    refused: only env(1) takes it away.
    """
    environment = {**command.environment, "SLURM_CONF": str(layout.slurm_conf)}
    argv = ("env", "-u", "SLURM_CLUSTERS", *command.argv)
    done = process.run(replace(command, argv=argv, environment=environment))
    return replace(done, command=command)


def must(done: Completed) -> None:
    """Go on only if a call has worked.

    Raises:
        SetupError: it has not; the message is the program's own.
    """
    if done.returncode != 0:
        said = meaningful(done.stderr) or meaningful(done.stdout) or "no message"
        raise SetupError(
            f"{done.command.argv[0]} of the sandbox exited {done.returncode}: {said}",
            remedy="`cfslurm sandbox status` shows which daemons run.",
        )


def nodes(layout: Layout) -> tuple[NodeRecord, ...]:
    """All nodes as slurmctld sees them; none while it does not answer."""
    try:
        return read_nodes(call(layout, nodes_command()))
    except SlurmError:
        return ()


def are_usable(layout: Layout, names: frozenset[str]) -> bool:
    """True once all these nodes take jobs."""
    usable = {
        record.name
        for record in nodes(layout)
        if record.state in _USABLE and not record.state_flags
    }
    return names <= usable
