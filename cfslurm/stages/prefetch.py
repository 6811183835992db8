"""Bring the chosen variants into the shared cache."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from cfslurm.core.models.variants import ModelFile, Variant
from cfslurm.core.slurm.units import human_bytes
from cfslurm.errors import CacheBusyError
from cfslurm.ports import Clock, Hub, ModelStore
from cfslurm.stages.retrying import retrying

_POLL_S = 5.0
_LONGEST_WAIT_S = 6 * 3600.0
_STEPS = 10  # a line for every tenth of a variant: enough for a terminal, not too much for a log

Say = Callable[[str], None]


def prefetch(
    variants: Sequence[Variant],
    *,
    store: ModelStore,
    hub: Hub,
    clock: Clock,
    progress: Say,
) -> tuple[Path, ...]:
    """Have every variant in the cache, and say where; in the order they were asked for.

    What somebody else is fetching is waited for, up to six hours, while the others are brought in.
    ``progress`` is told, in words for the user, how far it is.

    Raises:
        CacheBusyError: somebody else still fetches it.
        CacheError: the cache is full, not writable, or the Hub's bytes are wrong.
        HubUnavailableError: the Hub does not answer, also when asked again.
    """
    ready: dict[Variant, Path] = {}
    told: dict[Variant, str] = {}
    last_poll = clock.monotonic() + _LONGEST_WAIT_S
    while True:
        busy: CacheBusyError | None = None
        for variant in dict.fromkeys(variants):
            if variant in ready:
                continue
            found = retrying(partial(_fetch, variant, store, hub, progress), clock=clock)
            if isinstance(found, Path):
                ready[variant] = found
                progress(f"{variant.id} is in {found}")
            else:
                busy = found
                if told.get(variant) != found.message:
                    progress(f"waiting: {found.message}")
                told[variant] = found.message
        if busy is None:
            return tuple(ready[variant] for variant in variants)
        if clock.monotonic() >= last_poll:
            raise busy
        clock.sleep(_POLL_S)


def _fetch(variant: Variant, store: ModelStore, hub: Hub, say: Say) -> Path | CacheBusyError:
    """The folder, or who is at it: that is waited for otherwise than a Hub that is down."""
    try:
        return store.fetch(variant, hub, progress=_Steps(variant, say).add)
    except CacheBusyError as error:
        return error


class _Steps:
    """Turns counts of bytes into a line now and then."""

    def __init__(self, variant: Variant, say: Say) -> None:
        self._variant = variant
        self._say = say
        self._fetched_bytes = 0
        self._step = 0

    def add(self, file: ModelFile, count: int) -> None:
        """Some bytes of a file have arrived; fewer than none if it had to start again."""
        self._fetched_bytes += count
        total = max(1, self._variant.total_bytes)
        step = min(_STEPS, self._fetched_bytes * _STEPS // total)
        if step > self._step:
            self._step = step
            done, whole = human_bytes(self._fetched_bytes), human_bytes(total)
            self._say(f"{self._variant.id}: {done} of {whole}, now {file.path}")
