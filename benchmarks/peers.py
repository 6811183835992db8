"""Programs of other projects, measured where somebody has installed them; cfslurm needs none of them.

They live in an environment of their own, so that their libraries cannot become ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import Program

FOLDER = Path(".peers")
# Left out: NeMo-Run, whose program ends with an ImportError after `pip install nemo-run` (0.11.1);
# HyperQueue, whose program PyPI does not have; those that need Kubernetes, Docker or root.


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """One project: what pip calls it, and what is run of it."""

    package: str
    program: str
    options: tuple[str, ...]

    @property
    def name(self) -> str:
        """How the table calls it."""
        return " ".join((self.program, *self.options))

    def in_folder(self, folder: Path) -> Path:
        """Its program in a virtual environment."""
        return folder / "bin" / self.program


PEERS = (
    Peer(package="submitit", program="python", options=("-c", "import submitit")),
    Peer(package="reportseff", program="reportseff", options=("--help",)),
    Peer(package="vec-inf", program="vec-inf", options=("--help",)),
    Peer(package="parsl", program="python", options=("-c", "import parsl")),
    Peer(package="snakemake", program="snakemake", options=("--help",)),
    Peer(package="skypilot", program="sky", options=("--help",)),
)


def installed(folder: Path) -> dict[str, str]:
    """The version of every peer that an environment has, by the folders that pip leaves."""
    found = {}
    for peer in PEERS:
        stem = peer.package.replace("-", "_")
        for place in sorted(folder.glob(f"lib/python3*/site-packages/{stem}-*.dist-info")):
            found[peer.package] = place.name.removeprefix(f"{stem}-").removesuffix(".dist-info")
    return found


def programs(folder: Path, env: Mapping[str, str], cwd: Path) -> tuple[Program, ...]:
    """What to measure of those that are there."""
    quiet = {**env, "SKYPILOT_DISABLE_USAGE_COLLECTION": "1"}  # nothing is sent anywhere
    here = installed(folder)
    return tuple(
        Program(
            name=peer.name,
            argv=(str(peer.in_folder(folder.absolute())), *peer.options),
            env=quiet,
            cwd=cwd,
        )
        for peer in PEERS
        if peer.package in here
    )


def notes(folder: Path) -> tuple[str, ...]:
    """Which versions were measured, and how to get those that are missing."""
    here = installed(folder)
    missing = [peer.package for peer in PEERS if peer.package not in here]
    found = ", ".join(f"{package} {version}" for package, version in sorted(here.items()))
    lines = [f"peers: {found}"] if found else []
    if missing:
        lines.append(f"not installed, so not measured: {', '.join(missing)}; to have them:")
        lines.append(f"python3 -m venv {folder} && {folder}/bin/pip install {' '.join(missing)}")
    return tuple(lines)
