"""A libnvidia-ml.so.1 for tests: C code that tells of the GPUs in a description file.

The real ``pynvml`` loads it through ctypes, as it loads NVIDIA's. Put the folder of `build` first
into LD_LIBRARY_PATH, and the path of a profile into FAKENVML.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

HERE = Path(__file__).parent
PROFILES = HERE / "profiles"
NEW, OLD, EMPTY = "new", "old", "empty"
_SOURCES = ("fakenvml.c", "description.c")
_FLAGS = ("-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-Wshadow")
_LIBRARY = ("-fPIC", "-shared", "-fvisibility=hidden", "-Wl,-soname,libnvidia-ml.so.1")


def build(folder: Path, kind: str = NEW) -> Path:
    """Compile the library into a folder of its own, and return that.

    OLD lacks what drivers of 2020 lack; EMPTY is a library of that name without one function of NVML.
    """
    target = folder / kind
    target.mkdir()
    empty = target / "empty.c"
    empty.write_text("int cfslurm_nothing(void);\nint cfslurm_nothing(void) { return 0; }\n")
    sources = [empty] if kind == EMPTY else [HERE / name for name in _SOURCES]
    define = ("-DFAKENVML_OLD",) if kind == OLD else ()
    _compile(*_FLAGS, *_LIBRARY, *define, *map(str, sources), "-lpthread",
             "-o", str(target / "libnvidia-ml.so.1"))  # fmt: skip
    return target


def build_driver(folder: Path) -> Path:
    """A program that asks the library everything, right and wrong, under sanitizers."""
    program = folder / "drive"
    sources = [str(HERE / name) for name in (*_SOURCES, "drive.c")]
    _compile(*_FLAGS, "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", *sources,
             "-lpthread", "-o", str(program))  # fmt: skip
    return program


def profile(name: str) -> Path:
    """The description of a machine."""
    return PROFILES / f"{name}.txt"


def _compile(*arguments: str) -> None:
    done = subprocess.run(["cc", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
