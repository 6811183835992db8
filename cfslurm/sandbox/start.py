"""The steps of `up`: files, munged, accounting, slurmctld, one slurmd for each node."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from cfslurm.adapters.environment import Environment
from cfslurm.adapters.files import write_atomic
from cfslurm.adapters.profile_file import gpu_catalogue
from cfslurm.adapters.resources import shipped_text
from cfslurm.adapters.site_templates import sandbox_templates, site_templates
from cfslurm.core.render.cluster_profile import ClusterProfile, NodeGroup
from cfslurm.core.render.conf_text import is_plain_path
from cfslurm.core.render.profile_lines import profile_lines
from cfslurm.core.render.site_files import SiteSettings, render_site
from cfslurm.core.render.slurm_conf import (
    SLURMDBD_FILE,
    ClusterSettings,
    devices,
    node_names,
    render_slurm,
)
from cfslurm.ports import Clock
from cfslurm.sandbox import accounting, client, folder, site
from cfslurm.sandbox.daemons import Launcher, Started, port_answers, socket_answers, wait_for
from cfslurm.sandbox.ports import reserved
from cfslurm.sandbox.state import CLUSTER_NAME, State, write_state

_READY_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a start needs besides the sandbox' own state.

    ``files`` are rendered ones of a site, by name, in place of what the profile would give.
    ``version`` is Slurm's (major, minor).
    """

    profile: ClusterProfile
    programs: Mapping[str, Path]
    version: tuple[int, int]
    environment: Environment
    clock: Clock
    tell: Callable[[str], None]
    files: Mapping[str, str] | None = None


def start(state: State, around: Surroundings) -> State:
    """Fill the folder, start all daemons, wait until all nodes are idle.

    Every daemon is written into the state file before it is waited for.

    Raises:
        SetupError: a daemon does not start; the others are left running.
    """
    is_root = around.environment.uid == 0
    folder.furnish(state.layout, is_root=is_root)
    files = around.files or _files_of_profile(around)
    folder.make_devices(state.layout, devices(files["gres.conf"]))
    names = node_names(files["nodes.conf"])
    with reserved(len(names) + (2 if state.accounting else 1)) as ports:
        slurmctld_port, *rest = ports
        state = replace(
            state,
            slurmctld_port=slurmctld_port,
            node_ports=dict(zip(names, rest, strict=False)),
            slurmdbd_port=rest[-1] if state.accounting else None,
        )
        _write_files(state, around, files)
        state = _Starter(state, around).run()
    state = replace(state, phase="up")
    write_state(state)
    return state


def _files_of_profile(around: Surroundings) -> dict[str, str]:
    settings = SiteSettings(slurm_version=around.version, by="cfslurm sandbox up")
    return render_site(profile_lines(around.profile, gpu_catalogue()), settings, site_templates())


def _write_files(state: State, around: Surroundings, files: Mapping[str, str]) -> None:
    environment = around.environment
    settings = ClusterSettings(
        cluster_name=CLUSTER_NAME,
        host=environment.host.split(".")[0],
        user=environment.user if is_plain_path(environment.user) else str(environment.uid),
        folder=str(state.prefix),
        slurm_version=around.version,
        slurmctld_port=state.slurmctld_port,
        node_ports=state.node_ports,
        slurmdbd_port=state.slurmdbd_port,
        plugstack=state.plugstack,
    )
    texts = render_slurm(files, settings, sandbox_templates())
    if not state.plugstack:
        texts["plugstack.conf"] = "# No plugins: those of the machine are not ours.\n"
    # Rendered files are read as any cluster's are: nobody says what their GPUs are but Slurm.
    cards = around.profile if around.files is None else replace(around.profile, nodes=())
    texts["site.yaml"] = site.site_text(
        cards,
        gpu_catalogue(),
        cluster_name=CLUSTER_NAME,
        folder=state.layout.folder,
        template=shipped_text(site.TEMPLATE),
    )
    for name, text in texts.items():
        mode = 0o600 if name == SLURMDBD_FILE else 0o644
        write_atomic(state.layout.folder / name, text.encode(), mode=mode)


class _Starter:
    """Remembers what has been started, so that a daemon that ends is noticed at every step."""

    def __init__(self, state: State, around: Surroundings) -> None:
        self._state = state
        self._around = around
        self._launcher = Launcher(state, around.programs, home=around.environment.home)
        self._started: list[Started] = []

    def run(self) -> State:
        """Start them in the order in which they need each other."""
        try:
            self._munged()
            if self._state.accounting:
                self._accounting()
            self._slurmctld()
            self._nodes()
        finally:
            for one in self._started:
                one.release()
        return self._state

    def _munged(self) -> None:
        layout = self._state.layout
        self._start(self._launcher.munged())
        self._wait(lambda: socket_answers(layout.munge_socket))
        self._around.tell("munged ok")

    def _accounting(self) -> None:
        launcher, layout, user = self._launcher, self._state.layout, self._around.environment.user
        accounting.install_database(launcher, user=user)
        self._start(accounting.start_database(launcher, user=user))
        self._wait(lambda: socket_answers(layout.database_socket))
        self._start(launcher.slurmdbd())
        port = self._state.slurmdbd_port or 0
        self._wait(lambda: port_answers(port))
        accounting.fill(launcher, self._around.profile, user=user)
        accounts = ", ".join(account.name for account in self._around.profile.accounts)
        self._around.tell(f"mariadbd ok · slurmdbd :{port} ok · accounts {accounts or 'none'}")

    def _slurmctld(self) -> None:
        port = self._state.slurmctld_port
        self._start(self._launcher.slurmctld())
        self._wait(lambda: port_answers(port))
        self._around.tell(f"slurmctld :{port} ok")

    def _nodes(self) -> None:
        names = self._around.profile.node_names
        for name in names:
            self._start(self._launcher.slurmd(name))
        self._wait(lambda: client.are_usable(self._state.layout, frozenset(names)))
        groups = " · ".join(group_title(group) for group in self._around.profile.nodes)
        self._around.tell(f"slurmd {groups} ok")

    def _start(self, started: Started) -> None:
        self._started.append(started)
        self._state = self._state.with_daemon(started.daemon)
        write_state(self._state)

    def _wait(self, ready: Callable[[], bool]) -> None:
        wait_for(ready, tuple(self._started), clock=self._around.clock, within_s=_READY_S)


def group_title(group: NodeGroup) -> str:
    """``ada-[1-2] (2x rtx6000ada, pretend)``."""
    gpus = ", ".join(f"{gpus.count}x {gpus.type or 'gpu'}" for gpus in group.gpus)
    return f"{group.names} ({gpus}, pretend)" if gpus else group.names
