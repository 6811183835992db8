"""Removing what is too old from a session's folder, and nothing that something else needs."""

from __future__ import annotations

from pathlib import Path

from cfslurm.adapters.session_io import list_folder
from cfslurm.adapters.session_secret import Key
from cfslurm.core.session.about import About
from cfslurm.core.session.layout import Damage, GenerationId, Listing
from cfslurm.core.session.retention import Keep, Pruning, kept, pruning
from cfslurm.errors import SessionError


class Pruner:
    """Knows what the generations of a folder say of themselves; each is asked once."""

    def __init__(self, folder: Path, key: Key | None) -> None:
        self._folder = folder
        self._key = key
        self._abouts: dict[GenerationId, About | None] = {}

    def learn(self, about: About) -> None:
        """What a generation says that was read or written just now."""
        self._abouts[about.stamp.id] = about

    def plan(self, last: GenerationId, keep: Keep) -> Pruning:
        """What may go; generations behind ``last`` are another writer's.

        The newest one that is whole always stays, and those that a gang may have to go back to.

        Raises:
            OSError: the folder cannot be read.
        """
        listing = list_folder(self._folder)
        ours = [which for which in listing.generations if which <= last]
        stay = kept(ours, self._times(ours, keep), keep)
        whole = next((w for w in reversed(ours) if self._about(w) is not None), None)
        stay |= listing.marked | ({whole} if whole is not None else set(ours))
        stay |= listing.marked & frozenset(ours)
        for which in self._abouts.keys() - set(listing.generations):
            del self._abouts[which]
        return pruning(listing, last, stay=stay, needed=self._needed(listing, stay, last))

    def prune(self, plan: Pruning) -> None:
        """Do it.

        Raises:
            OSError: something could not be removed.
        """
        for name in plan.remove:
            (self._folder / name).unlink(missing_ok=True)
        for which in plan.demote:
            (self._folder / which.file_name).rename(self._folder / which.parts_name)

    def _times(self, ours: list[GenerationId], keep: Keep) -> dict[GenerationId, str]:
        if not (keep.hourly or keep.daily):
            return {}
        abouts = {which: self._about(which) for which in ours}
        return {which: about.stamp.saved_at for which, about in abouts.items() if about}

    def _needed(
        self, listing: Listing, stay: frozenset[GenerationId], last: GenerationId
    ) -> frozenset[GenerationId]:
        """The files that the generations that stay refer to; all, if one of them cannot be read."""
        needed: set[GenerationId] = set()
        for which in (*stay, *(w for w in listing.generations if w > last)):
            about = self._about(which)
            if about is None:
                return frozenset((*listing.generations, *listing.holders))
            needed |= about.holders
        return frozenset(needed)

    def _about(self, which: GenerationId) -> About | None:
        """What a generation says of itself; None if it cannot be read."""
        if which not in self._abouts:
            from cfslurm.adapters.session_load import read_head

            try:
                head = read_head(self._folder / which.file_name, self._key)
            except (OSError, SessionError):
                return None
            self._abouts[which] = None if isinstance(head, Damage) else head.about
        return self._abouts[which]
