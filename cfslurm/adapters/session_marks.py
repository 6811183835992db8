"""What tells whether an array or long bytes are what they were, without keeping them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cfslurm.adapters.session_digest import Workers, digest_of
from cfslurm.core.session.layout import STATE_PREFIX
from cfslurm.core.session.trailer import Digest

if TYPE_CHECKING:
    from cfslurm.adapters.session_blobs import Blob
    from cfslurm.adapters.session_file import Store
    from cfslurm.core.session.values import Datum


@dataclass(frozen=True, slots=True)
class Mark:
    """The digest of some content, and what it is of. A large one is a part of its own in the files."""

    digest: str
    what: str
    is_large: bool


def marks_now(store: Store, data: Mapping[str, Datum]) -> dict[str, Mark] | None:
    """The marks of data as they are now, by path; None if a large one is not on the disk yet."""
    blobs = _blobs(data)
    large = [blob for blob in blobs.values() if blob.is_part]
    with Workers() as workers:
        if len(store.known.same(large, workers)) < len(large):
            return None
    return _marks(store, blobs)


def marks_published(store: Store, data: Mapping[str, Datum]) -> dict[str, Mark] | None:
    """The marks of data that were published a moment ago; large ones are not read again."""
    return _marks(store, _blobs(data))


def _blobs(data: Mapping[str, Datum]) -> dict[str, Blob]:
    if not data:
        return {}
    from cfslurm.adapters.session_blobs import blob_of

    return {path: blob_of(path, datum) for path, datum in data.items()}


def _marks(store: Store, blobs: Mapping[str, Blob]) -> dict[str, Mark] | None:
    found = {}
    for path, blob in blobs.items():
        digest = (
            store.known.digest(f"{STATE_PREFIX}{path}")
            if blob.is_part
            else digest_of(blob.view, Digest.BLAKE2B).hex()
        )
        if digest is None:
            return None
        spec = blob.spec
        found[path] = Mark(digest, f"{spec.dtype}{spec.shape}{spec.tag}", blob.is_part)
    return found
