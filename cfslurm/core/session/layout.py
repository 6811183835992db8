"""The layout of a session, version 2: names of files, and names inside a generation.

A session is a folder. Everything in it is written once and never changed (a journal only grows), so a
reader needs no lock. docs/reference/session-format.md says the rest.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from cfslurm.errors import SessionError

SCHEMA = "cfslurm.session"
VERSION = 2
CLAIM_SCHEMA = "cfslurm.session.claim/1"
JOURNAL_SCHEMA = "cfslurm.session.journal/2"

# Inside a generation. Every dataset but those below `state` and `events` is named.
ABOUT = "about"
STATE = "state"
STATE_JSON = "state_json"
EVENTS = "events"
STEPS = "steps"
RNG = "rng"
STATE_PREFIX = f"{STATE}/"
EVENTS_PREFIX = f"{EVENTS}/"
NAMED_DATASETS = (STATE_JSON, STEPS, RNG)

# Attributes of a dataset below `state`.
KIND = "kind"
DTYPE = "dtype"
KIND_ARRAY = "array"
KIND_BYTES = "bytes"

# From this size on a dataset is a part: it has a digest of its own, and is not written again unchanged.
PART_BYTES = 64 * 1024
ALIGNMENT = 4096

KEEP = 3

_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_EPOCH = re.compile(r"epoch-(\d{4,9})(\.closed)?")
_GENERATION = re.compile(r"([gjp])(\d{4,9})-(\d{12})\.(h5|log)")
_ROUND_MARK = re.compile(r"r\d{12}-a\d{6}-g(\d{4,9})-(\d{12})")
_TEMPORARY = re.compile(r"\.tmp-(\d{4,9})-[0-9a-f]{1,64}")


@dataclass(frozen=True, slots=True, order=True)
class GenerationId:
    """Which generation; the epoch counts first, so an old writer's late save is never the newest."""

    epoch: int
    generation: int

    @property
    def file_name(self) -> str:
        """The generation's file: ``g0003-000000000057.h5``."""
        return f"g{self.epoch:04d}-{self.generation:012d}.h5"

    @property
    def parts_name(self) -> str:
        """The same file once it is kept only for parts that later generations refer to."""
        return f"p{self.epoch:04d}-{self.generation:012d}.h5"

    @property
    def journal_name(self) -> str:
        """The journal of what was recorded after it: ``j0003-000000000057.log``."""
        return f"j{self.epoch:04d}-{self.generation:012d}.log"


def claim_name(epoch: int) -> str:
    """The file that says who may write in an epoch."""
    return f"epoch-{epoch:04d}"


def closed_name(epoch: int) -> str:
    """The file that says that the holder of an epoch has ended and will not write again."""
    return f"epoch-{epoch:04d}.closed"


def temporary_name(epoch: int, token: str) -> str:
    """A file that is being written; readers pass it over."""
    return f".tmp-{epoch:04d}-{token}"


def is_label(text: str) -> bool:
    """True for a session's name: up to 200 letters, digits, ``.``, ``_`` and ``-``."""
    return _LABEL.fullmatch(text) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What lies in a session's folder, each in ascending order; strange files are passed over.

    ``marked`` are generations that a gang may have to go back to: see `cfslurm.core.session.rounds`.
    """

    epochs: tuple[int, ...] = ()
    closed: frozenset[int] = frozenset()
    generations: tuple[GenerationId, ...] = ()
    journals: tuple[GenerationId, ...] = ()
    holders: tuple[GenerationId, ...] = ()
    temporary: tuple[tuple[int, str], ...] = ()
    marked: frozenset[GenerationId] = frozenset()

    @property
    def newest_epoch(self) -> int:
        """The highest number that was ever claimed; 0 in a new folder."""
        of_files = (found.epoch for found in (*self.generations, *self.journals, *self.holders))
        return max((*self.epochs, *self.closed, *of_files), default=0)


def read_listing(names: Iterable[str]) -> Listing:
    """Sort the names of a folder by what they are."""
    epochs: set[int] = set()
    closed: set[int] = set()
    temporary: list[tuple[int, str]] = []
    marked: set[GenerationId] = set()
    found: dict[str, list[GenerationId]] = {"g": [], "j": [], "p": []}
    for name in names:
        if match := _EPOCH.fullmatch(name):
            (closed if match[2] else epochs).add(int(match[1]))
        elif match := _GENERATION.fullmatch(name):
            which = GenerationId(int(match[2]), int(match[3]))
            if name in (which.file_name, which.journal_name, which.parts_name):
                found[match[1]].append(which)
        elif match := _ROUND_MARK.fullmatch(name):
            marked.add(GenerationId(int(match[1]), int(match[2])))
        elif match := _TEMPORARY.fullmatch(name):
            temporary.append((int(match[1]), name))
    return Listing(
        epochs=tuple(sorted(epochs)),
        closed=frozenset(closed),
        generations=tuple(sorted(found["g"])),
        journals=tuple(sorted(found["j"])),
        holders=tuple(sorted(found["p"])),
        temporary=tuple(sorted(temporary)),
        marked=frozenset(marked),
    )


@dataclass(frozen=True, slots=True)
class Damage:
    """Why a file is not what was once written: torn, cut off, changed, overwritten."""

    reason: str


def check_version(version: int) -> None:
    """Refuse a version that this cfslurm does not know.

    Raises:
        SessionError: it is newer, or no version at all.
    """
    if version > VERSION:
        raise newer_error(f"format version {version}")
    if version < 1:
        raise SessionError(
            f"the session has format version {version}, which never existed",
            remedy="Move the file out of the folder; the generation before it is read then.",
        )


def newer_error(what: str) -> SessionError:
    """The error for something that only a newer cfslurm can have written."""
    return SessionError(
        f"the session was written by a newer cfslurm: {what}",
        remedy="Upgrade cfslurm where this runs; going on with the old one would lose state.",
    )
