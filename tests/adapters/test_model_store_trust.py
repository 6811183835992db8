"""What the model cache refuses to believe: names, links, strangers, changed manifests."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from cfslurm.adapters.model_store import DirectoryStore
from cfslurm.core.models.variants import Variant
from tests.hub.fake import FakeHub
from tests.hub.fetching import FP8, NOBODY, SPLIT, fails, fetch

pytest_plugins = ("tests.hub.fixtures",)


@pytest.mark.parametrize(
    "path", ["../../escape", "/etc/escape", "a/../../escape", "x\0y", "cfslurm.lock.json"]
)
def test_a_path_that_escapes_is_refused(
    store: DirectoryStore, tiny: dict[str, Variant], fake_hub: FakeHub, path: str
) -> None:
    evil = replace(tiny[FP8], files=(replace(tiny[FP8].files[0], path=path),))
    assert "cannot have a folder" in fails(store, evil, fake_hub).message
    assert store.find(evil) is None
    assert fake_hub.downloaded == []


@pytest.mark.parametrize(
    "changes",
    [
        {"repo_id": "../../x"},
        {"repo_id": "a--b/c"},
        {"repo_id": "acme"},
        {"revision": "main"},
        {"revision": "../" * 13 + "x"},
        {"quantization": "gguf:../x"},
    ],
)
def test_a_variant_that_escapes_is_refused(
    store: DirectoryStore,
    tiny: dict[str, Variant],
    fake_hub: FakeHub,
    changes: dict[str, str],
) -> None:
    evil = replace(tiny[FP8], **changes)  # type: ignore[arg-type]
    fails(store, evil, fake_hub)
    assert store.find(evil) is None


@pytest.fixture
def published(store: DirectoryStore, tiny: dict[str, Variant], fake_hub: FakeHub) -> Path:
    return fetch(store, tiny[SPLIT], fake_hub)


def why_not(store: DirectoryStore, variant: Variant) -> str:
    assert store.find(variant) is None
    (reason,) = store.why_not(variant)
    return reason


def gguf(folder: Path) -> Path:
    return folder / "Q5_0" / "tiny-Q5_0-00001-of-00002.gguf"


def test_nothing_is_wrong_with_what_was_published(
    store: DirectoryStore, tiny: dict[str, Variant], published: Path
) -> None:
    assert store.why_not(tiny[SPLIT]) == ()


def test_a_missing_file(store: DirectoryStore, tiny: dict[str, Variant], published: Path) -> None:
    gguf(published).unlink()
    assert "is not there" in why_not(store, tiny[SPLIT])


def test_a_planted_link(
    store: DirectoryStore, tiny: dict[str, Variant], published: Path, tmp_path: Path
) -> None:
    gguf(published).rename(tmp_path / "elsewhere")
    gguf(published).symlink_to(tmp_path / "elsewhere")
    assert "is a link" in why_not(store, tiny[SPLIT])


def test_a_planted_folder_link(
    store: DirectoryStore, tiny: dict[str, Variant], published: Path, tmp_path: Path
) -> None:
    (published / "Q5_0").rename(tmp_path / "elsewhere")
    (published / "Q5_0").symlink_to(tmp_path / "elsewhere")
    assert "is a link" in why_not(store, tiny[SPLIT])


def test_a_whole_planted_variant(
    store: DirectoryStore, tiny: dict[str, Variant], published: Path, tmp_path: Path
) -> None:
    published.rename(tmp_path / "elsewhere")
    published.symlink_to(tmp_path / "elsewhere")
    assert "is a link" in why_not(store, tiny[SPLIT])


def test_a_swapped_file(store: DirectoryStore, tiny: dict[str, Variant], published: Path) -> None:
    gguf(published).unlink()
    gguf(published).write_bytes(b"GGUF, but another")
    assert "bytes instead of" in why_not(store, tiny[SPLIT])


@pytest.mark.parametrize("mode", [0o464, 0o446])
def test_a_file_that_others_may_write(
    store: DirectoryStore, tiny: dict[str, Variant], published: Path, mode: int
) -> None:
    gguf(published).chmod(mode)
    assert "can be written by others" in why_not(store, tiny[SPLIT])


def test_a_folder_that_others_may_write(
    store: DirectoryStore, tiny: dict[str, Variant], published: Path
) -> None:
    published.chmod(0o777)
    assert "can be written by others" in why_not(store, tiny[SPLIT])


def test_a_store_that_everybody_may_write(
    store: DirectoryStore, tiny: dict[str, Variant], published: Path
) -> None:
    published.parent.chmod(0o777)
    assert "by everybody" in why_not(store, tiny[SPLIT])
    published.parent.chmod(0o1777)
    assert store.find(tiny[SPLIT]) == published


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("which", ["folder", "file", "manifest", "parent"])
def test_what_belongs_to_a_stranger(
    store: DirectoryStore, tiny: dict[str, Variant], published: Path, which: str
) -> None:
    paths = {
        "folder": published,
        "file": gguf(published),
        "manifest": published / "cfslurm.lock.json",
        "parent": published.parent,
    }
    os.chown(paths[which], NOBODY, NOBODY)
    assert f"belongs to user {NOBODY}" in why_not(store, tiny[SPLIT])


def rewrite(folder: Path, text: str) -> None:
    manifest = folder / "cfslurm.lock.json"
    manifest.chmod(0o644)
    manifest.write_text(text)


def test_a_changed_manifest(
    store: DirectoryStore, tiny: dict[str, Variant], published: Path
) -> None:
    text = (published / "cfslurm.lock.json").read_text()
    rewrite(published, text.replace(tiny[SPLIT].files[0].sha256, "0" * 64))
    assert "does not list" in why_not(store, tiny[SPLIT])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "damaged"),
        ("[" * 100_000, "damaged"),
        ("[]", "of another kind"),
        ('{"schema": "cfslurm.variant/2"}', "of another kind"),
        ('{"schema": "cfslurm.variant/1"}', "speaks of another model"),
    ],
)
def test_a_damaged_manifest(
    store: DirectoryStore, tiny: dict[str, Variant], published: Path, text: str, reason: str
) -> None:
    rewrite(published, text)
    assert reason in why_not(store, tiny[SPLIT])


def test_a_manifest_of_another_variant(
    store: DirectoryStore, tiny: dict[str, Variant], published: Path, fake_hub: FakeHub
) -> None:
    other = fetch(store, tiny[FP8], fake_hub)
    rewrite(published, (other / "cfslurm.lock.json").read_text())
    assert "another model" in why_not(store, tiny[SPLIT])


def test_what_cannot_be_used_is_not_replaced(
    store: DirectoryStore, tiny: dict[str, Variant], published: Path, fake_hub: FakeHub
) -> None:
    gguf(published).unlink()
    fake_hub.downloaded.clear()
    error = fails(store, tiny[SPLIT], fake_hub)
    assert "is there and cannot be used" in error.message
    assert fake_hub.downloaded == []


def test_a_tier_is_looked_into_first(
    tmp_path: Path, tiny: dict[str, Variant], fake_hub: FakeHub
) -> None:
    site = DirectoryStore(tmp_path / "site")
    folder = fetch(site, tiny[FP8], fake_hub)
    mine = DirectoryStore(tmp_path / "mine", (tmp_path / "missing", tmp_path / "site"))
    assert mine.find(tiny[FP8]) == folder
    assert fetch(mine, tiny[FP8], fake_hub) == folder
    assert not (tmp_path / "mine").exists()


def test_every_tier_says_why_not(tmp_path: Path, tiny: dict[str, Variant]) -> None:
    mine = DirectoryStore(tmp_path / "mine", (tmp_path / "missing",))
    assert [reason.partition(" is ")[2] for reason in mine.why_not(tiny[FP8])] == ["not there"] * 2
