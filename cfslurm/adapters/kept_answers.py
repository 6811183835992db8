"""What Slurm has said of the cluster, kept for a while in the user's own cache folder.

The answers are kept as Slurm gave them, one file for each call, and are read again as strictly as fresh
ones. A file that is damaged, foreign or of another slurm.conf costs a call and nothing else.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from cfslurm.adapters.environment import Environment
from cfslurm.core.documents import Json, to_json
from cfslurm.core.hardware.parts import part_of
from cfslurm.core.slurm.command import Command, Completed
from cfslurm.errors import SlurmUnavailableError
from cfslurm.ports import Clock, RunCommand

_SCHEMA = "cfslurm.kept_answer/1"
_LARGEST_BYTES = 256 * 1024**2  # 40 times the nodes of a cluster of 10,000
# Where Slurm's own programs look, as distributions build them, and where sackd puts it.
_CONFIGURED = ("/etc/slurm/slurm.conf", "/etc/slurm-llnl/slurm.conf", "/run/slurm/conf/slurm.conf")
_CLUSTER = re.compile(r"^\s*ClusterName\s*=\s*([\w.-]+)", re.IGNORECASE | re.MULTILINE)
_INCLUDE = re.compile(r"^\s*Include\s+(\S+)", re.IGNORECASE | re.MULTILINE)
_MOST_INCLUDES = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Which Slurm the answers are of.

    ``digest`` is of slurm.conf with what it includes: a change makes the answers void.
    """

    name: str
    slurm_conf: str
    digest: str
    program: str
    user: str

    @property
    def folder_name(self) -> str:
        """One folder for each cluster and user, whatever its slurm.conf holds just now."""
        text = json.dumps([self.name, self.slurm_conf, self.program, self.user])
        return f"{self.name[:40]}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def this_cluster(environment: Environment, program: Path | None) -> Cluster | None:
    """The cluster that Slurm's programs ask; None where that cannot be told from a file.

    So it is without a slurm.conf (configless, without sackd) that can be read, and while SLURM_CLUSTERS
    sends calls elsewhere: nothing is kept then.
    """
    if environment.get("SLURM_CLUSTERS"):
        return None
    given = environment.get("SLURM_CONF")
    for path in (given,) if given else _CONFIGURED:
        with contextlib.suppress(OSError):
            data = _with_includes(Path(path))
            name = _CLUSTER.search(data.decode("utf-8", "replace"))
            if name is None:
                return None
            return Cluster(
                name=name[1],
                slurm_conf=str(Path(path).resolve()),
                digest=hashlib.sha256(data).hexdigest(),
                program=str(program or ""),
                user=environment.user,
            )
    return None


def _with_includes(path: Path, depth: int = 0) -> bytes:
    """A slurm.conf with the files that it includes, as far as they can be read.

    Source: slurm.conf(5), Include: a path, relative to slurm.conf's folder.
    """
    data = path.read_bytes()
    names = _INCLUDE.findall(data.decode("utf-8", "replace"))[:_MOST_INCLUDES] if depth < 2 else []
    for name in names:
        with contextlib.suppress(OSError):
            data += b"\n" + _with_includes(path.parent / name, depth + 1)
    return data


