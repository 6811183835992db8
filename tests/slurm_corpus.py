"""Real answers of Slurm, played back: a `RunCommand` over tests/corpus/slurm-VERSION/rich."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from cfslurm.core.slurm.command import Command, Completed

CORPUS = Path(__file__).parent / "corpus"
VERSIONS = ("22.05", "24.11", "26.05")
USER = "root"  # who captured it

# The words of a call that tell what it asks for → the file with its answer.
_FILES = (
    ("show config", "config"), ("show nodes", "nodes"), ("sinfo --json", "nodes"),
    ("NodeHost", "gres"), ("show partitions", "partitions"), ("show reservations", "reservations"),
    ("show licenses", "licenses"), ("show topology", "topology"), ("show topoconf", "topoconf"),
    ("squeue --json", "squeue"), ("squeue ", "running"), ("show qos", "qos"),
    (f"user={USER}", "own"), ("user=", "accounts"), ("sshare", "shares"),
)  # fmt: skip


def recorded(command: Command, folder: Path) -> Path:
    """The file with the answer to a call."""
    line = " ".join(command.argv)
    name = next(file for words, file in _FILES if words in line)
    return folder / f"{name}.{'json' if '--json' in command.argv else 'txt'}"


@dataclass
class Playback:
    """Answers like the Slurm of ``version`` did; ``instead`` has other texts for some files' names."""

    version: str
    instead: Mapping[str, str] = field(default_factory=dict)
    asked: list[Command] = field(default_factory=list)

    def __call__(self, command: Command, /) -> Completed:
        self.asked.append(command)
        path = recorded(command, CORPUS / f"slurm-{self.version}" / "rich")
        answer = Completed(command=command, returncode=0, stdout="", stderr="")
        if path.name in self.instead:
            return replace(answer, stdout=self.instead[path.name])
        if not path.exists():
            return replace(answer, returncode=1, stderr=f"{command.argv[0]}: unknown option")
        return replace(answer, stdout=path.read_text())
