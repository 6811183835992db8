"""A session's folder: what is published stays, what is damaged is passed over, what is late is fenced."""

from __future__ import annotations

import errno
import json
import os
import resource
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cfslurm.adapters import session_claims, session_file, session_folder, session_writer
from cfslurm.adapters.environment import Environment
from cfslurm.adapters.session_claims import life_of, take_claim, this_process
from cfslurm.adapters.session_file import Store
from cfslurm.adapters.session_folder import Newest, make_folder, read_newest, sweep, translated
from cfslurm.adapters.session_io import link_new
from cfslurm.adapters.session_writer import SessionWriter
from cfslurm.core.session.claims import Identity, Life, SessionHeldError, SessionSupersededError
from cfslurm.core.session.content import Values, pack
from cfslurm.core.session.log import EventLog
from cfslurm.core.session.retention import Keep
from cfslurm.errors import SessionError
from tests.forked import start_child

AT = "2026-11-21T00:00:00Z"


def me(**changes: Any) -> Identity:
    environment = Environment(
        variables={}, user="ada", uid=1, home=Path("/"), host="n1", directory=Path("/")
    )
    return replace(this_process(environment), **changes)


def open_writer(folder: Path, *, keep: int = 3, take_over: bool = False) -> SessionWriter:
    make_folder(folder)
    claim = take_claim(folder, me(), session="coder", at=AT, take_over=take_over)
    newest = read_newest(folder)
    sweep(folder, below=claim.epoch)
    return SessionWriter(folder, claim, Store(folder=folder), keep=Keep(last=keep), parent=newest)


def save(writer: SessionWriter, step: int, steps: dict[str, Any] | None = None) -> int:
    log = EventLog()
    for _ in range(step):
        log.append(b"1")
    held = Values(state={"step": step, "text": "x" * 3000}, log=log, steps=steps or {})
    which = writer.publish(pack(held), writer="cfslurm 0", saved_at=AT)
    writer.prune()
    return which.generation


def newest(folder: Path) -> Newest:
    found = read_newest(folder)
    assert found is not None
    return found


def step_of(folder: Path) -> int:
    step = json.loads(newest(folder).loaded.content.state_json)["step"]
    assert isinstance(step, int)
    return step


def exit_code(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def names(folder: Path, pattern: str) -> list[str]:
    return sorted(path.name for path in folder.glob(pattern))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "it's; a \n weird path" / "coder"


def test_new_folder_has_nothing(folder: Path) -> None:
    make_folder(folder)
    assert read_newest(folder) is None


def test_the_last_generations_stay(folder: Path) -> None:
    writer = open_writer(folder, keep=2)
    for step in range(5):
        save(writer, step)
    assert names(folder, "g*") == ["g0001-000000000004.h5", "g0001-000000000005.h5"]
    assert step_of(folder) == 4
    found = newest(folder)
    assert found.loaded.about.stamp.parent.startswith("g0001-000000000004.h5:")
    assert found.warnings == ()


def test_next_writer_goes_on(folder: Path) -> None:
    writer = open_writer(folder)
    save(writer, 1)
    writer.release()
    writer = open_writer(folder)
    assert save(writer, 2) == 2
    assert names(folder, "g*") == ["g0001-000000000001.h5", "g0002-000000000002.h5"]


def test_nothing_half_written_is_left(folder: Path) -> None:
    writer = open_writer(folder)
    save(writer, 1)
    writer.record("a", 1)
    assert not names(folder, ".tmp*")


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o777])
def test_modes_are_private_whatever_the_umask(folder: Path, umask: int) -> None:
    folder.parent.mkdir()
    earlier = os.umask(umask)
    try:
        writer = open_writer(folder)
        save(writer, 1)
        writer.record("a", 1)
        writer.release()
    finally:
        os.umask(earlier)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    files = list(folder.iterdir())
    assert len(files) == 4
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


# --- Damage


