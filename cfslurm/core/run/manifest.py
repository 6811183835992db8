"""The manifest: what a node must know to run its part. Written once, read by every task.

Read with plain ``json``, so that the node side needs nothing but the standard library.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from cfslurm.core.documents import Json
from cfslurm.errors import RunError

SCHEMA = "cfslurm.manifest/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantPlace:
    """A variant in the shared cache, as a node class uses it.

    ``path`` is a folder, or for GGUF the first file of the group.
    """

    variant: str
    repo_id: str
    revision: str
    quantization: str
    path: str
    tensor_parallel_size: int
    max_model_len: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramSession:
    """How a program's session is saved; None leaves a matter to the environment of the job."""

    checkpoint_s: int
    keep: int
    keep_hourly: int | None = None
    keep_daily: int | None = None
    is_coordinated: bool = False
    compression: str | None = None
    group: str | None = None
    key_file: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A command and its surroundings.

    ``variants`` maps a node class to the variant that its nodes use; empty without a model.
    ``session`` is None for a program that keeps no state.
    """

    command: tuple[str, ...]
    environment: Mapping[str, str]
    workdir: str
    variants: Mapping[str, VariantPlace]
    session: ProgramSession | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayPart:
    """The items of one array job: ``count`` items from ``first`` on, ``pack`` for each array task.

    ``variants`` maps a node class to the variant that the job's tasks use there: two jobs of one
    entry may use two variants on the same nodes.
    """

    first: int
    count: int
    pack: int
    variants: Mapping[str, VariantPlace] = field(default_factory=dict)

    def items_of(self, array_task_id: int) -> range:
        """The items of one array task."""
        start = self.first + array_task_id * self.pack
        return range(start, min(start + self.pack, self.first + self.count))

    @property
    def tasks(self) -> int:
        """How many array tasks there are."""
        return -(-self.count // self.pack)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayEntry:
    """A task: its program, its items, and how the jobs share them.

    ``items`` is the file with one JSON value a line, relative to the run; empty for a task without
    an array. ``parts`` maps a job's key to its items.
    """

    program: Program
    items: str
    parts: Mapping[str, ArrayPart]
    retries: int
    time_limit_s: int

    def program_of(self, job_key: str) -> Program:
        """The program with the variants of one job."""
        return replace(self.program, variants=self.parts[job_key].variants)


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentEntry:
    """A member of a gang; ``het_offset`` is its place in the het job."""

    name: str
    het_offset: int
    cpus: int
    is_service: bool
    program: Program


@dataclass(frozen=True, slots=True, kw_only=True)
class GangEntry:
    """A gang; ``jobs`` maps a job's key to the number of the replica."""

    components: tuple[ComponentEntry, ...]
    jobs: Mapping[str, int]
    retries: int
    time_limit_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """Everything a node must know.

    ``classes`` maps a node class to its nodes (a hostlist); ``addresses`` holds the nodes whose
    address is not their name.
    """

    schema: str = SCHEMA
    run_id: str
    run_dir: str
    workflow: str
    classes: Mapping[str, str]
    addresses: Mapping[str, str]
    max_requeues: int
    arrays: Mapping[str, ArrayEntry] = field(default_factory=dict)
    gangs: Mapping[str, GangEntry] = field(default_factory=dict)


def read_manifest(data: Json) -> Manifest:
    """The manifest in JSON data.

    Raises:
        RunError: it is of another version, or a key is missing or unknown.
    """
    found = data.get("schema") if isinstance(data, dict) else None
    if found != SCHEMA:
        raise RunError(
            f"the manifest is {found!r}, this cfslurm reads {SCHEMA}",
            remedy="Run the jobs with the cfslurm that submitted them.",
        )
    try:
        return _manifest(data)
    except (TypeError, KeyError, AttributeError) as error:
        raise RunError(
            f"the manifest is damaged: {error}", remedy="Submit the workflow again."
        ) from error


def _manifest(data: Any) -> Manifest:
    arrays = {
        name: ArrayEntry(
            **{
                **entry,
                "program": _program(entry["program"]),
                "parts": {key: _part(part) for key, part in entry["parts"].items()},
            }
        )
        for name, entry in data["arrays"].items()
    }
    gangs = {
        name: GangEntry(
            **{
                **entry,
                "components": tuple(
                    ComponentEntry(**{**part, "program": _program(part["program"])})
                    for part in entry["components"]
                ),
            }
        )
        for name, entry in data["gangs"].items()
    }
    return Manifest(**{**data, "arrays": arrays, "gangs": gangs})


def _program(data: Any) -> Program:
    told = data["session"]
    return Program(
        **{
            **data,
            "command": tuple(data["command"]),
            "variants": _variants(data["variants"]),
            "session": None if told is None else ProgramSession(**told),
        }
    )


def _part(data: Any) -> ArrayPart:
    return ArrayPart(**{**data, "variants": _variants(data["variants"])})


def _variants(data: Any) -> dict[str, VariantPlace]:
    return {node_class: VariantPlace(**place) for node_class, place in data.items()}
