"""Sessions that begin with what another one holds: forks, copies, imports; and files made of sessions."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cfslurm import __version__
from cfslurm.adapters.clock import SystemClock, utc_text
from cfslurm.adapters.environment import Environment
from cfslurm.adapters.files import sync_folder
from cfslurm.adapters.session_claims import close_claim, take_claim, this_process
from cfslurm.adapters.session_folder import read_newest, read_one, translated
from cfslurm.adapters.session_io import Access, link_new, list_folder, temporary_file, write_all
from cfslurm.adapters.session_survey import look_at
from cfslurm.core.session.content import Values, pack, unpack
from cfslurm.core.session.layout import Damage, GenerationId
from cfslurm.errors import SessionError
from cfslurm.node.session_opening import opened
from cfslurm.node.session_place import find_key, place_of
from cfslurm.node.session_snapshot import find_generation, held_by, no_session

if TYPE_CHECKING:
    from cfslurm.adapters.session_load import Loaded
    from cfslurm.adapters.session_writer import SessionWriter

_WRITER = f"cfslurm {__version__}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A session or file that was made; ``warnings`` says what of the source was damaged."""

    path: Path
    generation: int
    events: int
    bytes: int
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Found:
    held: Values
    origin: Loaded
    warnings: tuple[str, ...]

    @property
    def parent(self) -> str:
        """Where it was found, as a generation says it."""
        trailer = self.origin.trailer
        return f"{trailer.id.file_name}:{trailer.digest.hex()}"


def _find(source: Path, generation: int | None, environment: Environment) -> _Found:
    """What a session holds now, or what a generation or an exported file held."""
    key = find_key(environment)
    with translated(source):
        if generation is not None:
            source = find_generation(source, generation)
        if source.suffix == ".h5":
            found = read_one(source, key)
            if isinstance(found, Damage):
                raise SessionError(
                    f"{source.name} is damaged: {found.reason}",
                    remedy="`cfslurm sessions verify` says which generations are whole.",
                )
            return _Found(unpack(found.content), found, ())
        newest = read_newest(source, key) if source.is_dir() else None
    if newest is None:
        raise no_session(source)
    return _Found(held_by(newest), newest.loaded, newest.warnings)


def fork(
    source: Path, target: Path, environment: Environment, *, generation: int | None = None
) -> Made:
    """Begin a session with what another holds, with what a generation held, or with an exported file.

    The source is only read, at any time.

    Raises:
        SessionError: there is nothing to be read, or the target is there already.
    """
    found = _find(source, generation, environment)
    with _new(target, environment) as writer:
        writer.come_from(found.parent)
        saved = writer.publish(pack(found.held), writer=_WRITER, saved_at=_now())
    return _made(target, saved, len(found.held.log), found.warnings)


def copy(source: Path, target: Path, environment: Environment) -> Made:
    """Copy a session with all the generations that are kept; damaged ones are left out and told.

    Raises:
        SessionError: there is nothing to be read, or the target is there already.
    """
    key = find_key(environment)
    warnings: list[str] = []
    with translated(source):
        listing = list_folder(source) if source.is_dir() else None
        if listing is None or not listing.generations:
            raise no_session(source)
        saved = listing.generations[-1]
        with _new(target, environment) as writer:
            for which in listing.generations:
                with contextlib.suppress(FileNotFoundError):  # pruned since
                    found = read_one(source / which.file_name, key)
                    if isinstance(found, Damage):
                        warnings.append(f"{which.file_name} is left out: {found.reason}")
                        continue
                    stamp = found.about.stamp
                    saved = writer.publish(
                        found.content, writer=stamp.writer, saved_at=stamp.saved_at
                    )
            newest = read_newest(source, key)
            assert newest is not None
            held = held_by(newest)
            if newest.commits or newest.steps:
                saved = writer.publish(pack(held), writer=_WRITER, saved_at=_now())
    return _made(target, saved, len(held.log), tuple(warnings))


def move(source: Path, target: Path, environment: Environment, *, take_over: bool) -> Made:
    """Move a session to another place; nobody may be writing it.

    Raises:
        SessionHeldError: somebody has it.
        SessionError: there is none, or the target is there already.
    """
    _check_free(target)
    with translated(source):
        if not source.is_dir() or not list_folder(source).generations:
            raise no_session(source)
        me = this_process(environment)
        claim = take_claim(source, me, session=source.name, at=_now(), take_over=take_over)
        place = source
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                source.rename(target)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                copy(source, target, environment)
                shutil.rmtree(source)
            place = target
            sync_folder(target.parent)
        finally:
            with contextlib.suppress(OSError):
                close_claim(place, claim.epoch)
    facts = look_at(target, find_key(environment))
    return _made(target, GenerationId(0, facts.generation), facts.events, ())


def export_file(
    source: Path, target: Path, environment: Environment, *, generation: int | None = None
) -> Made:
    """Write what a session holds into one HDF5 file that needs no other, readable and not encrypted.

    Raises:
        SessionError: there is nothing to be read, or the file is there already.
    """
    from cfslurm.adapters.session_file import Store, write_generation

    found = _find(source, generation, environment)
    stamp = found.origin.about.stamp
    with _new_file(target) as descriptor:
        store = Store(folder=target.parent)
        write_generation(descriptor, stamp, pack(found.held), store)
    return _made(target, stamp.id, len(found.held.log), found.warnings)


def export_events(
    source: Path, target: Path, environment: Environment, *, generation: int | None = None
) -> Made:
    """Write the events of a session as JSON lines.

    Raises:
        SessionError: there is nothing to be read, or the file is there already.
    """
    found = _find(source, generation, environment)
    with _new_file(target) as descriptor:
        at = 0
        for line in found.held.log.lines():
            write_all(descriptor, line + b"\n", at=at)
            at += len(line) + 1
        os.fsync(descriptor)
    which = found.origin.trailer.id
    return _made(target, which, len(found.held.log), found.warnings)


@contextlib.contextmanager
def _new(target: Path, environment: Environment) -> Iterator[SessionWriter]:
    """A writer of a session that is not there yet; if anything fails, it is not there."""
    _check_free(target)
    place = place_of(environment, target, target.name)
    try:
        with opened(environment, place, take_over=False) as (saving, _), translated(target):
            yield saving.writer
            saving.writer.release()
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        raise


def _check_free(target: Path) -> None:
    if target.exists() or target.is_symlink():
        raise SessionError(
            f"{target} is there already", remedy="Choose another name; nothing is overwritten."
        )


@contextlib.contextmanager
def _new_file(target: Path) -> Iterator[int]:
    """A private file that appears when it is whole, and never over another one."""
    _check_free(target)
    temporary = target.parent / f".{target.name}.{secrets.token_hex(6)}"
    with translated(target), temporary_file(temporary, Access()) as descriptor:
        yield descriptor
        if not link_new(temporary, target):
            _check_free(target)


def _made(path: Path, which: GenerationId, events: int, warnings: tuple[str, ...]) -> Made:
    files = path.iterdir() if path.is_dir() else (path,)
    size = sum(file.stat().st_size for file in files if file.is_file())
    return Made(
        path=path, generation=which.generation, events=events, bytes=size, warnings=warnings
    )


def _now() -> str:
    return utc_text(SystemClock().now())
