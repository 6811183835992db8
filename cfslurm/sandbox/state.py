"""sandbox.json: what a sandbox consists of, so that another call can show it and end it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from cfslurm.adapters.files import json_text, write_atomic
from cfslurm.adapters.validated import validate_json
from cfslurm.core.documents import STRICT
from cfslurm.errors import InvalidFileError, SetupError
from cfslurm.sandbox.folder import STATE_FILE, Layout, is_sandbox
from cfslurm.sandbox.processes import Process

SCHEMA = "cfslurm.sandbox/1"
CLUSTER_NAME = "sandbox"
DAEMON_MARK = "CFSLURM_SANDBOX_DAEMON"


@dataclass(frozen=True, slots=True, kw_only=True)
class Daemon:
    """A daemon and its process. ``node`` is empty for all but slurmd."""

    __pydantic_config__ = STRICT
    program: str
    process: Process
    node: str = ""

    @property
    def title(self) -> str:
        """``slurmctld``, ``slurmd ada-1``."""
        return f"{self.program} {self.node}".strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A sandbox, started or being started.

    ``mark`` stands in the environment of all its daemons (variable `DAEMON_MARK`), and in nobody
    else's: what was started and not yet written down is found by it. ``boot_id`` and ``host`` tell
    whether the process ids still mean anything. ``plugstack`` is the file of SPANK plugins that the
    user gave, if any.
    """

    __pydantic_config__ = STRICT
    name: str
    folder: str
    prefix: str
    mark: str
    host: str
    boot_id: str
    user: str
    profile: str
    created: str
    slurm_version: str
    schema: Literal["cfslurm.sandbox/1"] = "cfslurm.sandbox/1"
    phase: Literal["starting", "up"] = "starting"
    accounting: bool = False
    plugstack: str = ""
    slurmctld_port: int = 0
    slurmdbd_port: int | None = None
    node_ports: Mapping[str, int] = field(default_factory=dict)
    daemons: tuple[Daemon, ...] = ()
    made_folders: tuple[str, ...] = ()

    @property
    def layout(self) -> Layout:
        """Its folder."""
        return Layout(folder=Path(self.folder), prefix=Path(self.prefix))

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables that point a program here."""
        layout = self.layout
        return {"SLURM_CONF": str(layout.slurm_conf), "CFSLURM_SITE": str(layout.site_file)}

    def with_daemon(self, daemon: Daemon) -> State:
        """The same with one daemon more, in place of the one it succeeds."""
        others = tuple(d for d in self.daemons if d.title != daemon.title)
        return replace(self, daemons=(*others, daemon))


def write_state(state: State) -> None:
    """Write it whole or not at all."""
    path = state.layout.folder / STATE_FILE
    write_atomic(path, json_text(state).encode(), mode=0o644)


def read_state(folder: Path) -> State | None:
    """Read a sandbox' state; None where there is no sandbox.

    Raises:
        SetupError: its state file is damaged, or the folder has been moved.
    """
    if not is_sandbox(folder):
        return None
    path = folder / STATE_FILE
    try:
        state = validate_json(State, json.loads(path.read_text(encoding="utf-8")), str(path))
    except (ValueError, OSError, InvalidFileError) as error:
        raise SetupError(
            f"{path} cannot be read: {error}",
            remedy=f"End the daemons that `pgrep -af slurm` shows for it, then delete {folder}.",
        ) from error
    if Path(state.folder) != folder:
        raise SetupError(
            f"the sandbox in {folder} was made as {state.folder}",
            remedy=f"Move it back there, or end its daemons and delete {folder}.",
        )
    return state
