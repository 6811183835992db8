"""Parts that lie in earlier files already, so that they need not be written again."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cfslurm.adapters.session_blobs import Blob
from cfslurm.adapters.session_digest import Workers
from cfslurm.adapters.session_io import list_folder
from cfslurm.core.session.about import PartRef, digest_kind, digest_text
from cfslurm.core.session.layout import GenerationId
from cfslurm.core.session.retention import worn


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    ref: PartRef
    owner: object  # the bytes themselves, which cannot change; None for an array, which can
    probe: int


@dataclass(slots=True)
class KnownParts:
    """What the writer of a folder knows of the parts in it, by path.

    An array is compared by a probe first: if that differs, it is written without further ado. If it
    is the same, the digest decides.
    """

    _known: dict[str, _Known] = field(default_factory=dict)

    def learn(self, refs: Mapping[str, PartRef], blobs: Iterable[Blob]) -> None:
        """Remember what a generation is made of; everything else is forgotten."""
        self._known = {
            blob.spec.path: _Known(
                ref=refs[blob.spec.path],
                owner=blob.owner if isinstance(blob.owner, bytes) else None,
                probe=blob.probe(),
            )
            for blob in blobs
            if blob.spec.path in refs
        }

    def digest(self, path: str) -> str | None:
        """The digest of a part as it was written last."""
        known = self._known.get(path)
        return known.ref.digest if known is not None else None

    def unchanged(
        self, blobs: Iterable[Blob], workers: Workers, folder: Path
    ) -> dict[str, PartRef]:
        """The parts that need not be written: the same as before, in files that are worth keeping."""
        found = self.same(blobs, workers) if self._known else {}
        bad = worn(found, _sizes(folder)) if found else frozenset()
        return {path: ref for path, ref in found.items() if ref.where not in bad}

    def same(self, blobs: Iterable[Blob], workers: Workers) -> dict[str, PartRef]:
        """The parts that are as they were written last."""
        waiting = {}
        found: dict[str, PartRef] = {}
        for blob in blobs:
            path = blob.spec.path
            known = self._known.get(path)
            if known is None or not blob.is_what(known.ref):
                continue
            if isinstance(blob.owner, bytes) and blob.owner is known.owner:
                found[path] = known.ref
            elif blob.probe() == known.probe:
                kind = digest_kind(known.ref.digest)
                waiting[path] = known.ref, kind, workers.digest(blob.view, kind)
        for path, (ref, kind, result) in waiting.items():
            if digest_text(kind, result()) == ref.digest:
                found[path] = ref
        return found


def _sizes(folder: Path) -> dict[GenerationId, int]:
    listing = list_folder(folder)
    sizes = {}
    names = [(which, which.file_name) for which in listing.generations]
    names += [(which, which.parts_name) for which in listing.holders]
    for which, name in names:
        with contextlib.suppress(OSError):
            sizes[which] = (folder / name).stat().st_size
    return sizes
