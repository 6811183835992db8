"""What a sandbox is doing: its daemons, its nodes, its jobs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from cfslurm.core.slurm import squeue
from cfslurm.core.slurm.records import NodeRecord
from cfslurm.core.slurm.squeue import QueuedJob
from cfslurm.errors import SetupError, SlurmError
from cfslurm.sandbox import client
from cfslurm.sandbox.daemons import port_answers
from cfslurm.sandbox.processes import boot_id, is_running
from cfslurm.sandbox.state import Daemon, State, read_state


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonStatus:
    """A daemon, and whether its process still runs."""

    daemon: Daemon
    runs: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """A sandbox; nodes and jobs are empty where slurmctld does not answer."""

    state: State
    daemons: tuple[DaemonStatus, ...]
    nodes: tuple[NodeRecord, ...]
    jobs: tuple[QueuedJob, ...]

    @property
    def is_up(self) -> bool:
        """True if slurmctld answers."""
        return bool(self.nodes)


def required(place: Path, *, options: str = "") -> State:
    """The state of a sandbox that must be there; ``options`` are those that name it on a command line.

    Raises:
        SetupError: there is none.
    """
    state = read_state(place)
    if state is None:
        raise SetupError(
            f"there is no sandbox in {place}",
            remedy=f"Start one: `cfslurm sandbox up{options}`.",
        )
    return state


def look(state: State) -> Status:
    """Look at a sandbox without changing anything."""
    same_boot = state.boot_id == boot_id()
    daemons = tuple(
        DaemonStatus(daemon=daemon, runs=same_boot and is_running(daemon.process))
        for daemon in state.daemons
    )
    # Without this look at the port, scontrol would try for ten seconds to reach a dead slurmctld.
    answers = any(one.runs for one in daemons) and port_answers(state.slurmctld_port)
    nodes = client.nodes(state.layout) if answers else ()
    return Status(state=state, daemons=daemons, nodes=nodes, jobs=_jobs(state) if nodes else ())


def _jobs(state: State) -> tuple[QueuedJob, ...]:
    """Everybody's jobs that wait or run."""
    mine = squeue.user_jobs_command(state.user)
    argv = tuple(word for word in mine.argv if not word.startswith("--user="))
    try:
        return squeue.read_jobs(client.call(state.layout, replace(mine, argv=argv)))
    except SlurmError:
        return ()
