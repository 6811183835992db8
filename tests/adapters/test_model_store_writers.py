"""Several writers, writers that die, disks that say no."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cfslurm.adapters.model_store import DirectoryStore
from cfslurm.core.models.variants import ModelFile, Variant
from cfslurm.errors import CacheBusyError
from tests.hub.fake import FakeClock, FakeHub
from tests.hub.faults import Fault
from tests.hub.fetching import FP8, FULL, NOBODY, SPLIT, content, expected, fails, fetch, staged
from tests.hub.server import HubServer

pytest_plugins = ("tests.hub.fixtures",)


@pytest.fixture
def read_only() -> Iterator[Path]:
    """A folder that may be entered and not written, and the rights of an ordinary user."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(NOBODY)
    else:
        folder.chmod(0o555)
    try:
        yield folder
    finally:
        if is_root:
            os.seteuid(0)
        folder.chmod(0o755)
        shutil.rmtree(folder)


def test_a_store_that_may_not_be_written(
    tiny: dict[str, Variant], fake_hub: FakeHub, read_only: Path
) -> None:
    error = fails(DirectoryStore(read_only / "cache"), tiny[FP8], fake_hub)
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
