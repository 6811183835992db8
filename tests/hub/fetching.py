"""Filling a model cache in tests, and looking into it."""

from __future__ import annotations

from pathlib import Path

import pytest

from cfslurm.adapters.model_store import DirectoryStore
from cfslurm.core.models.variants import Variant
from cfslurm.errors import CacheError
from cfslurm.ports import Hub

FULL = "acme/tiny@none"
FP8 = "acme/tiny-FP8@fp8"
SPLIT = "quantco/tiny-GGUF@gguf:Q5_0"
NOBODY = 65534


def fetch(store: DirectoryStore, variant: Variant, hub: Hub) -> Path:
    """Fetch without looking at the progress."""
    return store.fetch(variant, hub, progress=lambda file, count: None)


def fails(store: DirectoryStore, variant: Variant, hub: Hub) -> CacheError:
    """The error of a fetch that must fail."""
    with pytest.raises(CacheError) as raised:
        fetch(store, variant, hub)
    assert raised.value.remedy
    return raised.value


def content(folder: Path) -> dict[str, bytes]:
    """The files of a published variant without its manifest."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "cfslurm.lock.json"
    }


def expected(root: Path, variant: Variant) -> dict[str, bytes]:
    """The files that a variant must have."""
    return {file.path: (root / variant.repo_id / file.path).read_bytes() for file in variant.files}


def staged(store: DirectoryStore) -> list[str]:
    """What lies in the staging folder."""
    return [path.name for path in (store.write_root / "staging").iterdir()]
