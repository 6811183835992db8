"""Nothing of the developer's machine reaches a test."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# On a busy machine a call that is right may be slow: no test fails for its time. What fails is
# printed so that it can be run again: @reproduce_failure(...).
settings.register_profile(
    "cfslurm", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("cfslurm")

# Started in the background, a shell lets tests ignore Ctrl-C, and all that they start; they mean to try it.
signal.signal(signal.SIGINT, signal.default_int_handler)

_OURS = ("CFSLURM_", "SLURM_", "SBATCH_", "SQUEUE_", "SINFO_", "HF_", "XDG_")


@pytest.fixture(autouse=True)
def clean_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    import os

    for name in list(os.environ):
        if name.startswith(_OURS):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")


@pytest.fixture
def corpus() -> Path:
    """Real outputs, one folder for each Slurm version."""
    return Path(__file__).parent / "corpus"


@pytest.fixture(
    params=["plain", "a b", "it's; echo foo", "$(touch x)", "ünï-コード", "per%cent\\back"]
)
def weird_path(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """Folders whose names break careless code."""
    folder = tmp_path / str(request.param)
    folder.mkdir()
    return folder
