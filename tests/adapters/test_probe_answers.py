"""Answers of nodes: read strictly, kept by node and boot, and believed only from those who may be."""

from __future__ import annotations

import json
import os
import pwd
from dataclasses import replace
from pathlib import Path

import pytest

from cfslurm.adapters.probe_answers import ProbeCache, read_answer
from cfslurm.core.documents import to_json
from cfslurm.core.hardware.probe import NodeProbe, NotKnown
from cfslurm.errors import SetupError
from tests.probes import BOOT_S, UNREAD, hgx, node_probe


def _write(path: Path, probe: NodeProbe, mode: int = 0o644) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(to_json(probe)))
    path.chmod(mode)
    return path


def _neighbour() -> int:
    if os.getuid() != 0:
        pytest.skip("only root can give files to another user")
    return pwd.getpwnam("nobody").pw_uid


@pytest.fixture
def cache(tmp_path: Path) -> ProbeCache:
    shared = tmp_path / "shared"
    (shared / "alps").mkdir(parents=True)
    return ProbeCache(own=tmp_path / "own", shared=shared, uid=os.getuid())


BOOTS = {"h1": BOOT_S, "h2": BOOT_S}


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "no JSON"), (b"\xff\xfe\x00", "no JSON"), (b"[" * 90_000, "no JSON"),
        (b"{}", "missing"), (b"null", "cannot be used"), (b'{"schema": "cfslurm.probe/9"}', "cannot be used"),
    ],
)  # fmt: skip
def test_rubbish_is_not_known_and_says_why(tmp_path: Path, content: bytes, why: str) -> None:
    path = tmp_path / "h1.json"
    path.write_bytes(content)
    answer = read_answer(path, "h1")
    assert isinstance(answer, NotKnown)
    assert why in answer.not_known
    assert "h1" in answer.not_known


def test_an_answer_is_of_its_node_whole_and_of_a_sane_size(tmp_path: Path) -> None:
    path = _write(tmp_path / "h1.json", hgx("h1"))
    assert read_answer(path, "h1") == hgx("h1")
    assert read_answer(tmp_path / "h2.json", "h2") is None
    other = read_answer(_write(tmp_path / "h2.json", hgx("h1")), "h2")
    assert isinstance(other, NotKnown)
    assert "speaks of 'h1'" in other.not_known
    (tmp_path / "big.json").write_bytes(b" " * 5_000_000)
    big = read_answer(tmp_path / "big.json", "big")
    assert isinstance(big, NotKnown)
    assert "no file of a sane size" in big.not_known
    (tmp_path / "link.json").symlink_to(path)
    assert isinstance(read_answer(tmp_path / "link.json", "h1"), NotKnown)
    os.mkfifo(tmp_path / "pipe.json")
    assert isinstance(read_answer(tmp_path / "pipe.json", "h1"), NotKnown)


def test_kept_until_the_next_boot(cache: ProbeCache) -> None:
    kept = cache.keep("alps", hgx("h1"))
    assert kept is not None
    assert cache.load("alps", BOOTS)[0] == {"h1": hgx("h1")}
    assert cache.load("alps", {"h1": BOOT_S + 7200})[0] == {}
    assert cache.load("alps", {"h1": None})[0] == {"h1": hgx("h1")}  # it does not register just now
    assert cache.load("alps", {"h2": BOOT_S})[0] == {}
    assert cache.load("daint", BOOTS)[0] == {}
    again = node_probe("h1", boot_time_s=BOOT_S + 7200)
    assert cache.keep("alps", again) != kept
    assert not kept.exists()
    assert cache.keep("alps", replace(hgx("h1"), machine=UNREAD)) is None


def test_the_newest_answer_counts(cache: ProbeCache, tmp_path: Path) -> None:
    newer = replace(hgx("h1", 4), probed_at="2026-11-22T00:00:00Z")
    name = f"alps/h1@{BOOT_S}.json"
    _write(tmp_path / "shared" / name, newer)
    _write(tmp_path / "own" / name, hgx("h1"))
    assert cache.load("alps", BOOTS)[0] == {"h1": newer}
    _write(tmp_path / "own" / name, replace(hgx("h1"), probed_at="2026-11-23T00:00:00Z"))
    assert len(cache.load("alps", BOOTS)[0]["h1"].gpus) == 8


def test_a_file_that_others_could_have_written_is_ignored(
    cache: ProbeCache, tmp_path: Path
) -> None:
    path = _write(tmp_path / "shared" / "alps" / f"h1@{BOOT_S}.json", hgx("h1"), mode=0o664)
    found, notes = cache.load("alps", BOOTS)
    assert found == {}
    assert "others may change it" in notes[0]
    path.chmod(0o644)
    assert "h1" in cache.load("alps", BOOTS)[0]


