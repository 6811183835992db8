"""The model cache: what is published is whole, right, read-only, and trusted only if it deserves it."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cfslurm.adapters.hub import HuggingFaceHub
from cfslurm.adapters.model_store import DirectoryStore
from cfslurm.core.models.variants import ModelFile, Variant
from cfslurm.errors import CacheBusyError, CacheError, HubUnavailableError
from cfslurm.ports import Hub
from tests.hub.fake import FakeClock, FakeHub
from tests.hub.faults import Fault
from tests.hub.server import HubServer

pytest_plugins = ("tests.hub.fixtures",)

FULL = "acme/tiny@none"
FP8 = "acme/tiny-FP8@fp8"
SPLIT = "quantco/tiny-GGUF@gguf:Q5_0"
NOBODY = 65534


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    return DirectoryStore(tmp_path / "cache")


def fetch(store: DirectoryStore, variant: Variant, hub: Hub) -> Path:
    return store.fetch(variant, hub, progress=lambda file, count: None)


def fails(store: DirectoryStore, variant: Variant, hub: Hub) -> CacheError:
    with pytest.raises(CacheError) as raised:
        fetch(store, variant, hub)
    assert raised.value.remedy
    return raised.value


def content(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "cfslurm.lock.json"
    }


def expected(root: Path, variant: Variant) -> dict[str, bytes]:
    return {file.path: (root / variant.repo_id / file.path).read_bytes() for file in variant.files}


def staged(store: DirectoryStore) -> list[str]:
    return [path.name for path in (store.write_root / "staging").iterdir()]


# --- publishing


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


# --- bytes that are wrong


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


# --- names


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


# --- what find refuses


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


# --- tiers


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


# --- disks that say no


@pytest.fixture
def as_nobody() -> Iterator[Path]:
    """A folder that anybody may enter, and the rights of an ordinary user."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(NOBODY)
    try:
        yield folder
    finally:
        if is_root:
            os.seteuid(0)
        folder.chmod(0o755)
        shutil.rmtree(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="uses root's right to become somebody else")
def test_a_store_that_may_not_be_written(
    tiny: dict[str, Variant], fake_hub: FakeHub, as_nobody: Path
) -> None:
    error = fails(DirectoryStore(as_nobody / "cache"), tiny[FP8], fake_hub)
    assert "you may not write" in error.message
    assert fake_hub.downloaded == []


def test_a_root_that_is_no_folder(
    tmp_path: Path, tiny: dict[str, Variant], fake_hub: FakeHub
) -> None:
    (tmp_path / "cache").write_text("a file")
    assert "does not work" in fails(DirectoryStore(tmp_path / "cache"), tiny[FP8], fake_hub).message