@dataclass(slots=True)
class KeptAnswers:
    """A `RunCommand` that gives an answer once more while it is fresh enough.

    ``oldest_s`` says of a part how old an answer may be in seconds; infinity never asks Slurm.
    ``read_at`` has the moment at which each part was read, ``warnings`` what was ignored and why.
    """

    run: RunCommand
    folder: Path
    cluster: Cluster
    uid: int
    clock: Clock
    oldest_s: Callable[[str], float]
    read_at: dict[str, float] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def __call__(self, command: Command, /) -> Completed:
        """The kept answer, or Slurm's; a refusal is never kept.

        Raises:
            SetupError: the program is not there.
            SlurmUnavailableError: it ran past its timeout; or Slurm is not to be asked, and nothing
                is kept.
        """
        part = part_of(command.argv)
        if part is None:
            return self.run(command)
        now = self.clock.now()
        oldest_s = self.oldest_s(part)
        if oldest_s > 0:
            kept = self._find(command)
            if kept is not None and 0 <= now - kept[0] <= oldest_s:
                self._note(part, kept[0])
                return Completed(command=command, returncode=0, stdout=kept[1], stderr="")
        if oldest_s == float("inf"):
            raise SlurmUnavailableError(
                f"nothing that Slurm said about {part} is kept",
                remedy="Leave --last-known out while Slurm answers.",
            )
        done = self.run(command)
        self._note(part, now)
        if done.returncode == 0:
            self._keep(command, done.stdout, now)
        return done

    def last_read_at(self) -> float | None:
        """When the nodes were read last, in seconds since the epoch; None if nothing is kept of them."""
        moments = []
        for path in self._place.glob("nodes-*"):
            with contextlib.suppress(OSError, ValueError):
                data = _read_own(path, self.uid)
                moments += [] if data is None else [_header(data, self.cluster)[0]]
        return max(moments, default=None)

    def forget(self) -> None:
        """Take away all that is kept of this cluster."""
        for path in self._place.glob("*-*"):
            with contextlib.suppress(OSError):
                path.unlink()

    @property
    def _place(self) -> Path:
        return self.folder / self.cluster.folder_name

    def _path(self, command: Command) -> Path:
        digest = hashlib.sha256(json.dumps(command.argv).encode()).hexdigest()[:16]
        return self._place / f"{part_of(command.argv)}-{digest}"

    def _note(self, part: str, moment: float) -> None:
        """The oldest answer counts where a part takes several calls."""
        self.read_at[part] = min(moment, self.read_at.get(part, moment))

    def _find(self, command: Command) -> tuple[float, str] | None:
        """When an answer was given and what it was; None if none is kept, or none that can be trusted."""
        path = self._path(command)
        try:
            data = _read_own(path, self.uid)
            if data is None:
                return None
            return _answer(data, self.cluster, command)
        except (OSError, ValueError) as error:
            self.warnings.append(f"{path} is ignored and written anew: {_reason(error)}")
            return None

    def _keep(self, command: Command, stdout: str, moment: float) -> None:
        """Write an answer; who cannot write asks Slurm the next time."""
        body = stdout.encode("utf-8", "surrogateescape")
        header = {
            "schema": _SCHEMA,
            "cluster": to_json(self.cluster),
            "argv": list(command.argv),
            "read_at": moment,
            "bytes": len(body),
            "sha256": hashlib.sha256(body).hexdigest(),
        }
        try:
            _make_own(self.folder, self.uid)
            _make_own(self._place, self.uid)
            _replace(self._path(command), json.dumps(header).encode() + b"\n" + body)
        except ValueError as error:
            self.warnings.append(f"{self._place} is not used: {_reason(error)}")
        except OSError:
            pass


def _answer(data: bytes, cluster: Cluster, command: Command) -> tuple[float, str] | None:
    """Read a file of answers.

    Raises:
        ValueError: it is not what this adapter writes, or not for this call.
    """
    moment, digest, argv, sha256, body = _header(data, cluster)
    if argv != list(command.argv):
        raise ValueError("it answers another call")
    if hashlib.sha256(body).hexdigest() != sha256:
        raise ValueError("it is damaged")
    if digest != cluster.digest:  # slurm.conf has changed since
        return None
    return moment, body.decode("utf-8")


def _header(data: bytes, cluster: Cluster) -> tuple[float, str, list[Json], str, bytes]:
    head, _, body = data.partition(b"\n")
    match json.loads(head):
        case {
            "schema": schema,
            "cluster": {"name": name, "slurm_conf": conf, "user": user, "digest": str(digest)},
            "argv": list(argv),
            "read_at": float(moment),
            "sha256": str(sha256),
        } if schema == _SCHEMA:
            if (name, conf, user) != (cluster.name, cluster.slurm_conf, cluster.user):
                raise ValueError("it is of another cluster or user")
            return moment, digest, argv, sha256, body
    raise ValueError("it is damaged, or of another version of cfslurm")


def _read_own(path: Path, uid: int) -> bytes | None:
    """A file that only its owner could have written, and that is ours; None if there is none.

    Raises:
        ValueError: others may have written it, or it is no plain file, or too large.
        OSError: it cannot be read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        seen = os.fstat(file.fileno())
        _refuse_foreign(seen, uid, stat.S_ISREG)
        if seen.st_size > _LARGEST_BYTES:
            raise ValueError(f"it has {seen.st_size} bytes")
        return file.read(_LARGEST_BYTES)


def _refuse_foreign(seen: os.stat_result, uid: int, is_right_kind: Callable[[int], bool]) -> None:
    if not is_right_kind(seen.st_mode):
        raise ValueError("something else has its name")
    if seen.st_uid != uid:
        raise ValueError(f"it belongs to user {seen.st_uid}")
    if seen.st_mode & 0o022:
        raise ValueError("others may write it")


def _make_own(folder: Path, uid: int) -> None:
    if not folder.is_dir():
        folder.mkdir(parents=True, mode=0o700, exist_ok=True)
        folder.chmod(0o700)
    _refuse_foreign(folder.stat(), uid, stat.S_ISDIR)  # a link to a folder of one's own is fine


def _replace(path: Path, data: bytes) -> None:
    """Whole or not at all. It need not survive a power loss, so nothing is synced: the sum tells."""
    temporary = path.with_name(f".{path.name}.{os.urandom(6).hex()}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, OSError):
        return str(error.strerror)
    return "it is damaged" if isinstance(error, json.JSONDecodeError | UnicodeError) else str(error)