@pytest.mark.parametrize("which", ["shared", "shared/alps"])
def test_a_folder_in_which_others_may_rename_is_ignored(
    cache: ProbeCache, tmp_path: Path, which: str
) -> None:
    _write(tmp_path / "shared" / "alps" / f"h1@{BOOT_S}.json", hgx("h1"))
    (tmp_path / which).chmod(0o777)
    found, notes = cache.load("alps", BOOTS)
    assert found == {}
    assert "others may change what lies in it (mode 777)" in notes[0]
    (tmp_path / which).chmod(0o1777)  # the sticky bit keeps everybody's files his own
    assert "h1" in cache.load("alps", BOOTS)[0]


def test_a_neighbour_cannot_plant_facts(cache: ProbeCache, tmp_path: Path) -> None:
    neighbour = _neighbour()
    shared = tmp_path / "shared"
    (shared / "alps").chmod(0o1777)
    path = _write(shared / "alps" / f"h1@{BOOT_S}.json", hgx("h1"))
    os.chown(path, neighbour, -1)
    found, notes = cache.load("alps", BOOTS)
    assert found == {}
    assert f"uid {neighbour} has written it" in notes[0]
    # Nor by making the cluster's folder before anybody else does, nor by a link to his own.
    os.chown(path, 0, -1)
    os.chown(shared / "alps", neighbour, -1)
    found, notes = cache.load("alps", BOOTS)
    assert (found, "no folder of this user, root or the site" in notes[0]) == ({}, True)
    (shared / "alps").rename(tmp_path / "his")
    (shared / "alps").symlink_to(tmp_path / "his")
    assert cache.load("alps", BOOTS)[0] == {}
    # The owner of the folder that the site config names is the site.
    (shared / "alps").unlink()
    (tmp_path / "his").rename(shared / "alps")
    os.chown(shared, neighbour, -1)
    os.chown(path, neighbour, -1)
    assert "h1" in cache.load("alps", BOOTS)[0]


def test_a_cache_of_ones_own_that_a_neighbour_has_made_is_ignored(tmp_path: Path) -> None:
    neighbour, own = _neighbour(), tmp_path / "own"
    cache = ProbeCache(own=own, shared=None, uid=os.getuid())
    path = _write(own / "alps" / "a1@1000.json", node_probe("a1"))
    assert set(cache.load("alps", {"a1": None})[0]) == {"a1"}
    for place in (own, own / "alps", path):
        os.chown(place, neighbour, -1)
    found, notes = cache.load("alps", {"a1": None})
    assert found == {}
    assert "no folder of this user" in notes[0]


def test_kept_where_all_can_read_it_if_this_user_may_write_there(
    cache: ProbeCache, tmp_path: Path
) -> None:
    kept = cache.keep("alps", hgx("h1"))
    assert kept == tmp_path / "shared" / "alps" / f"h1@{BOOT_S}.json"
    assert kept.stat().st_mode & 0o777 == 0o644
    own = replace(cache, shared=None).keep("alps", hgx("h1"))
    assert own == tmp_path / "own" / "alps" / f"h1@{BOOT_S}.json"
    assert own.stat().st_mode & 0o777 == 0o600
    assert own.parent.stat().st_mode & 0o777 == 0o700


def test_a_umask_that_shares_with_a_group_costs_nothing(tmp_path: Path) -> None:
    cache = ProbeCache(own=tmp_path / "deep" / "own", shared=None, uid=os.getuid())
    before = os.umask(0)
    try:
        cache.keep("alps", hgx("h1"))
    finally:
        os.umask(before)
    assert cache.load("alps", BOOTS) == ({"h1": hgx("h1")}, ())


def test_a_cache_that_cannot_be_written_or_read_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = ProbeCache(own=tmp_path / "file" / "own", shared=None, uid=os.getuid())
    with pytest.raises(SetupError, match="cannot keep the answer of h1"):
        cache.keep("alps", hgx("h1"))
    found, notes = cache.load("alps", BOOTS)
    assert (found, "cannot be read: Not a directory" in notes[0]) == ({}, True)


@pytest.mark.parametrize("cluster", ["", "..", "../alps", "a/b", "a b"])
def test_a_cluster_is_no_path(cache: ProbeCache, cluster: str) -> None:
    assert cache.load(cluster, BOOTS) == ({}, ())
    assert cache.keep(cluster, hgx("h1")) is None


def test_old_answers_are_not_even_read(cache: ProbeCache, tmp_path: Path) -> None:
    folder = tmp_path / "shared" / "alps"
    for i in range(2000):
        (folder / f"n{i}@1.json").write_text("rubbish")
    (folder / "README").write_text("not an answer")
    assert cache.load("alps", {f"n{i}": BOOT_S for i in range(2000)}) == ({}, ())
