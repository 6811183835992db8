"""HDF5 in a process of its own: whatever a strange file of version 1 does to it harms nobody else.

The process is given the content, opens no file, has a bounded memory and time, and answers with JSON.
"""

from __future__ import annotations

import base64
import resource
import signal
import sys
from typing import Any

from cfslurm.adapters.process import run
from cfslurm.adapters.session_source import DamageError
from cfslurm.core.session import values
from cfslurm.core.session.about import strange
from cfslurm.core.session.migrate import Tree
from cfslurm.core.slurm.command import Command
from cfslurm.errors import SessionError, SlurmUnavailableError

_MOST_BYTES = 256 * 1024**2
_MEMORY_BYTES = 4 * 1024**3
_TIMEOUT_S = 60.0


def read_apart(content: bytes | bytearray) -> Tree:
    """What HDF5 says of a file of version 1.

    Raises:
        DamageError: HDF5 cannot read it, although its digest is right.
        SessionError: it holds what no cfslurm writes, or is too large.
    """
    if len(content) > _MOST_BYTES:
        raise strange(f"{len(content)} bytes in the form of version 1")
    command = Command(
        argv=(sys.executable, "-P", "-m", __name__),
        stdin=base64.b64encode(content).decode(),
        timeout_s=_TIMEOUT_S,
    )
    try:
        done = run(command)
    except SlurmUnavailableError as error:
        raise DamageError(f"HDF5 did not come to an end with it in {_TIMEOUT_S:g} s") from error
    if done.returncode < 0:
        name = signal.Signals(-done.returncode).name
        raise DamageError(f"HDF5 cannot read it (it died of {name})")
    if done.returncode != 0:
        raise DamageError(f"HDF5 cannot read it ({done.stderr.strip()[-200:]})")
    answer: Any = values.decode(values.from_bytes(done.stdout.encode()))
    match answer:
        case {"refused": message, "remedy": remedy}:
            raise SessionError(message, remedy=remedy)
        case {"damage": reason}:
            raise DamageError(f"HDF5 cannot read it ({reason})")
        case {"datasets": dict(datasets), "texts": dict(texts), "numbers": dict(numbers)}:
            return Tree(datasets=datasets, texts=texts, numbers=numbers)
        case _:
            raise DamageError("HDF5 cannot read it")


def _answer(content: bytes) -> dict[str, object]:
    from cfslurm.adapters.session_image import MemoryFile
    from cfslurm.adapters.session_reading import HDF5_ERRORS, read_tree

    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
    file = MemoryFile()
    file.write(memoryview(content))
    try:
        tree = read_tree(file)
    except SessionError as error:
        return {"refused": error.message, "remedy": error.remedy}
    except (*HDF5_ERRORS, MemoryError) as error:
        return {"damage": str(error)[:200]}
    return {
        "datasets": dict(tree.datasets),
        "texts": dict(tree.texts),
        "numbers": dict(tree.numbers),
    }


if __name__ == "__main__":
    found = _answer(base64.b64decode(sys.stdin.read()))
    sys.stdout.write(values.to_bytes(values.encode(found, name="tree")).decode())
