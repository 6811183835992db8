"""Start a sandbox' daemons, know that they work, and show what they say when they do not."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen  # noqa: TID251 - the type only; cfslurm.adapters.process starts it

from cfslurm.adapters import process
from cfslurm.adapters.files import write_atomic
from cfslurm.errors import SetupError
from cfslurm.ports import Clock
from cfslurm.sandbox.processes import identify
from cfslurm.sandbox.state import DAEMON_MARK, Daemon, State

# The node of a slurmd, in its environment and in that of the steps that it starts.
NODE_MARK = "CFSLURM_SANDBOX_NODE"
_LOG_LINES = 15
_POLL_S = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A daemon that we started and that is our child as long as we live."""

    daemon: Daemon
    child: Popen[bytes]
    log: Path
    output: Path

    def has_ended(self) -> bool:
        """True once it is gone."""
        return self.child.poll() is not None

    def release(self) -> None:
        """Let it outlive us: subprocess would complain of a child that nobody has waited for."""
        if self.child.returncode is None:
            self.child.returncode = 0


class Launcher:
    """Starts daemons with an environment of their own: nothing of the user's Slurm gets through."""

    def __init__(self, state: State, programs: Mapping[str, Path], *, home: Path) -> None:
        self.layout = state.layout
        self.programs = programs
        self._environment = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(home),
            "LC_ALL": "C",
            "SLURM_CONF": str(self.layout.slurm_conf),
            DAEMON_MARK: state.mark,
        }

    def munged(self) -> Started:
        """Key and socket of its own. It needs --force, or a group-writable parent folder stops it."""
        run = self.layout.munge_socket.parent
        write_atomic(self.layout.munge_key, secrets.token_bytes(128), mode=0o600)
        return self._start(
            "munged",
            "--foreground",
            "--force",
            f"--key-file={self.layout.munge_key}",
            f"--socket={self.layout.munge_socket}",
            f"--pid-file={run / 'munged.pid'}",
            f"--seed-file={self.layout.munge_key.parent / 'munged.seed'}",
        )

    def slurmctld(self) -> Started:
        """The controller, in the foreground, so that its process is known and its end is seen."""
        return self._start("slurmctld", "-D")

    def slurmd(self, node: str) -> Started:
        """A node. Its job steps take over its directory, by which they are known."""
        self.layout.spool(node).mkdir(mode=0o755, exist_ok=True)
        self.layout.spool(node).chmod(0o755)
        return self._start("slurmd", "-D", "-N", node, node=node)

    def slurmdbd(self) -> Started:
        """The accounting daemon; it finds the database by its socket."""
        extra = {"MYSQL_UNIX_PORT": str(self.layout.database_socket)}
        return self._start("slurmdbd", "-D", extra=extra)

    def mariadbd(self, *options: str) -> Started:
        """The accounting's database."""
        return self._start("mariadbd", *options)

    def _start(
        self, program: str, *options: str, node: str = "", extra: Mapping[str, str] | None = None
    ) -> Started:
        name = f"{program}-{node}" if node else program
        output = self.layout.output(name)
        marks = {NODE_MARK: node} if node else {}
        child = process.start(
            (str(self.programs[program]), *options),
            environment={**self._environment, **marks, **(extra or {})},
            directory=self.layout.spool(node) if node else self.layout.folder,
            stdout=output,
        )
        known = identify(child.pid)
        if known is None:
            child.wait()
            raise _ended(f"{program} {node}".strip(), self.layout.log(name), output)
        return Started(
            daemon=Daemon(program=program, process=known, node=node),
            child=child,
            log=self.layout.log(name),
            output=output,
        )


def wait_for(
    ready: Callable[[], bool], started: tuple[Started, ...], *, clock: Clock, within_s: float
) -> None:
    """Wait until the daemons are ready.

    Raises:
        SetupError: one has ended, or they are not ready in time.
    """
    deadline = clock.monotonic() + within_s
    while not ready():
        for one in started:
            if one.has_ended():
                raise _ended(one.daemon.title, one.log, one.output)
        if clock.monotonic() > deadline:
            names = ", ".join(one.daemon.title for one in started)
            raise SetupError(
                f"{names} not ready after {within_s:g} s{_tails(started)}",
                remedy="Try again when the machine is less busy; --keep leaves the logs to read.",
            )
        clock.sleep(_POLL_S)


def _ended(title: str, log: Path, output: Path) -> SetupError:
    said = _tail(log) or _tail(output) or "it said nothing"
    return SetupError(
        f"{title} ended at once:\n{said}",
        remedy="The last lines above say why; --keep leaves the folder with all logs.",
    )


def _tails(started: tuple[Started, ...]) -> str:
    return "".join(f"\n{one.daemon.title}:\n{_tail(one.log)}" for one in started[:2])


def _tail(path: Path) -> str:
    with suppress(OSError):
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(f"   {line}" for line in lines[-_LOG_LINES:])
    return ""


def socket_answers(path: Path) -> bool:
    """True once somebody listens on a Unix socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        try:
            client.connect(str(path))
        except OSError:
            return False
    return True


def port_answers(port: int) -> bool:
    """True once somebody listens on a local TCP port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
