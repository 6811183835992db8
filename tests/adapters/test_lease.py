"""One writer at a time; who is dead or silent loses his lease, and nothing worse happens."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cfslurm.adapters.lease import Holder, Leases
from cfslurm.errors import CacheBusyError
from tests.hub.fake import FakeClock

HOST = "login1"
NAME = "acme--tiny--main"


def leases(folder: Path, clock: FakeClock, *, host: str = HOST, pid: int | None = None) -> Leases:
    me = Holder(host=host, user="anna", pid=pid or os.getpid())
    return Leases(folder=folder, me=me, clock=clock, stale_after_s=100)


@pytest.fixture
def dead_pid() -> int:
    """The id of a process that is gone."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def lease_file(folder: Path) -> Path:
    return folder / f"{NAME}.lease"


def plant(folder: Path, *, host: str, pid: int, beat: int = 0) -> None:
    text = json.dumps({"host": host, "user": "bert", "pid": pid, "beat": beat})
    lease_file(folder).write_text(text)


def test_only_one_holds_it(tmp_path: Path, clock: FakeClock) -> None:
    with (
        leases(tmp_path, clock).hold(NAME),
        pytest.raises(CacheBusyError, match=r"anna on login1 \(pid \d+\) is fetching acme--tiny"),
        leases(tmp_path, clock).hold(NAME),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_it_is_free_again_after_an_error(tmp_path: Path, clock: FakeClock) -> None:
    with pytest.raises(ValueError, match="x"), leases(tmp_path, clock).hold(NAME):
        raise ValueError("x")
    with leases(tmp_path, clock).hold(NAME):
        pass


def test_a_full_disk_leaves_no_lease(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("cfslurm.adapters.lease.os.pwrite", full)
    with pytest.raises(OSError, match="No space"), leases(tmp_path, clock).hold(NAME):
        pass
    assert list(tmp_path.iterdir()) == []


def test_everybody_may_read_who_holds_it(tmp_path: Path, clock: FakeClock) -> None:
    before = os.umask(0o077)
    try:
        with leases(tmp_path, clock).hold(NAME):
            assert lease_file(tmp_path).stat().st_mode & 0o777 == 0o644
    finally:
        os.umask(before)


def test_a_dead_process_of_this_machine_loses_it_at_once(
    tmp_path: Path, clock: FakeClock, dead_pid: int
) -> None:
    plant(tmp_path, host=HOST, pid=dead_pid)
    with leases(tmp_path, clock).hold(NAME):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_process_of_another_machine_does_not(
    tmp_path: Path, clock: FakeClock, dead_pid: int
) -> None:
    plant(tmp_path, host="login2", pid=dead_pid)
    with pytest.raises(CacheBusyError), leases(tmp_path, clock).hold(NAME):
        pass


def test_silence_for_long_enough_loses_it(tmp_path: Path, clock: FakeClock) -> None:
    mine = leases(tmp_path, clock)
    plant(tmp_path, host="login2", pid=1)
    for _ in range(10):
        with pytest.raises(CacheBusyError), mine.hold(NAME):
            pass
        clock.sleep(10)
    with mine.hold(NAME):
        pass


def test_a_beat_keeps_it(tmp_path: Path, clock: FakeClock) -> None:
    mine = leases(tmp_path, clock)
    for beat in range(30):
        plant(tmp_path, host="login2", pid=1, beat=beat)
        with pytest.raises(CacheBusyError), mine.hold(NAME):
            pass
        clock.sleep(50)


def test_silence_is_counted_by_our_own_clock(tmp_path: Path, clock: FakeClock) -> None:
    plant(tmp_path, host="login2", pid=1)
    os.utime(lease_file(tmp_path), (0, 0))  # another machine's clock is of no interest
    with pytest.raises(CacheBusyError), leases(tmp_path, clock).hold(NAME):
        pass


@pytest.mark.parametrize("text", ["", "{", "[]", '{"host": 3}', '{"host": "login1", "pid": -1}'])
def test_a_damaged_lease_is_held_until_it_is_old(
    tmp_path: Path, clock: FakeClock, text: str
) -> None:
    lease_file(tmp_path).write_text(text)
    mine = leases(tmp_path, clock)
    with pytest.raises(CacheBusyError, match="somebody else"), mine.hold(NAME):
        pass
    clock.sleep(101)
    with mine.hold(NAME):
        pass


def test_the_lease_of_a_living_one_that_came_in_between_is_put_back(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = leases(tmp_path, clock)
    plant(tmp_path, host="login2", pid=1)
    with pytest.raises(CacheBusyError), mine.hold(NAME):
        pass
    clock.sleep(101)
    rename = Path.rename

    def late(self: Path, target: Path) -> Path:
        plant(tmp_path, host="login3", pid=7)
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", late)
    with pytest.raises(CacheBusyError, match="login3"), mine.hold(NAME):
        pass
    assert [path.name for path in tmp_path.iterdir()] == [f"{NAME}.lease"]
    assert json.loads(lease_file(tmp_path).read_text())["host"] == "login3"


def test_who_lost_it_does_not_remove_that_of_the_next(tmp_path: Path, clock: FakeClock) -> None:
    with leases(tmp_path, clock).hold(NAME):
        lease_file(tmp_path).unlink()
        plant(tmp_path, host="login2", pid=7)
    assert json.loads(lease_file(tmp_path).read_text())["host"] == "login2"


def test_the_holder_beats(tmp_path: Path, clock: FakeClock) -> None:
    mine = leases(tmp_path, clock)
    mine.beat_every_s = 0.001
    with mine.hold(NAME):
        first = lease_file(tmp_path).read_text()
        while lease_file(tmp_path).read_text() == first:
            pass
        assert len(lease_file(tmp_path).read_text()) == len(first)


def test_a_planted_link_is_not_written_through(tmp_path: Path, clock: FakeClock) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    lease_file(tmp_path).symlink_to(victim)
    with pytest.raises(OSError, match="symbolic links"), leases(tmp_path, clock).hold(NAME):
        pass
    assert victim.read_text() == "precious"