def test_too_little_space_is_seen_before_the_download(
    store: DirectoryStore, tiny: dict[str, Variant], fake_hub: FakeHub
) -> None:
    files = tuple(replace(file, size_bytes=10**18) for file in tiny[FP8].files)
    error = fails(store, replace(tiny[FP8], files=files), fake_hub)
    assert "are needed, and" in error.message
    assert fake_hub.downloaded == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A filesystem of 4 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ("mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder)
    done = (
        subprocess.run(mount, capture_output=True, check=False) if shutil.which("mount") else None
    )
    if done is None or done.returncode != 0:
        pytest.skip("no filesystem can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(("umount", folder), check=True)


def test_a_disk_that_fills_up_on_the_way(
    small_disk: Path, tiny: dict[str, Variant], fake_hub: FakeHub
) -> None:
    store = DirectoryStore(small_disk)
    filler = small_disk / "filler"

    def fill(file: ModelFile) -> None:
        if file.is_weights:
            filler.write_bytes(bytes(os.statvfs(small_disk).f_bavail * 4096))

    fake_hub.on_download = fill
    assert "is full" in fails(store, tiny[FP8], fake_hub).message
    assert store.find(tiny[FP8]) is None
    filler.unlink()
    fake_hub.on_download = lambda file: None
    assert fetch(store, tiny[FP8], fake_hub) == store.place(tiny[FP8])


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_or_quota_is_named(
    store: DirectoryStore, tiny: dict[str, Variant], fake_hub: FakeHub, number: int
) -> None:
    def fail(file: ModelFile) -> None:
        raise OSError(number, os.strerror(number))

    fake_hub.on_download = fail
    assert "is full, or your quota" in fails(store, tiny[FP8], fake_hub).message


# --- several writers


def test_only_one_fetches(
    store: DirectoryStore, tiny: dict[str, Variant], fake_hub: FakeHub
) -> None:
    second = DirectoryStore(store.write_root)
    busy: list[str] = []

    def meanwhile(file: ModelFile) -> None:
        with pytest.raises(CacheBusyError) as raised:
            fetch(second, tiny[FP8], fake_hub)
        busy.append(raised.value.message)

    fake_hub.on_download = meanwhile
    fetch(store, tiny[FP8], fake_hub)
    assert len(busy) == len(tiny[FP8].files)
    assert "is fetching acme--tiny-FP8--" in busy[0]


def test_other_variants_are_not_held_up(
    store: DirectoryStore, tiny: dict[str, Variant], hub_root: Path
) -> None:
    slow, other = FakeHub(hub_root), FakeHub(hub_root)

    def meanwhile(file: ModelFile) -> None:
        fetch(DirectoryStore(store.write_root), tiny[SPLIT], other)

    slow.on_download = meanwhile
    fetch(store, tiny[FP8], slow)
    assert len(other.downloaded) == 2  # the two parts, once


def test_a_writer_that_slept_too_long_does_no_harm(
    store: DirectoryStore, tiny: dict[str, Variant], hub_root: Path, fake_clock: FakeClock
) -> None:
    slow, fast = FakeHub(hub_root), FakeHub(hub_root)
    second = DirectoryStore(store.write_root, clock=fake_clock, stale_after_s=100)
    overtaken: list[Path] = []

    def overtake(file: ModelFile) -> None:
        if file.is_weights and not overtaken:
            with pytest.raises(CacheBusyError):
                fetch(second, tiny[FP8], fast)
            fake_clock.sleep(101)
            overtaken.append(fetch(second, tiny[FP8], fast))

    slow.on_download = overtake
    fails(store, tiny[FP8], slow)
    assert overtaken == [store.find(tiny[FP8])]
    assert content(overtaken[0]) == expected(hub_root, tiny[FP8])
    assert "config.json" not in fast.downloaded  # verified by the first, taken over by the second


def test_who_is_second_at_the_rename_drops_his_own(
    store: DirectoryStore,
    tiny: dict[str, Variant],
    fake_hub: FakeHub,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    other = fetch(DirectoryStore(tmp_path / "other"), tiny[FP8], fake_hub)
    rename = Path.rename

    def overtaken(self: Path, target: Path) -> Path:
        if Path(target) == store.place(tiny[FP8]):
            shutil.copytree(other, target)
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", overtaken)
    assert fetch(store, tiny[FP8], fake_hub) == store.place(tiny[FP8])
    assert staged(store) == []


def child(*arguments: object) -> tuple[str, ...]:
    return (sys.executable, "-m", "tests.hub.fetch_child", *map(str, arguments))


def test_two_processes_fetch_a_variant_once(
    store: DirectoryStore, tiny: dict[str, Variant], hub_server: HubServer
) -> None:
    hub_server.faults.add(Fault(match="GET /cdn", kind="slow", seconds=0.5))  # they do meet
    command = child(hub_server.root, store.write_root, FULL, "--endpoint", hub_server.endpoint)
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as first,
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as second,
    ):
        answers = {process.communicate(timeout=60)[0].strip() for process in (first, second)}
    assert answers == {str(store.place(tiny[FULL]))}
    assert len(hub_server.requests("GET /cdn/")) == 2  # the two shards
    assert len(hub_server.requests("GET .*/resolve/.*/config.json")) == 1


def test_killed_at_any_moment_the_store_stays_right(
    tmp_path: Path, tiny: dict[str, Variant], hub_root: Path, fake_hub: FakeHub
) -> None:
    counted = subprocess.run(
        child(hub_root, tmp_path / "count", FP8, "--kill-at", 0),
        capture_output=True,
        text=True,
        check=True,
    )
    moments = int(counted.stdout)
    assert moments > 40
    # The end is where the manifest, the rights, the rename and the tidying up come.
    for moment in (*range(1, moments - 24, moments // 6), *range(moments - 24, moments + 1, 2)):
        cache = tmp_path / str(moment)
        killed = subprocess.run(
            child(hub_root, cache, FP8, "--kill-at", moment), capture_output=True, check=False
        )
        assert killed.returncode == -9
        store = DirectoryStore(cache)
        found = store.find(tiny[FP8])
        if found is None:
            assert not store.place(tiny[FP8]).exists()
        folder = fetch(store, tiny[FP8], fake_hub)
        assert content(folder) == expected(hub_root, tiny[FP8])
        if found is None:
            assert staged(store) == []
