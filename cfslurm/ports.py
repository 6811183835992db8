"""What a stage may ask of the world. An adapter has the shape of one of these; wiring joins them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # a port costs nothing at run time: `cfslurm queue` imports this module too
    from cfslurm.core.documents import Json
    from cfslurm.core.hardware.facts import ClusterFacts
    from cfslurm.core.hardware.probe import NodeProbe
    from cfslurm.core.models.headers import WeightsHeader
    from cfslurm.core.models.hub import FileRecord, HubSearch, RepoRecord, Security
    from cfslurm.core.models.refusal import Refusal
    from cfslurm.core.models.variants import ModelFile, Variant
    from cfslurm.core.planner.milp import Milp, Solution
    from cfslurm.core.slurm.command import Command, Completed


class RunCommand(Protocol):
    """Run a program without a shell and under its own timeout."""

    def __call__(self, command: Command, /) -> Completed:
        """Run it. A non-zero exit is a value.

        Raises:
            SetupError: the program is not there.
            SlurmUnavailableError: it ran past its timeout.
        """
        ...


class Clock(Protocol):
    """Time, as an argument."""

    def now(self) -> float:
        """Seconds since the epoch."""
        ...

    def monotonic(self) -> float:
        """Seconds that only ever grow."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class ClusterReader(Protocol):
    """One way to read a cluster: all backends bring back the same facts."""

    def read(self) -> ClusterFacts:
        """Read nodes, partitions, topology and settings, one call of each kind.

        Raises:
            SlurmUnavailableError: slurmctld does not answer.
            SlurmOutputError: an answer cannot be read.
        """
        ...


class KnownProbes(Protocol):
    """What nodes have said of themselves before."""

    def load(
        self, cluster: str, boots: Mapping[str, int | None]
    ) -> tuple[Mapping[str, NodeProbe], tuple[str, ...]]:
        """The newest answer of each node since its last boot, and what was ignored.

        ``boots`` has the nodes of the cluster with the time of their last boot in seconds since the
        epoch, None where Slurm does not know it.
        """
        ...


class Solver(Protocol):
    """A solver of mixed-integer programmes."""

    def __call__(self, milp: Milp, /, *, time_limit_s: float) -> Solution:
        """Solve it; never raises for a programme without a solution."""
        ...


class Hub(Protocol):
    """A Hugging Face Hub."""

    endpoint: str

    def ping(self) -> None:
        """Ask for next to nothing.

        Raises:
            HubUnavailableError: no usable answer.
        """
        ...

    def repository(self, repo_id: str, revision: str) -> RepoRecord:
        """A repository and the commit behind a branch, tag or commit.

        Raises:
            HubUnavailableError: no usable answer.
            HubAccessError: missing, private or gated.
        """
        ...

    def search(self, query: HubSearch, *, limit: int) -> tuple[RepoRecord, ...]:
        """Repositories of a kind, most downloaded first; never more than ``limit``."""
        ...

    def files(self, repo_id: str, revision: str) -> tuple[FileRecord, ...]:
        """All files at a commit, with sizes and hashes, in one listing."""
        ...

    def read_json(self, repo_id: str, revision: str, path: str) -> Json:
        """The content of a small JSON file.

        Raises:
            HubError: it cannot be had, is no JSON, or is larger than 16 MiB.
        """
        ...

    def read_text(self, repo_id: str, revision: str, path: str) -> str:
        """The content of a small text file; bytes that are no UTF-8 are shown as U+FFFD.

        Raises:
            HubError: it cannot be had, or is larger than 16 MiB.
        """
        ...

    def weights_header(
        self, repo_id: str, revision: str, file: FileRecord
    ) -> WeightsHeader | Refusal:
        """The header of a safetensors or GGUF file, without its data; refused where it is damaged.

        Raises:
            HubError: the Hub does not give the file.
        """
        ...

    def security(self, repo_id: str, revision: str) -> Security:
        """What the Hub's scanners say of a repository; a Hub without scanners says nothing."""
        ...

    def download(
        self, variant: Variant, file: ModelFile, into: Path, *, progress: Callable[[int], None]
    ) -> Path:
        """Fetch one file of a variant into a folder; ``progress`` is told of every byte count.

        The bytes are not yet verified.
        """
        ...


class ModelStore(Protocol):
    """The shared model cache: read-only folders, one for each variant, published by one rename."""

    def find(self, variant: Variant) -> Path | None:
        """The folder of a published, complete variant; None if no tier has it."""
        ...

    def place(self, variant: Variant) -> Path:
        """The folder in which `fetch` would publish a variant."""
        ...

    def fetch(
        self, variant: Variant, hub: Hub, *, progress: Callable[[ModelFile, int], None]
    ) -> Path:
        """Bring a variant in, verify every byte, publish it; at once if it is there already.

        Raises:
            CacheBusyError: somebody else is at it.
            CacheError: full, not writable, or the bytes are wrong.
        """
        ...


class RunStore(Protocol):
    """A run's directory: its documents, its scripts, and the ledger of what Slurm was told."""

    run_id: str
    path: Path
    client: str

    def write_text(self, name: str, text: str) -> Path:
        """Write a whole file of the run, or nothing."""
        ...

    def write_document(self, name: str, document: object) -> Path:
        """Write a document as JSON."""
        ...

    def read_json(self, name: str) -> Json:
        """Read a JSON file of the run.

        Raises:
            RunError: it is missing or damaged.
        """
        ...

    def append_ledger(self, event: Mapping[str, Json]) -> None:
        """Add an event; it is on stable storage when this returns."""
        ...

    def ledger(self) -> Sequence[Mapping[str, Json]]:
        """All events of all clients, oldest first; a line that was torn by a crash is left out."""
        ...
