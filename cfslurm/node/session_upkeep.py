"""Keeping sessions in order: damaged files go aside, old ones go. Never beside a live writer."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cfslurm.adapters.clock import SystemClock, utc_text
from cfslurm.adapters.environment import Environment
from cfslurm.adapters.files import sync_folder
from cfslurm.adapters.session_claims import close_claim, take_claim, this_process
from cfslurm.adapters.session_folder import read_one, translated
from cfslurm.adapters.session_io import list_folder
from cfslurm.adapters.session_pruning import Pruner
from cfslurm.core.session.layout import Damage, GenerationId
from cfslurm.core.session.retention import Keep, Pruning
from cfslurm.errors import SessionError
from cfslurm.node.session_place import find_key
from cfslurm.node.session_snapshot import no_session

QUARANTINE = "quarantine"
_LATER_THAN_ALL = 10**12


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """What goes aside: damaged generations, by file name with the reason, and unfinished files.

    ``newest`` is the generation that the session then goes on from.
    """

    newest: str
    damaged: dict[str, str]
    unfinished: tuple[str, ...]


@contextlib.contextmanager
def claimed(folder: Path, environment: Environment, *, take_over: bool) -> Iterator[None]:
    """Hold a session, so that nobody begins to write it meanwhile.

    Raises:
        SessionHeldError: somebody has it.
    """
    with translated(folder):
        if not folder.is_dir() or not list_folder(folder).generations:
            raise no_session(folder)
        me = this_process(environment)
        at = utc_text(SystemClock().now())
        claim = take_claim(folder, me, session=folder.name, at=at, take_over=take_over)
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                close_claim(folder, claim.epoch)


def plan_repair(folder: Path, environment: Environment) -> Repair:
    """Read every generation to its last byte, and choose the newest one that is whole.

    Raises:
        SessionError: none is whole, or one is not ours to read.
    """
    key = find_key(environment)
    newest = ""
    damaged: dict[str, str] = {}
    with translated(folder):
        listing = list_folder(folder)
        for which in reversed(listing.generations):
            found = read_one(folder / which.file_name, key)
            if isinstance(found, Damage):
                damaged[which.file_name] = found.reason
            elif not newest:
                newest = which.file_name
    if not newest:
        if not damaged:
            raise no_session(folder)
        raise SessionError(
            f"session {folder.name} has no whole generation, so there is nothing to go on from",
            remedy=f"Restore {folder} from a backup; nothing was changed.",
        )
    below = listing.newest_epoch
    unfinished = tuple(name for epoch, name in listing.temporary if epoch <= below)
    return Repair(newest=newest, damaged=damaged, unfinished=unfinished)


def repair(folder: Path, environment: Environment, *, take_over: bool) -> Repair:
    """Put damaged and unfinished files into the folder ``quarantine``; nothing is removed or changed.

    Raises:
        SessionHeldError: somebody has the session.
        SessionError: none of its generations is whole.
    """
    with claimed(folder, environment, take_over=take_over):
        plan = plan_repair(folder, environment)
        if plan.damaged or plan.unfinished:
            aside = folder / QUARANTINE
            aside.mkdir(mode=0o700, exist_ok=True)
            for name in (*plan.damaged, *plan.unfinished):
                with contextlib.suppress(FileNotFoundError):
                    (folder / name).rename(aside / name.lstrip("."))
            sync_folder(aside)
            sync_folder(folder)
    return plan


def plan_pruning(folder: Path, environment: Environment, keep: Keep) -> Pruning:
    """What would go.

    Raises:
        SessionError: there is no session.
    """
    with translated(folder):
        if not folder.is_dir() or not list_folder(folder).generations:
            raise no_session(folder)
        return Pruner(folder, find_key(environment)).plan(_last(folder), keep)


def _last(folder: Path) -> GenerationId:
    """Behind everything that is there."""
    return GenerationId(list_folder(folder).newest_epoch, _LATER_THAN_ALL)


def prune(folder: Path, environment: Environment, keep: Keep, *, take_over: bool) -> Pruning:
    """Remove the generations that are too old, and what only they need.

    Raises:
        SessionHeldError: somebody has the session.
        SessionError: there is none, or something could not be removed.
    """
    with claimed(folder, environment, take_over=take_over):
        pruner = Pruner(folder, find_key(environment))
        plan = pruner.plan(_last(folder), keep)
        pruner.prune(plan)
    return plan
