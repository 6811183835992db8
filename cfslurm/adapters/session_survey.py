"""Looking at sessions from outside, at any time: what is there, and whether it is whole."""

from __future__ import annotations

from pathlib import Path

from cfslurm.adapters.session_claims import holder_of
from cfslurm.adapters.session_folder import journals_of, read_one
from cfslurm.adapters.session_io import list_folder
from cfslurm.adapters.session_journal import read_journal_after
from cfslurm.adapters.session_secret import Key
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
    """A folder with something of a session in it, or one that cannot be looked into."""
    if not layout.is_label(path.name) or not path.is_dir() or path.is_symlink():
        return False
    try:
        return list_folder(path).newest_epoch > 0
    except OSError:
        return True


def look_at(folder: Path, key: Key | None) -> SessionFacts:
    """A session at its newest generation whose description is whole; large parts are not read.

    What cannot be read is told, not raised.
    """
    problem, generation, saved_at, events, size = "", 0, "", 0, 0
    listing = layout.Listing()
    try:
        listing = list_folder(folder)
        size = sum(path.stat().st_size for path in folder.iterdir())
        generation, saved_at, events, problem = _newest(folder, listing, key)
    except SessionError as error:
        problem = f"{error.message}. {error.remedy}"
    except OSError as error:
        problem = str(error)
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


def _newest(folder: Path, listing: layout.Listing, key: Key | None) -> tuple[int, str, int, str]:
    """Number, time and events of the newest generation, with what was committed since; and problems."""
    from cfslurm.adapters.session_load import read_head

    problems = []
    for which in reversed(listing.generations):
        head = read_head(folder / which.file_name, key)
        if isinstance(head, Damage):
            problems.append(f"{which.file_name} is damaged: {head.reason}")
            continue
        commits = [
            change
            for after in journals_of(listing, which)
            for change in read_journal_after(folder, after, key).commits
        ]
        events = head.about.events + sum(len(change.events) for change in commits)
        return which.generation, head.about.stamp.saved_at, events, "; ".join(problems)
    return 0, "", 0, "; ".join(problems)


def verify(folder: Path, key: Key | None) -> tuple[GenerationFacts, ...]:
    """Read every generation of a session to its last byte, and their journals; newest first.

    Raises:
        SessionError: a generation is not ours to read.
        OSError: something cannot be read now.
    """
    listing = list_folder(folder)
    return tuple(
        facts
        for which in reversed(listing.generations)
        if (facts := _verified(folder, listing, which, key)) is not None
    )


def _verified(
    folder: Path, listing: layout.Listing, which: GenerationId, key: Key | None
) -> GenerationFacts | None:
    path = folder / which.file_name
    try:
        found = read_one(path, key)
        size = path.stat().st_size
        damaged_lines = sum(
            read_journal_after(folder, after, key).damaged for after in journals_of(listing, which)
        )
    except FileNotFoundError:
        return None  # pruned since
    holders: tuple[str, ...] = ()
    if not isinstance(found, Damage):
        holders = tuple(holder.file_name for holder in sorted(found.about.holders))
    return GenerationFacts(
        file=which.file_name,
        bytes=size,
        saved_at="" if isinstance(found, Damage) else found.about.stamp.saved_at,
        damage=found.reason if isinstance(found, Damage) else "",
        journal_damage=damaged_lines,
        refers_to=holders,
    )
