"""Sessions that are encrypted, compressed, shared with a group, or kept by hour and day."""

from __future__ import annotations

import os
import secrets
import stat
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from cfslurm import Session
from cfslurm.errors import SessionError

FOLDER = Path("sessions/coder")
CANARY = b"cfslurm-canary-7f3a"


@pytest.fixture(autouse=True)
def in_own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def make_key(path: Path) -> Path:
    path.write_text(secrets.token_hex(32) + "\n")
    path.chmod(0o600)
    return path


@pytest.fixture
def key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    found = make_key(tmp_path / "session.key")
    monkeypatch.setenv("CFSLURM_SESSION_KEY_FILE", str(found))
    return found


def use_it() -> None:
    with Session.open("coder") as session:
        session["note"] = CANARY.decode() * 10
        session["large"] = np.frombuffer(CANARY * 200_000, np.uint8)
        session["exact"] = np.arange(131_072)  # a frame of its own, to the byte
        session.append({"content": CANARY.decode()})
        session.commit()
        for number in range(4):
            session["number"] = number
            session.append({"content": CANARY.decode() * 3})
            session.commit()
        session.once("ask", lambda: CANARY)
        session.checkpoint()
        session["number"] = 4
        session.commit()


def check_it() -> None:
    found = Session.read(FOLDER)
    assert found.warnings == ()
    assert found.state["number"] == 4
    assert found.state["large"].tobytes() == CANARY * 200_000
    assert found.state["exact"].sum() == sum(range(131_072))
    assert len(found.events) == 5
    assert found.steps == {"ask": CANARY}


def test_encrypted_session_is_the_same_with_its_key(key: Path) -> None:
    use_it()
    check_it()
    with Session.open("coder") as session:
        session["more"] = 1
    check_it()
    sizes = [path.stat().st_size for path in FOLDER.glob("g*")]
    assert min(sizes) < 30_000, "large parts are referred to in encrypted sessions too"


def test_nothing_readable_and_no_key_lies_on_the_disk(key: Path) -> None:
    use_it()
    secret = key.read_text().strip()
    for path in FOLDER.iterdir():
        raw = path.read_bytes()
        assert CANARY not in raw
        assert secret.encode() not in raw
        assert bytes.fromhex(secret) not in raw
    assert any(CANARY.hex().encode() not in path.read_bytes() for path in FOLDER.glob("j*"))