def damages(folder: Path) -> Iterator[Callable[[], None]]:
    """Ways to damage the newest generation; each leaves it so until the next."""
    path = folder / names(folder, "g*")[-1]
    whole = path.read_bytes()
    for length in range(0, len(whole), 512):
        yield lambda length=length: path.write_bytes(whole[:length])  # type: ignore[misc]
    for position in range(0, len(whole), 41):
        changed = bytearray(whole)
        changed[position] ^= 0x10
        yield lambda changed=changed: path.write_bytes(changed)  # type: ignore[misc]
    yield lambda: path.write_bytes(b"not HDF5" * 512)
    yield lambda: path.write_bytes((folder / names(folder, "g*")[0]).read_bytes())


def test_damaged_generation_is_passed_over_with_a_warning(folder: Path) -> None:
    writer = open_writer(folder)
    for step in (1, 2, 3):
        save(writer, step)
    count = 0
    for damage in damages(folder):
        damage()
        found = newest(folder)
        assert found.loaded.trailer.id.generation == 2
        assert len(found.warnings) == 1
        assert found.warnings[0].startswith("g0001-000000000003.h5 is passed over: ")
        count += 1
    assert count > 100


def test_nothing_whole_is_an_error_and_no_new_session(folder: Path) -> None:
    writer = open_writer(folder)
    save(writer, 1)
    (folder / "g0001-000000000001.h5").write_bytes(b"")
    with pytest.raises(SessionError, match="no whole generation"):
        read_newest(folder)


def test_unreadable_disk_is_an_error_and_no_reason_to_go_back(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = open_writer(folder)
    save(writer, 1)
    save(writer, 2)

    def failing(*_: Any) -> int:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "preadv", failing)
    with (
        pytest.raises(SessionError, match="Input/output error") as caught,
        translated(folder),
    ):
        read_newest(folder)
    assert "try again" in caught.value.remedy


def test_generation_that_vanishes_while_it_is_read_is_looked_for_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = open_writer(folder, keep=1)
    save(writer, 1)
    real = session_folder.read_one

    def pruned(path: Path, key: Any) -> Any:
        monkeypatch.setattr(session_folder, "read_one", real)
        save(writer, 2)
        return real(path, key)

    monkeypatch.setattr(session_folder, "read_one", pruned)
    assert step_of(folder) == 2


def test_reader_never_sees_half_a_save(folder: Path) -> None:
    """A reader in another process beside a writer that saves and prunes all the time."""
    writer = open_writer(folder, keep=1)
    save(writer, 1)

    def watch() -> int:
        seen = 0
        while seen < 150:
            found = newest(folder)
            step = json.loads(found.loaded.content.state_json)["step"]
            if step < seen or found.loaded.about.events != step or found.warnings:
                return 1
            seen = step
        return 0

    reader = start_child(watch)
    for step in range(2, 151):
        save(writer, step)
    assert exit_code(reader) == 0


# --- The journal


def test_records_are_read_with_their_generation(folder: Path) -> None:
    writer = open_writer(folder)
    save(writer, 1)
    writer.record("a", 1)
    writer.record("b", 2)
    assert newest(folder).steps == {"a": 1, "b": 2}


def test_records_of_a_damaged_generation_still_count(folder: Path) -> None:
    """The state goes back, but an effect that was recorded does not happen again."""
    writer = open_writer(folder)
    save(writer, 1)
    writer.record("a", 1)
    save(writer, 2)
    writer.record("b", 2)
    (folder / "g0001-000000000002.h5").write_bytes(b"")
    assert newest(folder).steps == {"a": 1, "b": 2}


def test_torn_record_was_never_promised(folder: Path) -> None:
    writer = open_writer(folder)
    save(writer, 1)
    writer.record("a", 1)
    with (folder / "j0001-000000000001.log").open("ab") as file:
        file.write(b"12345678 {")
    found = newest(folder)
    assert (found.steps, found.warnings) == ({"a": 1}, ())


