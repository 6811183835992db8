"""Opening a session: claim it, read what there is, make ready to write."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from cfslurm.adapters.clock import SystemClock, utc_text
from cfslurm.adapters.environment import Environment
from cfslurm.adapters.session_claims import close_claim, take_claim, this_process
from cfslurm.adapters.session_folder import make_folder, read_newest, sweep, translated
from cfslurm.node.session_place import Place
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
            newest = read_newest(place.folder, place.key)
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
