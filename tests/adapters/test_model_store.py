"""The model cache: what is published is whole, right, and read-only."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from cfslurm.adapters.hub import HuggingFaceHub
from cfslurm.adapters.model_store import DirectoryStore
from cfslurm.core.models.variants import ModelFile, Variant
from cfslurm.errors import HubUnavailableError
from tests.hub.fake import FakeHub
from tests.hub.faults import Fault
from tests.hub.fetching import FP8, FULL, SPLIT, content, expected, fails, fetch, staged
from tests.hub.server import HubServer

pytest_plugins = ("tests.hub.fixtures",)


@pytest.mark.parametrize("name", [FULL, FP8, SPLIT])
def test_a_variant_is_published_whole(
    store: DirectoryStore,
    tiny: dict[str, Variant],
    fake_hub: FakeHub,
    hub_root: Path,
    name: str,
) -> None:
    variant = tiny[name]
    assert store.find(variant) is None
    folder = fetch(store, variant, fake_hub)
    assert content(folder) == expected(hub_root, variant)
    assert store.find(variant) == folder == store.place(variant)
    assert staged(store) == []
    assert list((store.write_root / "leases").iterdir()) == []


def test_the_layout(store: DirectoryStore, tiny: dict[str, Variant], fake_hub: FakeHub) -> None:
    root = store.write_root / "store"
    assert fetch(store, tiny[FP8], fake_hub) == root / f"acme--tiny-FP8/{tiny[FP8].revision}"
    gguf = tiny[SPLIT]
    assert fetch(store, gguf, fake_hub) == root / f"quantco--tiny-GGUF/{gguf.revision}--Q5_0"


def test_names_that_break_careless_code(
    weird_path: Path, tiny: dict[str, Variant], fake_hub: FakeHub
) -> None:
    folder = fetch(DirectoryStore(weird_path / "cache"), tiny[SPLIT], fake_hub)
    assert DirectoryStore(weird_path / "cache").find(tiny[SPLIT]) == folder


def test_the_second_fetch_asks_nobody(
    store: DirectoryStore, tiny: dict[str, Variant], fake_hub: FakeHub
) -> None:
    folder = fetch(store, tiny[FP8], fake_hub)
    fake_hub.downloaded.clear()
    assert fetch(store, tiny[FP8], fake_hub) == folder
    assert fake_hub.downloaded == []


def test_the_manifest_says_what_and_whence(
    store: DirectoryStore, tiny: dict[str, Variant], fake_hub: FakeHub
) -> None:
    folder = fetch(store, tiny[FP8], fake_hub)
    manifest = json.loads((folder / "cfslurm.lock.json").read_text())
    assert manifest["schema"] == "cfslurm.variant/1"
    assert (manifest["repo_id"], manifest["revision"]) == ("acme/tiny-FP8", tiny[FP8].revision)
    assert (manifest["endpoint"], manifest["licence"]) == (fake_hub.endpoint, "apache-2.0")
    assert manifest["published_by"]
    assert manifest["published_at"].endswith("Z")
    weights = next(file for file in manifest["files"] if file["path"] == "model.safetensors")
    assert len(weights["sha256"]) == 64
    assert weights["size_bytes"] == tiny[FP8].weights_bytes


@pytest.mark.parametrize("umask", [0o077, 0o000, 0o027])
def test_the_umask_has_no_say(
    store: DirectoryStore, tiny: dict[str, Variant], fake_hub: FakeHub, umask: int
) -> None:
    before = os.umask(umask)
    try:
        folder = fetch(store, tiny[SPLIT], fake_hub)
    finally:
        os.umask(before)
    paths = [folder, folder.parent, *folder.rglob("*")]
    assert {path.stat().st_mode & 0o7777 for path in paths if path.is_file()} == {0o444}
    assert {path.stat().st_mode & 0o7777 for path in paths if path.is_dir()} == {0o755}


def test_folders_above_the_variants_have_the_rights_of_the_cache(
    store: DirectoryStore, tiny: dict[str, Variant], fake_hub: FakeHub
) -> None:
    store.write_root.mkdir()
    store.write_root.chmod(0o2775)
    folder = fetch(store, tiny[FP8], fake_hub)
    assert folder.parent.stat().st_mode & 0o7777 == 0o2775
    assert folder.stat().st_mode & 0o777 == 0o755


def test_progress_counts_the_bytes_of_every_file(
    store: DirectoryStore, tiny: dict[str, Variant], fake_hub: FakeHub
) -> None:
    counts: dict[str, int] = {}

    def progress(file: ModelFile, count: int) -> None:
        counts[file.path] = counts.get(file.path, 0) + count

    store.fetch(tiny[FULL], fake_hub, progress=progress)
    assert counts == {file.path: file.size_bytes for file in tiny[FULL].files}


def test_over_real_http(
    store: DirectoryStore, tiny: dict[str, Variant], hub_server: HubServer, hub_root: Path
) -> None:
    folder = fetch(store, tiny[FULL], HuggingFaceHub(hub_server.endpoint))
    assert content(folder) == expected(hub_root, tiny[FULL])


@pytest.mark.parametrize("path", ["model.safetensors", "config.json"])
def test_a_corrupted_body_of_the_right_length_never_gets_in(
    store: DirectoryStore, tiny: dict[str, Variant], hub_server: HubServer, path: str
) -> None:
    where = "GET /cdn/" if path == "model.safetensors" else f"GET .*/{path}"
    hub_server.faults.add(Fault(match=where, kind="corrupt"))
    hub = HuggingFaceHub(hub_server.endpoint)
    error = fails(store, tiny[FP8], hub)
    kind = "sha256" if path == "model.safetensors" else "sha1"
    assert f"{path} of {FP8} came with wrong bytes: expected {kind}" in error.message
    assert store.find(tiny[FP8]) is None
    assert fetch(store, tiny[FP8], hub) == store.place(tiny[FP8])


@pytest.mark.parametrize("size_bytes", [1, 10**6])
def test_a_file_of_another_size_never_gets_in(
    store: DirectoryStore, tiny: dict[str, Variant], fake_hub: FakeHub, size_bytes: int
) -> None:
    files = tuple(
        replace(file, size_bytes=size_bytes) if file.path == "config.json" else file
        for file in tiny[FP8].files
    )
    assert "expected" in fails(store, replace(tiny[FP8], files=files), fake_hub).message
    assert not store.place(tiny[FP8]).exists()


class LinkingHub(FakeHub):
    """Hands out a link instead of a file."""

    def download(self, variant: Variant, file: ModelFile, into: Path, *, progress: object) -> Path:
        into.mkdir(exist_ok=True)
        link = into / "link"
        link.symlink_to(self.repositories[variant.repo_id].files[file.path].absolute)
        return link


def test_a_link_is_not_taken_for_a_file(
    store: DirectoryStore, tiny: dict[str, Variant], hub_root: Path
) -> None:
    fails(store, tiny[FP8], LinkingHub(hub_root))
    assert store.find(tiny[FP8]) is None


@pytest.mark.parametrize(
    "fault",
    [
        Fault(match="GET /cdn", kind="truncate", bytes=1000, times=99),
        Fault(match="GET /cdn", kind="status", status=500, times=99),
        Fault(match="GET /cdn", kind="status", status=429, times=99),
        Fault(match="GET /cdn", kind="drop", times=99),
    ],
)
def test_a_hub_that_fails_leaves_nothing_published(
    store: DirectoryStore, tiny: dict[str, Variant], hub_server: HubServer, fault: Fault
) -> None:
    hub_server.faults.add(fault)
    hub = HuggingFaceHub(hub_server.endpoint)
    with pytest.raises(HubUnavailableError):
        fetch(store, tiny[FP8], hub)
    assert store.find(tiny[FP8]) is None
    hub_server.faults.clear()
    assert fetch(store, tiny[FP8], hub) == store.place(tiny[FP8])


def test_what_was_verified_is_not_fetched_again(
    store: DirectoryStore, tiny: dict[str, Variant], fake_hub: FakeHub
) -> None:
    def fail_late(file: ModelFile) -> None:
        if file.path == "tokenizer.json":
            raise HubUnavailableError("down", remedy="wait")

    fake_hub.on_download = fail_late
    with pytest.raises(HubUnavailableError):
        fetch(store, tiny[FULL], fake_hub)
    first = list(fake_hub.downloaded)
    fake_hub.on_download = lambda file: None
    fake_hub.downloaded.clear()
    fetch(store, tiny[FULL], fake_hub)
    assert "model-00001-of-00002.safetensors" in first
    assert fake_hub.downloaded == ["tokenizer.json", "tokenizer_config.json"]


def test_what_was_left_is_verified_anew(
    store: DirectoryStore, tiny: dict[str, Variant], fake_hub: FakeHub, hub_root: Path
) -> None:
    def fail_late(file: ModelFile) -> None:
        if file.path == "tokenizer.json":
            raise HubUnavailableError("down", remedy="wait")

    fake_hub.on_download = fail_late
    with pytest.raises(HubUnavailableError):
        fetch(store, tiny[FULL], fake_hub)
    (left,) = (store.write_root / "staging").iterdir()
    config = left / "files" / "config.json"
    config.chmod(0o644)
    config.write_bytes(config.read_bytes().replace(b"llama", b"other").replace(b"128", b"129"))
    (left / "files" / "planted.py").write_text("raise SystemExit")
    (left / "files" / "model.safetensors.index.json").unlink()
    (left / "files" / "model.safetensors.index.json").symlink_to("/etc/passwd")
    fake_hub.on_download = lambda file: None
    folder = fetch(store, tiny[FULL], fake_hub)
    assert content(folder) == expected(hub_root, tiny[FULL])
