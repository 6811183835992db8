"""Reading a session without writing it."""

from __future__ import annotations

from pathlib import Path

from cfslurm.adapters.session_folder import Newest, read_newest, read_one, translated
from cfslurm.core.session import values
from cfslurm.core.session.content import Events, Snapshot, Stamp, Values, unpack
from cfslurm.core.session.layout import Damage
from cfslurm.errors import SessionError


def held_by(newest: Newest | None) -> Values:
    """What a session holds: its newest generation, and what was recorded after it."""
    if newest is None:
        return Values()
    held = unpack(newest.content)
    held.steps = {**newest.steps, **held.steps}
    return held


def read_session(path: Path) -> Snapshot:
    """Read a session's folder, or exactly one generation of it.

    Raises:
        SessionError: there is none, or it is damaged, or a newer cfslurm wrote it.
    """
    with translated(path):
        if path.suffix == ".h5":
            return _one_generation(path)
        newest = read_newest(path) if path.is_dir() else None
    if newest is None:
        raise no_session(path)
    return _snapshot(newest.stamp, held_by(newest), newest.warnings)


def no_session(path: Path) -> SessionError:
    """What to say of a folder that holds none."""
    return SessionError(
        f"there is no session in {path}",
        remedy="Name the session's own folder: <run>/sessions/<name>.",
    )


def _one_generation(path: Path) -> Snapshot:
    found = read_one(path)
    if isinstance(found, Damage):
        raise SessionError(
            f"{path.name} is damaged: {found.reason}",
            remedy=f"Session.read({str(path.parent)!r}) finds the newest whole one.",
        )
    stamp, content, _ = found
    return _snapshot(stamp, unpack(content), ())


def _snapshot(stamp: Stamp, held: Values, warnings: tuple[str, ...]) -> Snapshot:
    return Snapshot(
        name=stamp.session,
        epoch=stamp.id.epoch,
        generation=stamp.id.generation,
        saved_at=stamp.saved_at,
        writer=stamp.writer,
        state=held.state,
        events=Events(held.lines),
        steps={key: values.decode(tree) for key, tree in held.steps.items()},
        warnings=warnings,
    )
