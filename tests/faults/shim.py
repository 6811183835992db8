"""The library of `shim.c`: compiled once, loaded into a child with LD_PRELOAD."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path

import pytest

ACTIONS = {"fail": 1, "kill before": 2, "kill after": 3, "tear": 4, "short": 5}


def compiled(folder: Path) -> Path:
    """The shared library; the test is skipped where there is no C compiler."""
    cc = shutil.which("cc")
    if cc is None:
        pytest.skip("there is no C compiler")
    made = folder / "shim.so"
    source = Path(__file__).with_name("shim.c")
    words = [
        cc,
        "-shared",
        "-fPIC",
        "-O1",
        "-Wall",
        "-Werror",
        "-o",
        str(made),
        str(source),
        "-ldl",
    ]
    subprocess.run(words, check=True)
    return made


def loaded() -> ctypes.CDLL:
    """The library in a process that was started with it."""
    found = ctypes.CDLL(None)
    found.fault_count.restype = ctypes.c_long
    found.fault_strays.restype = ctypes.c_long
    found.fault_stray.restype = ctypes.c_char_p
    return found
