"""Which generations stay, which files they need, and which parts are better written again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cfslurm.core.session.about import PartRef
from cfslurm.core.session.layout import (
    KEEP,
    GenerationId,
    Listing,
    claim_name,
    closed_name,
)

KEEP_CLAIMS = 10
MAX_HOLDERS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """What stays: the ``last`` generations; of older ones the last of each of so many hours and days."""

    last: int = KEEP
    hourly: int = 0
    daily: int = 0


def kept(
    generations: Iterable[GenerationId], saved_at: Mapping[GenerationId, str], keep: Keep
) -> frozenset[GenerationId]:
    """The generations that stay.

    Shape: ``saved_at`` is UTC, ``2026-11-21T02:14:35Z``. A generation whose time is not known stays:
        it cannot be read now, and what cannot be read is not thrown away by a rule about time.
    """
    ordered = sorted(generations, reverse=True)
    stay = set(ordered[: max(keep.last, 1)])
    if not (keep.hourly or keep.daily):
        return frozenset(stay)
    stay |= {which for which in ordered if which not in saved_at}
    for length, most in ((len("2026-11-21T02"), keep.hourly), (len("2026-11-21"), keep.daily)):
        periods: dict[str, GenerationId] = {}
        for which in ordered:
            if which in saved_at:
                periods.setdefault(saved_at[which][:length], which)
        newest = sorted(periods, reverse=True)[:most]
        stay |= {periods[period] for period in newest}
    return frozenset(stay)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruning:
    """What a pruning does: names to remove, and generations to keep for their parts only."""

    remove: tuple[str, ...] = ()
    demote: tuple[GenerationId, ...] = ()


def pruning(
    listing: Listing,
    published: GenerationId,
    *,
    stay: frozenset[GenerationId],
    needed: frozenset[GenerationId],
) -> Pruning:
    """What may go after a generation was published.

    What sorts after the published one is another writer's: not ours to judge. Journals go with the
    generations before them. The last claims stay, because they tell who had the session.
    """
    ours = [which for which in listing.generations if which <= published]
    gone = [which for which in ours if which not in stay]
    first = min((which for which in ours if which in stay), default=published)
    spent = [
        journal
        for journal in listing.journals
        if max((w for w in ours if w <= journal), default=None) in (None, *gone)
        and journal < max(first, published)
    ]
    old = published.epoch - KEEP_CLAIMS
    return Pruning(
        remove=(
            *(which.file_name for which in gone if which not in needed),
            *(w.parts_name for w in listing.holders if w not in needed and w <= published),
            *(which.journal_name for which in spent),
            *(claim_name(epoch) for epoch in listing.epochs if epoch <= old),
            *(closed_name(epoch) for epoch in sorted(listing.closed) if epoch <= old),
        ),
        demote=tuple(which for which in gone if which in needed),
    )


def worn(
    unchanged: Mapping[str, PartRef], file_bytes: Mapping[GenerationId, int]
) -> frozenset[GenerationId]:
    """The files to refer to no longer: mostly unused now, gone, or one too many.

    What they still hold is written again, which costs less than half of what it frees.
    """
    live: dict[GenerationId, int] = {}
    for ref in unchanged.values():
        live[ref.where] = live.get(ref.where, 0) + ref.stored_bytes
    bad = {w for w, used in live.items() if 2 * used < file_bytes.get(w, 4 * used)}
    good = sorted((w for w in live if w not in bad), key=lambda w: (live[w], w))
    return frozenset(bad | set(good[: max(0, len(good) - MAX_HOLDERS)]))
