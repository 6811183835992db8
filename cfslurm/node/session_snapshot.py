"""Reading a session without writing it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cfslurm.adapters.session_folder import Newest, read_newest, read_one, translated
from cfslurm.adapters.session_io import list_folder
from cfslurm.adapters.session_secret import Key
from cfslurm.core.session import values
from cfslurm.core.session.about import Stamp
from cfslurm.core.session.content import Snapshot, Values, unpack
from cfslurm.core.session.layout import Damage
from cfslurm.core.session.log import Events
from cfslurm.errors import SessionError

if TYPE_CHECKING:
    from cfslurm.adapters.session_load import Loaded


def held_by(newest: Newest | None) -> Values:
    """What a session holds: its newest generation, and what was recorded after it."""
    if newest is None:
        return Values()
    held = unpack(newest.loaded.content, newest.commits)
    held.steps = {**newest.steps, **held.steps}
    return held


def read_session(path: Path, *, key: Key | None = None, generation: int | None = None) -> Snapshot:
    """Read a session's folder, or exactly one generation of it.

    Raises:
        SessionError: there is none, or it is damaged, or a newer cfslurm wrote it.
    """
    with translated(path):
        if generation is not None:
            path = find_generation(path, generation)
        if path.suffix == ".h5":
            return _one_generation(path, key)
        newest = read_newest(path, key) if path.is_dir() else None
    if newest is None:
        raise no_session(path)
    return _snapshot(newest.loaded.about.stamp, held_by(newest), newest.warnings)


def find_generation(folder: Path, generation: int) -> Path:
    """The file of a generation that is kept; of two with one number the one of the later epoch.

    Raises:
        SessionError: it is not there.
    """
    listing = list_folder(folder)
    found = [which for which in listing.generations if which.generation == generation]
    if not found:
        there = ", ".join(str(which.generation) for which in listing.generations)
        raise SessionError(
            f"session {folder.name} has no generation {generation}",
            remedy=f"It has these: {there}." if there else "It has none.",
        )
    return folder / found[-1].file_name


def no_session(path: Path) -> SessionError:
    """What to say of a folder that holds none."""
    return SessionError(
        f"there is no session in {path}",
        remedy="Name the session's own folder: <run>/sessions/<name>.",
    )


def _one_generation(path: Path, key: Key | None) -> Snapshot:
    found: Loaded | Damage = read_one(path, key)
    if isinstance(found, Damage):
        raise SessionError(
            f"{path.name} is damaged: {found.reason}",
            remedy=f"Session.read({str(path.parent)!r}) finds the newest whole one.",
        )
    return _snapshot(found.about.stamp, unpack(found.content), ())


def _snapshot(stamp: Stamp, held: Values, warnings: tuple[str, ...]) -> Snapshot:
    return Snapshot(
        name=stamp.session,
        epoch=stamp.id.epoch,
        generation=stamp.id.generation,
        saved_at=stamp.saved_at,
        writer=stamp.writer,
        state=held.state,
        events=Events(held.log),
        steps={key: values.decode(tree) for key, tree in held.steps.items()},
        warnings=warnings,
    )