def test_damaged_record_is_a_warning(folder: Path) -> None:
    writer = open_writer(folder)
    save(writer, 1)
    writer.record("a", 1)
    writer.record("b", 2)
    path = folder / "j0001-000000000001.log"
    path.write_bytes(path.read_bytes().replace(b'"a"', b'"A"'))
    found = newest(folder)
    assert found.steps == {"b": 2}
    assert found.warnings == (
        "j0001-000000000001.log has 1 damaged lines: their steps run again,"
        " and commits behind them are lost",
    )


# --- Faults: every call to the system fails once, in every way


CALLS = ("open", "pwrite", "fdatasync", "fsync", "ftruncate", "fchmod", "link", "preadv", "close")


class Faults:
    """Lets the n-th of the watched calls fail: before it does anything, half-way, or after it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        self.at = 0
        self.error: BaseException = OSError()
        self.after = False
        for name in CALLS:
            monkeypatch.setattr(os, name, self._watched(name, getattr(os, name)))

    def _watched(self, name: str, real: Any) -> Any:
        def call(*args: Any, **options: Any) -> Any:
            self.count += 1
            if self.count != self.at:
                return real(*args, **options)
            if name == "close" or self.after:
                real(*args, **options)
            elif name == "pwrite":
                real(args[0], memoryview(args[1])[: len(args[1]) // 2], args[2])
            raise self.error

        return call


class Killed(BaseException):
    pass


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(
    "error",
    [OSError(errno.ENOSPC, "full"), OSError(errno.EIO, "broken"), Killed()],
    ids=["ENOSPC", "EIO", "killed"],
)
def test_any_failing_call_leaves_the_session_whole(
    folder: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, after: bool
) -> None:
    writer = open_writer(folder)
    save(writer, 1)
    faults = Faults(monkeypatch)
    acknowledged = 1
    recorded: dict[str, int] = {}
    for trial in range(1, 1000):
        attempt = acknowledged + 1
        faults.count, faults.at, faults.error, faults.after = 0, trial, error, after
        failed = False
        try:
            save(writer, attempt, recorded)
            acknowledged = attempt
            writer.record(f"step {trial}", trial)
            recorded[f"step {trial}"] = trial
        except (OSError, Killed):
            failed = True
        faults.at = 0
        check(folder, acknowledged, recorded)
        if not failed:
            break
        assert not names(folder, ".tmp*")
        acknowledged = step_of(folder)
        writer.record(f"after {trial}", trial)
        recorded[f"after {trial}"] = trial
        check(folder, acknowledged, recorded)
    assert trial > 8
    save(writer, acknowledged + 1)
    assert step_of(folder) == acknowledged + 1


def check(folder: Path, acknowledged: int, recorded: dict[str, int]) -> None:
    """What was acknowledged is there; what was tried may be there; nothing is damaged."""
    found = newest(folder)
    assert step_of(folder) in (acknowledged, acknowledged + 1)
    assert found.warnings == ()
    assert (
        recorded.items() <= {**json.loads(found.loaded.content.steps_json), **found.steps}.items()
    )


def test_limit_on_file_size_is_an_error_that_passes(folder: Path) -> None:
    """Like a full disk, without needing one: every write beyond the limit fails."""
    writer = open_writer(folder)
    save(writer, 1)
    writer.record("a", 1)
    size = (folder / "g0001-000000000001.h5").stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    failures = 0
    try:
        for limit in range(0, size, 97):
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
            with pytest.raises(SessionError, match="File too large"), translated(folder):
                save(writer, 2)
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            assert step_of(folder) == 1
            failures += 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert failures > 50
    assert not names(folder, ".tmp*")
    save(writer, 3)
    assert step_of(folder) == 3


def test_full_journal_loses_no_record(folder: Path) -> None:
    writer = open_writer(folder)
    save(writer, 1)
    recorded = {}
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        for limit in range(10, 9000, 93):
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
            try:
                writer.record(f"limit {limit}", limit)
                recorded[f"limit {limit}"] = limit
            except OSError:
                resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
                writer.record(f"unlimited {limit}", limit)
                recorded[f"unlimited {limit}"] = limit
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    found = newest(folder)
    assert recorded.items() <= found.steps.items()
    assert any(key.startswith("limit") for key in recorded)
    assert any(key.startswith("unlimited") for key in recorded)
    assert found.warnings == ()


def test_full_disk_leaves_the_last_generation() -> None:
    with tempfile.TemporaryDirectory() as place:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=128k", "none", place], capture_output=True, check=False
        )  # fmt: skip
        if mounted.returncode != 0:
            pytest.skip("a small tmpfs can be mounted only by root")
        try:
            folder = Path(place) / "coder"
            writer = open_writer(folder, keep=2)
            caught: list[SessionError] = []
            for step in range(1, 60):
                try:
                    with translated(folder):
                        save(writer, step)
                except SessionError as error:
                    caught.append(error)
                    assert step_of(folder) == step - 1
                    (Path(place) / "ballast").write_bytes(b"")
                    save(writer, step)
                assert step_of(folder) == step
                assert not names(folder, ".tmp*")
                if step % 3 == 0:
                    free = os.statvfs(place)
                    with (Path(place) / "ballast").open("ab") as ballast:
                        ballast.write(bytes(max(0, free.f_bavail - 1) * free.f_bsize))
            assert len(caught) > 5
            assert all("No space left" in error.message for error in caught)
            assert all("Free some space" in error.remedy for error in caught)
        finally:
            subprocess.run(["umount", "--lazy", place], check=True)


def test_read_only_folder_is_an_error_with_a_way_out() -> None:
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        folder = Path(place) / "coder"
        open_writer(folder).release()
        folder.chmod(0o555)

        def refused() -> int:
            if os.getuid() == 0:  # root may write everywhere, so somebody else has to try
                os.setgid(65534)
                os.setuid(65534)
            with pytest.raises(SessionError, match="Permission denied") as caught:  # noqa: SIM117
                with translated(folder):
                    open_writer(folder)
            return 0 if "private" in caught.value.remedy else 1

        assert exit_code(start_child(refused)) == 0
        folder.chmod(0o700)


def test_folder_that_is_moved_away_is_an_error(folder: Path) -> None:
    writer = open_writer(folder)
    folder.rename(folder.parent / "moved")
    with pytest.raises(SessionError, match="No such file") as caught, translated(folder):
        save(writer, 1)
    assert "do not move it" in caught.value.remedy


# --- One writer


def test_held_session_is_refused(folder: Path) -> None:
    open_writer(folder)
    with pytest.raises(SessionHeldError, match=f"process {os.getpid()} on n1, which lives"):
        open_writer(folder)
    assert names(folder, "epoch*") == ["epoch-0001"]


def test_closed_session_is_free(folder: Path) -> None:
    open_writer(folder).release()
    assert open_writer(folder).claim.epoch == 2


def test_session_taken_over_fences_the_earlier_writer(folder: Path) -> None:
    early = open_writer(folder)
    save(early, 1)
    late = open_writer(folder, take_over=True)
    with pytest.raises(SessionSupersededError, match="taken over by process"):
        save(early, 2)
    with pytest.raises(SessionSupersededError):
        early.record("a", 1)
    save(late, 3)
    assert step_of(folder) == 3


def test_save_that_is_overtaken_is_not_acknowledged(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The claim falls between the check and the link: the generation is there, but does not win."""
    early = open_writer(folder)
    save(early, 1)
    real = session_file.write_generation
    late: list[SessionWriter] = []

    def overtaken(*args: Any) -> Any:
        monkeypatch.setattr(session_file, "write_generation", real)
        late.append(open_writer(folder, take_over=True))
        return real(*args)

    monkeypatch.setattr(session_file, "write_generation", overtaken)
    with pytest.raises(SessionSupersededError):
        save(early, 100)
    assert not names(folder, ".tmp*")
    save(late[0], 2)
    assert step_of(folder) == 2


