"""Looking at sessions from outside, at any time: what is there, and whether it is whole."""

from __future__ import annotations

from pathlib import Path

from cfslurm.adapters.session_claims import holder_of
from cfslurm.adapters.session_folder import read_journal_after, read_newest, read_one
from cfslurm.adapters.session_io import list_folder
from cfslurm.core.session import layout
from cfslurm.core.session.layout import Damage, GenerationId
from cfslurm.core.session.survey import GenerationFacts, SessionFacts
from cfslurm.errors import SessionError


def session_folders(parent: Path) -> tuple[Path, ...]:
    """The sessions in a folder, in the order of their names."""
    if not parent.is_dir():
        return ()
    return tuple(sorted(path for path in parent.iterdir() if _is_session(path)))


def _is_session(path: Path) -> bool:
    return layout.is_label(path.name) and path.is_dir() and not path.is_symlink()


def look_at(folder: Path) -> SessionFacts:
    """A session at its newest whole generation; what cannot be read is told, not raised."""
    problem, generation, saved_at, events = "", 0, "", 0
    try:
        listing = list_folder(folder)
        newest = read_newest(folder)
        size = sum((folder / which.file_name).stat().st_size for which in listing.generations)
    except SessionError as error:
        listing, newest, size, problem = layout.Listing(), None, 0, error.message
    except OSError as error:
        listing, newest, size, problem = layout.Listing(), None, 0, str(error)
    if newest is not None:
        generation, saved_at = newest.stamp.id.generation, newest.stamp.saved_at
        events, problem = len(newest.content.events), "; ".join(newest.warnings)
    epoch = listing.newest_epoch
    return SessionFacts(
        name=folder.name,
        folder=str(folder),
        generations=len(listing.generations),
        generation=generation,
        saved_at=saved_at,
        events=events,
        bytes=size,
        holder=holder_of(folder, epoch).holder.text if epoch in listing.epochs else "",
        is_held=epoch in listing.epochs and epoch not in listing.closed,
        problem=problem,
    )


def verify(folder: Path) -> tuple[GenerationFacts, ...]:
    """Read every generation of a session to its last byte, and their journals; newest first.

    Raises:
        SessionError: a generation is not ours to read.
        OSError: something cannot be read now.
    """
    listing = list_folder(folder)
    return tuple(
        facts
        for which in reversed(listing.generations)
        if (facts := _verified(folder, which, has_journal=which in listing.journals)) is not None
    )


def _verified(folder: Path, which: GenerationId, *, has_journal: bool) -> GenerationFacts | None:
    path = folder / which.file_name
    try:
        found = read_one(path)
        size = path.stat().st_size
    except FileNotFoundError:
        return None  # pruned since
    damaged_lines = read_journal_after(folder, which).damaged if has_journal else 0
    return GenerationFacts(
        file=which.file_name,
        bytes=size,
        damage=found.reason if isinstance(found, Damage) else "",
        journal_damage=damaged_lines,
    )
