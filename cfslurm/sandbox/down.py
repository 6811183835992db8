"""End a sandbox: its own processes, and nobody else's; then its folder."""

from __future__ import annotations

from pathlib import Path

from cfslurm.adapters.environment import Environment
from cfslurm.errors import SetupError, UserInputError
from cfslurm.ports import Clock
from cfslurm.sandbox import folder, processes
from cfslurm.sandbox.daemons import NODE_MARK
from cfslurm.sandbox.processes import Process
from cfslurm.sandbox.state import DAEMON_MARK, State, read_state

_END_S = 20.0
_DAEMONS = ("slurmctld", "slurmd", "slurmstepd", "slurmdbd")


def down(place: Path, *, environment: Environment, clock: Clock) -> State | None:
    """End the sandbox in a folder and delete it; None if there is none.

    Works for a running one, and for what a crash or a restart of the machine has left of one.

    Raises:
        UserInputError: there is something else in the folder.
        SetupError: it runs on another host, or a process does not end.
    """
    if not folder.is_sandbox(place):
        if place.is_symlink() or place.is_file() or (place.is_dir() and any(place.iterdir())):
            raise UserInputError(
                f"{place} is not a sandbox, so it is left as it is",
                remedy="`cfslurm sandbox status` says where your sandbox is.",
            )
        return None
    with folder.locked(place):
        state = read_state(place)
        if state is None:  # another `down` was faster
            return None
        refuse_strangers(state, environment)
        end_processes(state, clock=clock)
        erase(state)
    return state


def refuse_strangers(state: State, environment: Environment) -> None:
    """Only its owner changes a sandbox: its state file says which processes to end.

    That goes for root too, who would otherwise end whatever somebody else has written there.

    Raises:
        SetupError: it belongs to another user, or another host.
    """
    refuse_other_host(state, environment)
    if state.layout.folder.stat().st_uid != environment.uid:
        raise SetupError(
            f"the sandbox in {state.folder} belongs to {state.user}",
            remedy=f"Run the same command as {state.user}, or use one of your own: --name NAME.",
        )


def refuse_other_host(state: State, environment: Environment) -> None:
    """A folder that several hosts see belongs to the host whose processes it lists.

    Raises:
        SetupError: that is another one.
    """
    if state.host != environment.host:
        raise SetupError(
            f"the sandbox in {state.folder} was started on the host {state.host}",
            remedy=f"Run the same command there, or use another one here: --name NAME. If "
            f"{state.host} is no more, delete {state.folder}.",
        )


def end_processes(state: State, *, clock: Clock) -> None:
    """End all processes of a sandbox at once: what they would save is deleted anyway.

    A job may start one more while its others are ended, so this looks again until there is none.

    Raises:
        SetupError: one does not end.
    """
    deadline = clock.monotonic() + _END_S
    while own := own_processes(state):
        processes.kill(own)
        left_s = max(0.0, deadline - clock.monotonic())
        processes.wait_until_gone(own, clock=clock, within_s=left_s)


def own_processes(state: State, *, node: str | None = None) -> set[Process]:
    """The processes of a sandbox, or of one of its nodes: daemons, job steps, what jobs have started.

    A job's process has the sandbox' SLURM_CONF and the name of a node in its environment. A user's
    shell has SLURM_CONF too, but runs on no node.
    """
    job: dict[str, str | None] = {
        "SLURM_CONF": str(state.layout.slurm_conf),
        "SLURMD_NODENAME": node,
    }
    found = slurm_processes(state, node=node) | processes.with_variables(job)
    return processes.with_descendants(found)


def slurm_processes(state: State, *, node: str | None = None) -> set[Process]:
    """The daemons and job steps of a sandbox, or of one of its nodes.

    A daemon carries the sandbox' mark in its environment. A job step does too, but may have written
    its title over it (Slurm 24.11 does): it is known by the directory that it has from its slurmd.
    """
    layout = state.layout
    marks: dict[str, str | None] = {DAEMON_MARK: state.mark}
    if node is not None:
        marks[NODE_MARK] = node
    place = layout.folder if node is None else layout.spool(node)
    found = processes.with_variables(marks) | processes.at_work_in(place, _DAEMONS)
    if node is None and state.boot_id == processes.boot_id():
        found |= {d.process for d in state.daemons if processes.is_running(d.process)}
    return found


def erase(state: State) -> None:
    """Delete its folder.

    Raises:
        SetupError: something in it cannot be deleted.
    """
    folder.remove(state.layout, tuple(Path(made) for made in state.made_folders))