def test_save_that_is_overtaken_at_the_last_moment_is_not_acknowledged(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The claim falls after the link: the generation was not yet promised to anybody."""
    early = open_writer(folder)
    save(early, 1)
    real = session_writer.sync_folder
    late: list[SessionWriter] = []

    def overtaken(path: Path) -> None:
        monkeypatch.setattr(session_writer, "sync_folder", real)
        late.append(open_writer(folder, take_over=True))
        real(path)

    monkeypatch.setattr(session_writer, "sync_folder", overtaken)
    with pytest.raises(SessionSupersededError):
        save(early, 2)
    assert save(late[0], 3) == 3, "the later attempt has read what was there when it claimed"


def test_late_generation_of_an_earlier_epoch_never_wins(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A leftover that cannot see the later claim, as on a filesystem that answers late."""
    early = open_writer(folder)
    save(early, 1)
    late = open_writer(folder, take_over=True)
    save(late, 2)
    monkeypatch.setattr(SessionWriter, "check_fence", lambda _: None)
    for step in range(50, 60):
        save(early, step)
    assert step_of(folder) == 2
    save(late, 3)
    assert step_of(folder) == 3


def test_half_written_files_of_earlier_epochs_are_swept(folder: Path) -> None:
    make_folder(folder)
    for name in (".tmp-0000-ab", ".tmp-0001-ab", ".tmp-0002-ab"):
        (folder / name).touch()
    open_writer(folder)
    assert names(folder, ".tmp*") == [".tmp-0001-ab", ".tmp-0002-ab"]


def test_forked_child_cannot_write(folder: Path) -> None:
    writer = open_writer(folder)

    def refused() -> int:
        with pytest.raises(SessionError, match="belongs to process"):
            save(writer, 1)
        return 0

    assert exit_code(start_child(refused)) == 0
    save(writer, 1)


def test_damaged_claim_is_held_by_somebody_unknown(folder: Path) -> None:
    make_folder(folder)
    (folder / "epoch-0001").write_text("{")
    with pytest.raises(SessionHeldError, match="an unknown host"):
        open_writer(folder)


def test_lost_answer_to_a_link_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "temporary").touch()
    (tmp_path / "final").hardlink_to(tmp_path / "temporary")
    assert link_new(tmp_path / "temporary", tmp_path / "final")
    (tmp_path / "other").touch()
    assert not link_new(tmp_path / "other", tmp_path / "final")


