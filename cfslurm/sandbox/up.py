"""Make a sandbox, or undo everything if one of its daemons does not start."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cfslurm.adapters.clock import utc_text
from cfslurm.adapters.environment import Environment
from cfslurm.core.render.cluster_profile import ClusterProfile
from cfslurm.errors import SetupError
from cfslurm.ports import Clock
from cfslurm.sandbox import folder
from cfslurm.sandbox.down import end_processes, erase, refuse_strangers
from cfslurm.sandbox.processes import boot_id, is_running
from cfslurm.sandbox.programs import find_programs, slurm_version
from cfslurm.sandbox.start import Surroundings, start
from cfslurm.sandbox.state import CLUSTER_NAME, State, read_state, write_state

# Where a Slurm of this machine would have its configuration. Looked for, never read.
_CONFIGURED = ("/etc/slurm/slurm.conf", "/etc/slurm-llnl/slurm.conf", "/run/slurm/conf/slurm.conf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What `up` is asked for.

    ``files`` are rendered ones of a site, in place of what the profile would give.
    ``plugstack`` is the plugstack.conf with the SPANK plugins of this cluster; without it there are
    none. ``keep`` leaves the folder if a daemon does not start.
    """

    name: str
    folder: Path
    profile: ClusterProfile
    files: Mapping[str, str] | None = None
    accounting: bool = False
    plugstack: Path | None = None
    keep: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Up:
    """A sandbox that runs; ``already`` if it did so before."""

    state: State
    already: bool
    took_s: float


def up(
    request: Request, *, environment: Environment, clock: Clock, tell: Callable[[str], None]
) -> Up:
    """Start a sandbox and wait until all its nodes are idle; ``tell`` hears of every step.

    One that runs is left as it is. What a crash or a restart of the machine has left of one is
    cleared away first.

    Raises:
        SetupError: a program is missing, or a daemon does not start; everything is undone.
        UserInputError: there is something else in the folder.
    """
    began = clock.monotonic()
    running = _running(request.folder, environment=environment, clock=clock, tell=tell)
    if running is not None:
        return Up(state=running, already=True, took_s=clock.monotonic() - began)
    programs = find_programs(accounting=request.accounting)
    version_text, version = slurm_version(programs)
    tell(f'real Slurm {version_text}, private cluster "{CLUSTER_NAME}" in {request.folder}')
    made = folder.create(request.folder)
    for note in _notes(request.folder, environment):
        tell(note)
    with folder.locked(request.folder):
        folder.refuse_occupied(request.folder)
        state = State(
            name=request.name,
            folder=str(request.folder),
            prefix=str(_short_name(request, environment)),
            mark=secrets.token_hex(16),
            host=environment.host,
            boot_id=boot_id(),
            user=environment.user,
            profile=request.profile.name,
            created=utc_text(clock.now()),
            slurm_version=version_text,
            accounting=request.accounting,
            plugstack=str(request.plugstack or ""),
            made_folders=tuple(str(path) for path in made),
        )
        surroundings = Surroundings(
            profile=request.profile, programs=programs, version=version,
            environment=environment, clock=clock, tell=tell, files=request.files,
        )  # fmt: skip
        with _undone_on_failure(state, keep=request.keep, clock=clock):
            write_state(state)
            state = start(state, surroundings)
    return Up(state=state, already=False, took_s=clock.monotonic() - began)


@contextmanager
def _undone_on_failure(state: State, *, keep: bool, clock: Clock) -> Iterator[None]:
    """End what has been started and delete the folder if anything goes wrong, Ctrl-C too."""
    try:
        yield
    except BaseException as error:
        end_processes(state, clock=clock)
        if not keep:
            erase(state)
        if isinstance(error, OSError):
            raise SetupError(
                f"the sandbox cannot be written: {error.filename or ''} {error.strerror}",
                remedy="Is the disk full? --dir names a folder on another one.",
            ) from error
        raise


def _short_name(request: Request, environment: Environment) -> Path:
    longest = max(len(name) for name in request.profile.node_names)
    return folder.short_name(
        request.folder, longest_node_name=longest, is_root=environment.uid == 0
    )


def _running(
    place: Path, *, environment: Environment, clock: Clock, tell: Callable[[str], None]
) -> State | None:
    """The sandbox that runs in a folder; what is left of a dead one is cleared away."""
    if not folder.is_sandbox(place):
        return None
    with folder.locked(place):
        state = read_state(place)
        if state is None or _is_up(state, environment):
            return state
        tell("the last sandbox here ended without `down`; starting afresh")
        end_processes(state, clock=clock)
        erase(state)
    return None


def _is_up(state: State, environment: Environment) -> bool:
    """True if it runs, nodes that were made to fail aside; False if nothing worth keeping does."""
    refuse_strangers(state, environment)
    if state.phase == "starting" or state.boot_id != boot_id():
        return False
    needed = [daemon for daemon in state.daemons if not daemon.node]
    ended = [daemon.title for daemon in needed if not is_running(daemon.process)]
    if len(ended) == len(needed):
        return False
    if ended:
        raise SetupError(
            f"the sandbox in {state.folder} runs only in part: {' and '.join(ended)} ended",
            remedy="Run `cfslurm sandbox down`, then `cfslurm sandbox up`.",
        )
    return True


def _notes(place: Path, environment: Environment) -> list[str]:
    """What the user should know: another Slurm is here; other users cannot reach the folder."""
    found = []
    configured = environment.get("SLURM_CONF") or next(
        (path for path in _CONFIGURED if Path(path).exists()), None
    )
    if configured:
        found.append(f"note: {configured} is another Slurm's; it is neither read nor changed")
    if environment.uid == 0 and (closed := folder.closed_parent(place)):
        found.append(
            f"note: only root can submit here, since {closed} is closed to other users "
            "(--dir names another folder)"
        )
    return found
