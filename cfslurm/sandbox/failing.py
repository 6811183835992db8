"""Pull the plug of a node, and put it back."""

from __future__ import annotations

from dataclasses import dataclass

from cfslurm.adapters.environment import Environment
from cfslurm.core.slurm.command import Command, Completed
from cfslurm.core.slurm.hostlist import expand, fold
from cfslurm.core.workflow.names import nearest
from cfslurm.errors import SlurmOutputError, UserInputError
from cfslurm.ports import Clock
from cfslurm.sandbox import client, folder, processes
from cfslurm.sandbox.daemons import Launcher, wait_for
from cfslurm.sandbox.down import own_processes, refuse_strangers, slurm_processes
from cfslurm.sandbox.programs import find_programs
from cfslurm.sandbox.state import State, read_state, write_state

_END_S = 20.0
_READY_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """A running sandbox, and what acts on it."""

    state: State
    environment: Environment
    clock: Clock


def fail(sandbox: Sandbox, hostlist: str) -> tuple[str, ...]:
    """End everything that runs on some nodes, as a power cut would, and tell slurmctld.

    Slurm would notice by itself after SlurmdTimeout; telling it saves the wait. Jobs go back to the
    queue as after any other node failure.

    Raises:
        UserInputError: there is no such node.
        SetupError: slurmctld does not take it.
    """
    state = sandbox.state
    refuse_strangers(state, sandbox.environment)
    names = _node_names(state, hostlist)
    with folder.locked(state.layout.folder):
        for name in names:
            _cut_power(state, name, sandbox.clock)
        client.must(_update(state, names, "state=down", "reason=cfslurm sandbox fail"))
    return names


def _cut_power(state: State, node: str, clock: Clock) -> None:
    """End all processes of a node, slurmd and its job steps first.

    A job step that outlives its job by a moment reports the job as failed, and nothing is requeued;
    so all are stopped before the first is ended.
    """
    everything = own_processes(state, node=node)
    processes.stop(everything)
    for group in (slurm_processes(state, node=node), everything):
        processes.kill(group)
        processes.wait_until_gone(group, clock=clock, within_s=_END_S)


def recover(sandbox: Sandbox, hostlist: str) -> tuple[str, ...]:
    """Start the slurmd of some nodes again, and wait until they take jobs.

    Raises:
        UserInputError: there is no such node.
        SetupError: a slurmd does not start.
    """
    refuse_strangers(sandbox.state, sandbox.environment)
    names = _node_names(sandbox.state, hostlist)
    programs = find_programs(accounting=False)
    with folder.locked(sandbox.state.layout.folder):
        state = read_state(sandbox.state.layout.folder) or sandbox.state
        running = {d.node for d in state.daemons if d.node and processes.is_running(d.process)}
        # Refused for a node that is well, which is fine: the wait below shows what counts.
        for name in running.intersection(names):
            _update(state, (name,), "state=resume")
        launcher = Launcher(state, programs, home=sandbox.environment.home)
        started = []
        for name in names:
            if name not in running:
                started.append(launcher.slurmd(name))
                state = state.with_daemon(started[-1].daemon)
                write_state(state)
        try:
            wait_for(
                lambda: client.are_usable(state.layout, frozenset(names)),
                tuple(started), clock=sandbox.clock, within_s=_READY_S,
            )  # fmt: skip
        finally:
            for one in started:
                one.release()
    return names


def _node_names(state: State, hostlist: str) -> tuple[str, ...]:
    try:
        names = tuple(dict.fromkeys(expand(hostlist)))
    except SlurmOutputError as error:
        raise UserInputError(error.message, remedy="Name nodes like this: ada-[1-2].") from error
    for name in names:
        if name not in state.node_ports:
            near = nearest(name, state.node_ports)
            raise UserInputError(
                f"the sandbox has no node {name[:60]!r}",
                remedy=f"Did you mean {near}?" if near else f"It has {fold(state.node_ports)}.",
            )
    return names


def _update(state: State, names: tuple[str, ...], *assignments: str) -> Completed:
    argv = ("scontrol", "update", f"nodename={fold(names)}", *assignments)
    return client.call(state.layout, Command(argv=argv))