def test_life_of_a_holder() -> None:
    mine = me()
    assert life_of(mine, mine) is Life.ALIVE
    assert life_of(replace(mine, started=mine.started + 1), mine) is Life.GONE
    assert life_of(replace(mine, boot_id="other"), mine) is Life.GONE
    assert life_of(replace(mine, boot_id="other", host="n2"), mine) is Life.UNKNOWN
    assert life_of(replace(mine, pid_namespace="other"), mine) is Life.UNKNOWN
    assert life_of(replace(mine, boot_id=""), mine) is Life.UNKNOWN


def test_ended_child_is_gone_before_it_is_waited_for() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    started = session_claims._started(child.pid)
    assert started is not None
    mine = me()
    assert life_of(replace(mine, pid=child.pid, started=started), mine) is Life.ALIVE
    assert child.stdin is not None
    child.stdin.close()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert life_of(replace(mine, pid=child.pid, started=started), mine) is Life.GONE
    child.wait()


def test_restart_count_must_be_a_number() -> None:
    environment = Environment(
        variables={"SLURM_RESTART_COUNT": "1;id"}, user="ada", uid=1, home=Path("/"), host="n1",
        directory=Path("/"),
    )  # fmt: skip
    with pytest.raises(SessionError, match="SLURM_RESTART_COUNT"):
        this_process(environment)
