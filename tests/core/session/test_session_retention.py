"""What stays, what goes, what is written again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cfslurm.core.session import layout
from cfslurm.core.session.about import PartRef
from cfslurm.core.session.layout import GenerationId, read_listing
from cfslurm.core.session.retention import MAX_HOLDERS, Keep, kept, pruning, worn

IDS = st.builds(GenerationId, st.integers(0, 10**8), st.integers(0, 10**12 - 1))


def ids(*numbers: int) -> list[GenerationId]:
    return [GenerationId(1, number) for number in numbers]


def removed(names: list[str], published: GenerationId, keep: int) -> set[str]:
    listing = read_listing(names)
    ours = [which for which in listing.generations if which <= published]
    stay = kept(ours, {}, Keep(last=keep))
    return set(pruning(listing, published, stay=stay, needed=frozenset()).remove)


def test_the_last_generations_are_kept_with_their_journals() -> None:
    found = [GenerationId(1, 1), GenerationId(1, 2), *(GenerationId(2, n) for n in (3, 4, 5))]
    names = [which.file_name for which in found] + [which.journal_name for which in found]
    gone = found[:2]
    assert removed(names, found[-1], 3) == {
        name for which in gone for name in (which.file_name, which.journal_name)
    }


def test_another_writers_later_generation_is_not_ours_to_remove() -> None:
    found = [GenerationId(1, 1), GenerationId(1, 2), GenerationId(2, 1), GenerationId(2, 2)]
    names = [which.file_name for which in found]
    assert removed(names, GenerationId(1, 2), 2) == set()


@given(st.lists(IDS, unique=True, min_size=1), st.integers(-3, 10))
def test_the_published_generation_is_never_removed(found: list[GenerationId], keep: int) -> None:
    last = max(found)
    gone = removed([which.file_name for which in found], last, keep)
    assert last.file_name not in gone
    assert len(found) - len(gone) == min(len(found), max(keep, 1))


def test_old_claims_are_removed() -> None:
    names = [*(layout.claim_name(e) for e in range(1, 21)), layout.closed_name(3)]
    assert removed(names, GenerationId(20, 1), 3) == {
        *(layout.claim_name(e) for e in range(1, 11)),
        layout.closed_name(3),
    }


def test_what_a_later_generation_needs_stays_under_another_name() -> None:
    found = ids(1, 2, 3)
    names = [found[0].parts_name, found[1].file_name, found[2].file_name]
    plan = pruning(
        read_listing(names),
        found[2],
        stay=frozenset(found[2:]),
        needed=frozenset(found[1:2]),
    )
    assert (plan.demote, plan.remove) == ((found[1],), (found[0].parts_name,))


def test_older_generations_are_thinned_to_one_an_hour_and_one_a_day() -> None:
    times = {
        GenerationId(1, n): f"2026-11-{day:02d}T{hour:02d}:{minute:02d}:00Z"
        for n, (day, hour, minute) in enumerate(
            (d, h, m) for d in (18, 19, 20) for h in (9, 10, 11) for m in (0, 30)
        )
    }
    stay = kept(times, times, Keep(last=1, hourly=2, daily=3))
    assert sorted(times[which] for which in stay) == [
        "2026-11-18T11:30:00Z",  # the last of its day
        "2026-11-19T11:30:00Z",
        "2026-11-20T10:30:00Z",  # the last of its hour
        "2026-11-20T11:30:00Z",  # the newest
    ]


def test_a_generation_of_unknown_time_is_not_thinned_out() -> None:
    found = ids(1, 2, 3, 4)
    times = {which: "2026-11-20T10:00:00Z" for which in found[1:]}
    assert kept(found, times, Keep(last=1, daily=1)) == {found[0], found[3]}
    assert kept(found, times, Keep(last=1)) == {found[3]}


def part(where: GenerationId, size: int) -> PartRef:
    return PartRef(
        where=where, name="x", at=0, stored_bytes=size, size_bytes=size, digest="", dtype="|u1",
        shape=(size,),
    )  # fmt: skip


def test_a_file_that_is_mostly_unused_is_referred_to_no_longer() -> None:
    one, two, gone = ids(1, 2, 3)
    refs = {"a": part(one, 40), "b": part(two, 60), "c": part(gone, 1)}
    assert worn(refs, {one: 100, two: 100}) == {one, gone}


def test_there_are_never_too_many_files() -> None:
    found = ids(*range(30))
    refs = {str(n): part(which, 100 + n) for n, which in enumerate(found)}
    bad = worn(refs, dict.fromkeys(found, 120))
    assert bad == set(found[: 30 - MAX_HOLDERS])
