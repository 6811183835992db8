"""A sandbox' folder: where it lies, what lies where in it, and how it goes away again."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cfslurm.adapters.environment import Environment
from cfslurm.core.render.conf_text import is_plain_path
from cfslurm.core.workflow.names import is_name
from cfslurm.errors import SetupError, UserInputError

STATE_FILE = "sandbox.json"
_SHORT_PREFIX = "cfslurm-"
_SHORT_LINK = "s"

# A socket's path has 108 bytes with the NUL at its end. The longest ones are those of job steps:
# FOLDER/spool/NODE/NODE_JOBID.STEPID.HETCOMPONENT, each number of up to ten digits.
_SOCKET_BYTES = 107
_AROUND_NODE_NAMES = len("/spool/") + len("/") + len("_0123456789.0123456789.0123456789")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What lies where. ``prefix`` is the same folder by a name that Slurm can carry; see `short_name`."""

    folder: Path
    prefix: Path

    @property
    def slurm_conf(self) -> Path:
        """What SLURM_CONF points to."""
        return self.prefix / "slurm.conf"

    @property
    def site_file(self) -> Path:
        """What CFSLURM_SITE points to."""
        return self.folder / "site.yaml"

    @property
    def munge_key(self) -> Path:
        """Readable for the owner only."""
        return self.prefix / "secret" / "munge.key"

    @property
    def munge_socket(self) -> Path:
        """Open for everybody who can reach it; munged tells its callers apart."""
        return self.prefix / "run" / "munge.socket"

    @property
    def database(self) -> Path:
        """MariaDB's data."""
        return self.prefix / "secret" / "mariadb"

    @property
    def database_socket(self) -> Path:
        """MariaDB listens here and nowhere else."""
        return self.prefix / "run" / "mariadb.socket"

    def spool(self, node: str) -> Path:
        """Where a slurmd and its job steps work."""
        return self.folder / "spool" / node

    def log(self, name: str) -> Path:
        """What a daemon writes, by its file's name without the suffix."""
        return self.prefix / "log" / f"{name}.log"

    def output(self, name: str) -> Path:
        """What a daemon prints before it has opened its log."""
        return self.prefix / "log" / f"{name}.out"


def locate(name: str, folder: Path | None, environment: Environment) -> Path:
    """The folder of a sandbox: the one that was asked for, or the one of its name.

    Raises:
        UserInputError: no such name is possible, or the path is no text.
    """
    if folder is None:
        if not is_name(name):
            raise UserInputError(
                f"{name[:80]!r} cannot be the name of a sandbox",
                remedy="Use up to 63 letters, digits, dots, dashes and underscores.",
            )
        state_home = Path(environment.get("XDG_STATE_HOME") or "")
        if not state_home.is_absolute():
            state_home = environment.home / ".local" / "state"
        folder = state_home / "cfslurm" / "sandbox" / name
    absolute = environment.directory / folder
    if not str(absolute).isprintable():
        raise UserInputError(
            f"the folder {str(absolute)!r} has signs in its name that no file can carry",
            remedy="Choose another one with `cfslurm sandbox up --dir FOLDER`.",
        )
    return Path(os.path.normpath(absolute))


def plugstack_file(path: Path, environment: Environment) -> Path:
    """The plugstack.conf that a user has named, as slurm.conf can carry it.

    Raises:
        UserInputError: there is no such file, or slurm.conf cannot carry its path.
    """
    absolute = Path(os.path.normpath(environment.directory / path))
    if not absolute.is_file():
        raise UserInputError(
            f"there is no file {absolute}",
            remedy="Name a plugstack.conf; `man spank` describes it.",
        )
    if not is_plain_path(str(absolute)):
        raise UserInputError(
            f"slurm.conf cannot carry the path {str(absolute)!r}",
            remedy="Copy the file to a path of letters, digits and ./+-_ only.",
        )
    return absolute


def is_sandbox(folder: Path) -> bool:
    """True for a folder that `create` has made and that has its state file.

    Raises:
        SetupError: somebody else's folder is in the way.
    """
    try:
        return not folder.is_symlink() and folder.is_dir() and (folder / STATE_FILE).is_file()
    except PermissionError as error:
        raise SetupError(
            f"you may not look into {folder}",
            remedy="Name a folder of your own: `cfslurm sandbox up --dir FOLDER`.",
        ) from error


def create(folder: Path) -> tuple[Path, ...]:
    """Make an empty folder for a sandbox; return the parents that were made for it, deepest first.

    Raises:
        UserInputError: there is something else at this place.
        SetupError: it cannot be made.
    """
    made: list[Path] = []
    try:
        for parent in reversed(folder.parents):
            if not parent.exists():
                parent.mkdir(mode=0o755)
                made.insert(0, parent)
        if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
            raise _not_ours(folder)
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise SetupError(
            f"the folder {folder} cannot be made: {error.strerror}",
            remedy="Name another one: `cfslurm sandbox up --dir FOLDER`.",
        ) from error
    return tuple(made)


