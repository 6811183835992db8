"""What a Hub said of a commit is asked once; everything else is asked every time."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from cfslurm.adapters.hub_cache import CachedHub
from cfslurm.core.models.hub import HubSearch
from cfslurm.errors import HubAccessError
from tests.hub.fake import FakeClock, FakeHub

pytest_plugins = ("tests.hub.fixtures",)

REPO = "acme/tiny"


@pytest.fixture
def commit(fake_hub: FakeHub) -> str:
    return fake_hub.repositories[REPO].commit


def cached(hub: FakeHub, folder: Path, clock: FakeClock | None = None) -> CachedHub:
    return CachedHub(hub, folder, clock=clock or FakeClock(), lists_live_s=100)


def answers(hub: CachedHub, commit: str) -> tuple[object, object]:
    return hub.files(REPO, commit), hub.read_json(REPO, commit, "config.json")


def test_a_commit_is_asked_once(fake_hub: FakeHub, tmp_path: Path, commit: str) -> None:
    first = answers(cached(fake_hub, tmp_path / "c"), commit)
    fake_hub.asked.clear()
    assert answers(cached(fake_hub, tmp_path / "c"), commit) == first
    assert fake_hub.asked == []


def lists(hub: CachedHub, commit: str) -> tuple[object, ...]:
    return (
        hub.repository(REPO, "main"),
        hub.search(HubSearch(quantized_from=REPO), limit=2),
        hub.security(REPO, commit),
    )


def test_lists_are_asked_again_when_they_are_old(
    fake_hub: FakeHub, tmp_path: Path, commit: str
) -> None:
    clock = FakeClock()
    first = lists(cached(fake_hub, tmp_path, clock), commit)
    asked = list(fake_hub.asked)
    assert len(asked) == 3
    clock.sleep(99)
    assert lists(cached(fake_hub, tmp_path, clock), commit) == first
    assert fake_hub.asked == asked
    clock.sleep(1)
    assert lists(cached(fake_hub, tmp_path, clock), commit) == first
    assert fake_hub.asked == asked * 2


def test_a_clock_that_went_back_makes_nothing_last(
    fake_hub: FakeHub, tmp_path: Path, commit: str
) -> None:
    clock = FakeClock()
    lists(cached(fake_hub, tmp_path, clock), commit)
    clock.sleep(-50)
    lists(cached(fake_hub, tmp_path, clock), commit)
    assert len(fake_hub.asked) == 6


def test_who_asks_anew_leaves_the_answer_for_others(
    fake_hub: FakeHub, tmp_path: Path, commit: str
) -> None:
    clock = FakeClock()
    fresh = CachedHub(fake_hub, tmp_path, clock=clock, lists_live_s=0)
    for _ in range(2):
        lists(fresh, commit)
    lists(cached(fake_hub, tmp_path, clock), commit)
    assert len(fake_hub.asked) == 6


def test_what_a_branch_holds_is_always_asked(fake_hub: FakeHub, tmp_path: Path) -> None:
    hub = cached(fake_hub, tmp_path)
    for _ in range(2):
        hub.files(REPO, "main")
        hub.read_json(REPO, "main", "config.json")
    assert len(fake_hub.asked) == 4


def test_headers_and_texts_are_kept_too(fake_hub: FakeHub, tmp_path: Path, commit: str) -> None:
    files = {file.path: file for file in fake_hub.files(REPO, commit)}
    fake_hub.asked.clear()
    for name in ("model-00001-of-00002.safetensors", "consolidated.safetensors"):
        first = cached(fake_hub, tmp_path).weights_header(REPO, commit, files[name])
        assert cached(fake_hub, tmp_path).weights_header(REPO, commit, files[name]) == first
    text = cached(fake_hub, tmp_path).read_text(REPO, commit, "README.md")
    assert cached(fake_hub, tmp_path).read_text(REPO, commit, "README.md") == text
    assert len([asked for asked in fake_hub.asked if asked.startswith("header")]) == 2


def test_another_hub_is_another_matter(fake_hub: FakeHub, tmp_path: Path, commit: str) -> None:
    answers(cached(fake_hub, tmp_path), commit)
    fake_hub.asked.clear()
    fake_hub.endpoint = "http://mirror.invalid"
    answers(cached(fake_hub, tmp_path), commit)
    assert fake_hub.asked != []


def test_refusals_are_not_remembered(fake_hub: FakeHub, tmp_path: Path) -> None:
    hub = cached(fake_hub, tmp_path)
    gated = fake_hub.repositories["acme/gated"].commit
    for _ in range(2):
        with pytest.raises(HubAccessError):
            hub.read_json("acme/gated", gated, "config.json")
    assert list(tmp_path.iterdir()) == []


def test_it_is_the_users_own(fake_hub: FakeHub, tmp_path: Path, commit: str) -> None:
    answers(cached(fake_hub, tmp_path / "c"), commit)
    assert (tmp_path / "c").stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "c").iterdir()} == {0o600}


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"schema": "cfslurm.hub_answer/1"}'])
def test_a_damaged_answer_is_asked_again(
    fake_hub: FakeHub, tmp_path: Path, commit: str, damage: str
) -> None:
    first = answers(cached(fake_hub, tmp_path), commit)
    for path in tmp_path.iterdir():
        path.write_text(damage)
    assert answers(cached(fake_hub, tmp_path), commit) == first


def test_a_forged_listing_is_asked_again(fake_hub: FakeHub, tmp_path: Path, commit: str) -> None:
    hub = cached(fake_hub, tmp_path)
    first = hub.files(REPO, commit)
    (path,) = tmp_path.iterdir()
    path.write_text(json.dumps({**json.loads(path.read_text()), "answer": [{"path": 3}]}))
    assert hub.files(REPO, commit) == first


def test_an_answer_to_another_question_is_no_answer(
    fake_hub: FakeHub, tmp_path: Path, commit: str
) -> None:
    hub = cached(fake_hub, tmp_path)
    config = hub.read_json(REPO, commit, "config.json")
    (path,) = tmp_path.iterdir()
    hub.read_json(REPO, commit, "tokenizer.json")
    (other,) = set(tmp_path.iterdir()) - {path}
    path.write_bytes(other.read_bytes())
    assert hub.read_json(REPO, commit, "config.json") == config


def test_the_older_half_goes_when_there_are_too_many(
    fake_hub: FakeHub, tmp_path: Path, commit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cfslurm.adapters.hub_cache._MOST_ANSWERS", 10)
    for age in range(12):
        path = tmp_path / f"{age}.json"
        path.touch()
        os.utime(path, (1000 - age, 1000 - age))
    answers(cached(fake_hub, tmp_path), commit)
    left = {path.stem for path in tmp_path.iterdir()}
    assert len(left) == 6 + 2
    assert {"0", "1", "2", "3", "4", "5"} < left


def test_a_cache_that_cannot_be_written_costs_only_time(
    fake_hub: FakeHub, tmp_path: Path, commit: str
) -> None:
    (tmp_path / "c").write_text("a file, no folder")
    assert answers(cached(fake_hub, tmp_path / "c"), commit)
