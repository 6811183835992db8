"""A folder of Slurm's files: rendered ones go in, and come out again for a sandbox."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from cfslurm.adapters.files import write_atomic
from cfslurm.core.render.site_files import NODE_FILES, TOPOLOGY_CONF, TOPOLOGY_YAML
from cfslurm.errors import SetupError, UserInputError

_MOST_BYTES = 16 * 1024 * 1024
# slurm.conf can name programs that its daemons run: a sandbox takes nodes and partitions, nothing else.
_TAKEN = {
    "nodes.conf": re.compile(r"(NodeName|GresTypes)=.*"),
    "partitions.conf": re.compile(r"PartitionName=.*"),
    "gres.conf": re.compile(r"(NodeName|AutoDetect|Name)=.*"),
    TOPOLOGY_CONF: re.compile(r"(SwitchName|BlockName|BlockSizes)=.*"),
    TOPOLOGY_YAML: re.compile(r".*"),
}


def compare(folder: Path, files: Mapping[str, str]) -> dict[str, str]:
    """What each file is in the folder: ``new``, ``same`` or ``differs``.

    The first line tells when and of what it was made: two that differ only there say the same.

    Raises:
        SetupError: a file that is there cannot be read.
    """
    return {name: _compare(folder / name, text) for name, text in files.items()}


def _compare(path: Path, text: str) -> str:
    try:
        with path.open("rb") as file:
            there = file.read(_MOST_BYTES + 1)
        return "same" if _body(there) == _body(text.encode()) else "differs"
    except FileNotFoundError:
        return "new"
    except OSError as error:
        raise _unreadable(path, error) from error


def _body(data: bytes) -> bytes:
    return data.partition(b"\n")[2]


def write_all(folder: Path, files: Mapping[str, str]) -> None:
    """Write every file whole.

    Raises:
        SetupError: the folder cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            write_atomic(folder / name, text.encode(), mode=0o644)
    except OSError as error:
        raise SetupError(
            f"{error.filename or folder} cannot be written: {error.strerror}",
            remedy="Name another folder with -o.",
        ) from error


def read_rendered(folder: Path) -> dict[str, str]:
    """The files of nodes, partitions, GRES and topology in a folder, as `cfslurm site render` writes them.

    Raises:
        UserInputError: one is missing, or has a line that says something else.
        SetupError: one cannot be read.
    """
    found = {name: _read(folder / name) for name in (*NODE_FILES, TOPOLOGY_CONF, TOPOLOGY_YAML)}
    missing = [name for name in NODE_FILES if found[name] is None]
    if missing:
        raise UserInputError(
            f"{folder} has no {' and no '.join(missing)}",
            remedy=f"Write them: `cfslurm site render -o {folder}`.",
        )
    texts = {name: text for name, text in found.items() if text is not None}
    for name, text in texts.items():
        _refuse_other_lines(folder / name, text)
    return texts


def _read(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            raw = file.read(_MOST_BYTES + 1)
        if len(raw) > _MOST_BYTES:
            raise UserInputError(
                f"{path} has more than {_MOST_BYTES >> 20} MiB", remedy="Render fewer nodes."
            )
        return raw.decode()
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        raise UserInputError(f"{path} is no text", remedy="Render it again.") from error
    except OSError as error:
        raise _unreadable(path, error) from error


def _refuse_other_lines(path: Path, text: str) -> None:
    for number, line in enumerate(text.splitlines(), start=1):
        if line and not line.startswith("#") and not _TAKEN[path.name].fullmatch(line):
            raise UserInputError(
                f"{path}:{number} is not what `cfslurm site render` writes: {line[:80]!r}",
                remedy="Take the line out, or render the file again.",
            )


def _unreadable(path: Path, error: OSError) -> SetupError:
    return SetupError(
        f"{path} cannot be read: {error.strerror}", remedy="Check who may read the folder."
    )
