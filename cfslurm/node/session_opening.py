"""Opening a session: claim it, read what there is, make ready to write."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from cfslurm.adapters.clock import SystemClock, utc_text
from cfslurm.adapters.environment import Environment
from cfslurm.adapters.session_claims import close_claim, take_claim, this_process
from cfslurm.adapters.session_folder import (
    Newest,
    make_folder,
    read_at,
    read_newest,
    sweep,
    translated,
)
from cfslurm.errors import SessionError
from cfslurm.node.session_place import Place
from cfslurm.node.session_rounds import is_begun, marked
from cfslurm.node.session_saving import Saving
from cfslurm.node.session_snapshot import held_by


@contextlib.contextmanager
def opened(
    environment: Environment, place: Place, *, take_over: bool
) -> Iterator[tuple[Saving, tuple[str, ...]]]:
    """A claimed session with what it holds, and what was damaged; the claim goes if anything fails.

    Raises:
        SessionHeldError: somebody else has it.
        SessionSupersededError: a later attempt of this job has it.
        SessionError: it cannot be read or written.
    """
    me = this_process(environment)
    with translated(place.folder):
        make_folder(place.folder, place.access)
        at = utc_text(SystemClock().now())
        claim = take_claim(place.folder, me, session=place.label, at=at, take_over=take_over)
        try:
            newest = _found(place)
            sweep(place.folder, below=claim.epoch)
            from cfslurm.adapters.session_file import Store
            from cfslurm.adapters.session_writer import SessionWriter

            store = Store(folder=place.folder, packs=place.packs, key=place.key)
            writer = SessionWriter(place.folder, claim, store, keep=place.keep, parent=newest)
            saving = Saving(writer=writer, store=store, held=held_by(newest))
            yield saving, newest.warnings if newest else ()
        except BaseException:
            with contextlib.suppress(OSError):
                close_claim(place.folder, claim.epoch)
            raise


def _found(place: Place) -> Newest | None:
    """What the session goes on from: its newest generation, or that of the round its gang starts from.

    Raises:
        SessionError: it is damaged, gone, or not ours to read.
        OSError: something cannot be read now.
    """
    together = place.together
    if together is None or is_begun(place.folder, together):
        return read_newest(place.folder, place.key)
    if together.start == 0:
        return None
    which = marked(place.folder, together.starts).get(together.start)
    if which is None:
        raise SessionError(
            f"session {place.label} has no round {together.start} any more",
            remedy="Its folder was changed since the gang has started; restore it from a backup.",
        )
    return read_at(place.folder, which, place.key)