def refuse_occupied(folder: Path) -> None:
    """Go on only in an empty folder; asked while it is `locked`, so that it stays so.

    Raises:
        SetupError: another `up` has just made a sandbox here.
        UserInputError: there is something else in it.
    """
    if is_sandbox(folder):
        raise _busy(folder)
    if any(folder.iterdir()):
        raise _not_ours(folder)


def _not_ours(folder: Path) -> UserInputError:
    return UserInputError(
        f"{folder} is there already and is not a sandbox",
        remedy="Name a folder that is not there yet: `cfslurm sandbox up --dir FOLDER`.",
    )


def _busy(folder: Path) -> SetupError:
    return SetupError(
        f"another cfslurm is working on the sandbox in {folder}",
        remedy="Run the same command again when it is done.",
    )


def furnish(layout: Layout, *, is_root: bool) -> None:
    """Make the folders inside.

    Root's sandbox takes jobs of all users: they may pass through, and write runs and models.
    """
    layout.folder.chmod(0o755 if is_root else 0o700)
    for name in ("run", "log", "spool", "dev"):
        _make(layout.folder / name, 0o755)
    for name in ("secret", "state"):
        _make(layout.folder / name, 0o700)
    for name in ("runs", "models"):
        _make(layout.folder / name, 0o1777 if is_root else 0o700)


def _make(folder: Path, mode: int) -> None:
    folder.mkdir()
    folder.chmod(mode)  # the umask has no say


def make_devices(layout: Layout, paths: Iterable[str]) -> None:
    """Pretend GPUs: Slurm's stat() of each link finds a character device, which is all it asks for.

    ``paths`` are as on a real node, ``/dev/nvidia0``; they are made below the sandbox' folder.
    """
    for path in paths:
        link = layout.folder / path.removeprefix("/")
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to("/dev/null")


def short_name(folder: Path, *, longest_node_name: int, is_root: bool) -> Path:
    """The folder itself, or where Slurm could not carry its path, a link to it with a short one.

    slurm.conf knows no escapes and a socket's path at most 107 bytes. The link lies in a private
    folder below /tmp, which `remove` takes away.
    """
    longest = len(os.fsencode(folder)) + _AROUND_NODE_NAMES + 2 * longest_node_name
    if is_plain_path(str(folder)) and longest <= _SOCKET_BYTES:
        return folder
    private = Path(tempfile.mkdtemp(prefix=_SHORT_PREFIX, dir="/tmp"))
    private.chmod(0o711 if is_root else 0o700)
    link = private / _SHORT_LINK
    link.symlink_to(folder)
    return link


def remove(layout: Layout, made: tuple[Path, ...]) -> None:
    """Delete the sandbox, its short name, and the parents that were made for it, if they are empty.

    Raises:
        SetupError: something cannot be deleted.
    """
    if layout.prefix != layout.folder:
        _remove_short_name(layout)
    try:
        # The state file goes last: a second `down` still knows the folder if this one is interrupted.
        for entry in sorted(layout.folder.iterdir(), key=lambda path: path.name == STATE_FILE):
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
        layout.folder.rmdir()
    except OSError as error:
        raise SetupError(
            f"{error.filename or layout.folder} cannot be deleted: {error.strerror}",
            remedy=f"Delete {layout.folder} by hand; its processes have ended.",
        ) from error
    for parent in made:
        if parent.is_dir() and not any(parent.iterdir()):
            parent.rmdir()


def _remove_short_name(layout: Layout) -> None:
    link, private = layout.prefix, layout.prefix.parent
    if link.is_symlink() and link.readlink() == layout.folder:
        link.unlink()
        private.rmdir()


def closed_parent(folder: Path) -> Path | None:
    """The first folder on the way that other users cannot pass through."""
    for parent in reversed(folder.parents):
        if not parent.stat().st_mode & 0o001:
            return parent
    return None


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder for one `up`, `down`, `fail` or `recover` at a time.

    Raises:
        SetupError: another one is at it, or the filesystem knows no locks.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not os.path.samestat(os.fstat(descriptor), folder.lstat()):
                raise BlockingIOError  # deleted and made anew between open and flock
        except (BlockingIOError, FileNotFoundError) as error:
            raise _busy(folder) from error
        except OSError as error:  # some network filesystems know no locks
            raise SetupError(
                f"{folder} cannot be locked: {error.strerror}",
                remedy="Name a folder on a local disk: `cfslurm sandbox up --dir FOLDER`.",
            ) from error
        yield
    finally:
        os.close(descriptor)