def test_wrong_or_missing_key_is_said(key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_it()
    key.write_text(secrets.token_hex(32))
    with pytest.raises(SessionError, match="encrypted with another key"):
        Session.read(FOLDER)
    with pytest.raises(SessionError, match="encrypted with another key"):
        Session.open("coder")
    monkeypatch.delenv("CFSLURM_SESSION_KEY_FILE")
    with pytest.raises(SessionError, match="there is no key here") as caught:
        Session.open("coder")
    assert "CFSLURM_SESSION_KEY_FILE" in caught.value.remedy


def told() -> tuple[str, ...]:
    """What a reader says of a damaged session; four bytes of a file tell another key."""
    try:
        return Session.read(FOLDER).warnings
    except SessionError as error:
        return (error.message,)


def test_every_changed_byte_of_an_encrypted_file_is_noticed(key: Path) -> None:
    with Session.open("coder") as session:
        session["large"] = np.zeros(150_000, np.uint8)
    newest = max(FOLDER.glob("g*"))
    whole = bytearray(newest.read_bytes())
    noticed = 0
    for position in [*range(0, len(whole), 997), *range(len(whole) - 96, len(whole))]:
        whole[position] ^= 0x20
        newest.write_bytes(whole)
        assert any("passed over" in one or "another key" in one for one in told())
        noticed += 1
        whole[position] ^= 0x20
    assert noticed > 200


def test_an_encrypted_journal_notices_changed_and_moved_lines(key: Path) -> None:
    with Session.open("coder") as session:
        session.commit()
        for number in range(3):
            session["x"] = number
            session.commit()
        (journal,) = FOLDER.glob("j*")
        lines = journal.read_bytes().splitlines(keepends=True)
        journal.write_bytes(b"".join([lines[0], lines[2], lines[1], lines[3]]))
        found = Session.read(FOLDER)
        assert "x" not in found.state
        assert "2 damaged lines" in found.warnings[0]
        journal.write_bytes(b"".join(lines))
        assert Session.read(FOLDER).state["x"] == 2


def test_a_plain_session_becomes_an_encrypted_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Session.open("coder") as session:
        session["large"] = np.frombuffer(CANARY * 10_000, np.uint8)
    monkeypatch.setenv("CFSLURM_SESSION_KEY_FILE", str(make_key(tmp_path / "key")))
    with Session.open("coder") as session:
        for _ in range(3):
            session.checkpoint()
    assert not any(CANARY in path.read_bytes() for path in FOLDER.iterdir())
    assert Session.read(FOLDER).state["large"].tobytes() == CANARY * 10_000


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_key_that_others_can_read_is_refused(key: Path, mode: int) -> None:
    key.chmod(mode)
    with pytest.raises(SessionError, match="others can read") as caught:
        Session.open("coder")
    assert "chmod 600" in caught.value.remedy


@pytest.mark.parametrize("text", ["", "abc", "zz" * 32, "ab" * 33])
def test_what_is_no_key_is_refused_and_not_printed(key: Path, text: str) -> None:
    key.write_text(text)
    with pytest.raises(SessionError, match="no key of 64 hexadecimal digits") as caught:
        Session.open("coder")
    assert not text or text not in str(caught.value)


def test_key_from_a_command(key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_it()
    monkeypatch.delenv("CFSLURM_SESSION_KEY_FILE")
    monkeypatch.setenv("CFSLURM_SESSION_KEY_COMMAND", f"cat '{key}'")
    check_it()
    for command, message in (
        ("false", "ended with 1"),
        ("/no/such", "is not there"),
        ("a 'b", "no comm"),
    ):
        monkeypatch.setenv("CFSLURM_SESSION_KEY_COMMAND", command)
        with pytest.raises(SessionError, match=message):
            Session.read(FOLDER)


def test_without_the_library_the_error_says_what_to_install(
    key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.ciphers.aead", None)
    with pytest.raises(SessionError, match="needs the library cryptography") as caught:
        Session.open("coder")
    assert "cfslurm[encryption]" in caught.value.remedy


# --- Compression


def test_compressed_session_is_smaller_and_read_by_plain_h5py(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CFSLURM_SESSION_COMPRESSION", "zip")
    noise = np.random.default_rng(1).integers(0, 256, 100_000, np.uint8)
    counters = np.arange(200_000) // 7
    with Session.open("coder") as session:
        session["noise"] = noise
        session["counters"] = counters.reshape(400, 500)
        session["names"] = np.array(["ada"] * 500)
        # More than 100 times smaller: not packed, so that it looks like no bomb.
        session["trivial"] = np.zeros(10**6)
        for number in range(3000):
            session.append({"role": "user", "content": f"message {number}"})
        session.checkpoint()
        session.checkpoint()
        path = FOLDER / "g0001-000000000002.h5"
        assert path.stat().st_size < 9_000_000
        assert max(FOLDER.glob("g*")).stat().st_size < 20_000, "nothing is packed twice"
    with h5py.File(path) as file:
        assert (file["state/counters"][()] == counters.reshape(400, 500)).all()
        assert file["state/counters"].id.get_storage_size() < counters.nbytes / 3
        assert file["state/noise"].chunks is None
        assert file["state/trivial"].chunks is None
        assert file["events/000000000000"].compression == "gzip"
    monkeypatch.delenv("CFSLURM_SESSION_COMPRESSION")
    with Session.open("coder") as session:
        np.testing.assert_equal(session["counters"], counters.reshape(400, 500))
        np.testing.assert_equal(session["noise"], noise)
        assert session["names"].tolist() == ["ada"] * 500
        assert session.events[-1] == {"role": "user", "content": "message 2999"}


def test_compressed_and_encrypted(key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CFSLURM_SESSION_COMPRESSION", "zip")
    use_it()
    check_it()


def test_unknown_compression_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CFSLURM_SESSION_COMPRESSION", "lzma")
    with pytest.raises(SessionError, match="CFSLURM_SESSION_COMPRESSION"):
        Session.open("coder")


# --- Modes


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be in any group")
@pytest.mark.parametrize("umask", [0o000, 0o077, 0o777])
def test_group_may_read_whatever_the_umask(monkeypatch: pytest.MonkeyPatch, umask: int) -> None:
    monkeypatch.setenv("CFSLURM_SESSION_GROUP", "daemon")
    Path("sessions").mkdir()
    earlier = os.umask(umask)
    try:
        with Session.open("coder") as session:
            session.commit()
            session["x"] = 1
            session.commit()
        monkeypatch.delenv("CFSLURM_SESSION_GROUP")  # who goes on need not know
        Session.open("coder").close()
    finally:
        os.umask(earlier)
    status = FOLDER.stat()
    assert stat.S_IMODE(status.st_mode) == 0o3770
    files = list(FOLDER.iterdir())
    assert len(files) > 6
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o640}
    assert {file.stat().st_gid for file in files} == {status.st_gid}
    told = subprocess.run(
        ["id", "-g", "daemon"], capture_output=True, text=True, check=True
    ).stdout  # fmt: skip
    assert status.st_gid == int(told)


def test_unknown_group_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CFSLURM_SESSION_GROUP", "no-such-group")
    with pytest.raises(SessionError, match="no group that you are in"):
        Session.open("coder")


# --- What is kept


def test_older_generations_are_kept_by_hour_and_day(monkeypatch: pytest.MonkeyPatch) -> None:
    class Clock:
        time_s = 1_790_000_000.0

        def now(self) -> float:
            return self.time_s

        def monotonic(self) -> float:
            return self.time_s

    clock = Clock()
    monkeypatch.setattr("cfslurm.node.session.SystemClock", lambda: clock)
    monkeypatch.setenv("CFSLURM_SESSION_KEEP", "2")
    monkeypatch.setenv("CFSLURM_SESSION_KEEP_HOURLY", "3")
    monkeypatch.setenv("CFSLURM_SESSION_KEEP_DAILY", "2")
    with Session.open("coder") as session:
        session["frozen"] = np.ones(50_000)
        for number in range(40 * 4):  # 40 hours, four in each
            clock.time_s += 900
            session["number"] = number
            session.checkpoint()
    kept = [Session.read(path) for path in sorted(FOLDER.glob("g*"))]
    hours = [found.saved_at[:13] for found in kept]
    days = {found.saved_at[:10] for found in kept}
    assert len(set(hours[-4:])) >= 3
    assert len(days) == 2
    assert 4 <= len(kept) <= 6
    assert all(found.state["frozen"].sum() == 50_000 for found in kept)
    assert len(list(FOLDER.glob("p*"))) == 1
    assert len(list(FOLDER.glob("j*"))) == 0
