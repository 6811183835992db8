"""Earlier versions of a generation as the present one, as pure maps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cfslurm.core.session import layout
from cfslurm.core.session.about import About, Stamp, strange
from cfslurm.core.session.layout import GenerationId

if TYPE_CHECKING:
    from cfslurm.core.session.values import Datum

EVENTS_DATA_1 = "events/data"
EVENTS_OFFSETS_1 = "events/offsets"
TEXTS_1 = ("session", "writer", "parent", "saved_at")
NUMBERS_1 = ("epoch", "generation", "complete")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """What HDF5 says is in a file of version 1: datasets by path, and the root's attributes."""

    datasets: Mapping[str, Datum]
    texts: Mapping[str, str]
    numbers: Mapping[str, int]


def about_1(tree: Tree) -> About:
    """What version 1 said in attributes; everything was in its one file.

    Raises:
        SessionError: it does not say that it is complete.
    """
    if tree.numbers["complete"] != 1:
        raise strange("attributes that do not fit its trailer")
    which = GenerationId(tree.numbers["epoch"], tree.numbers["generation"])
    stamp = Stamp(
        id=which,
        session=tree.texts["session"],
        writer=tree.texts["writer"],
        parent=tree.texts["parent"],
        saved_at=tree.texts["saved_at"],
    )
    return About(stamp=stamp, events=0)


def datasets_2(tree: Tree) -> dict[str, Datum]:
    """The datasets of version 1 under their names of today: one segment of events, without offsets."""
    found = dict(tree.datasets)
    if found.pop(EVENTS_OFFSETS_1, None) is None or EVENTS_DATA_1 not in found:
        raise strange("no events")
    found[f"{layout.EVENTS_PREFIX}{0:012d}"] = found.pop(EVENTS_DATA_1)
    return found
