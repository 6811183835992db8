"""What a Hub said of a commit is asked once; everything else is asked every time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cfslurm.adapters.hub_cache import CachedHub
from cfslurm.errors import HubAccessError
from tests.hub.fake import FakeHub

pytest_plugins = ("tests.hub.fixtures",)

REPO = "acme/tiny"


@pytest.fixture
def commit(fake_hub: FakeHub) -> str:
    return fake_hub.repositories[REPO].commit


def answers(hub: CachedHub, commit: str) -> tuple[object, object]:
    return hub.files(REPO, commit), hub.read_json(REPO, commit, "config.json")


def test_a_commit_is_asked_once(fake_hub: FakeHub, tmp_path: Path, commit: str) -> None:
    first = answers(CachedHub(fake_hub, tmp_path / "c"), commit)
    fake_hub.asked.clear()
    assert answers(CachedHub(fake_hub, tmp_path / "c"), commit) == first
    assert fake_hub.asked == []


def test_branches_and_children_are_always_asked(fake_hub: FakeHub, tmp_path: Path) -> None:
    hub = CachedHub(fake_hub, tmp_path)
    for _ in range(2):
        hub.repository(REPO, "main")
        hub.quantized_children(REPO, limit=2)
        hub.files(REPO, "main")
        hub.read_json(REPO, "main", "config.json")
    assert len(fake_hub.asked) == 8


def test_another_hub_is_another_matter(fake_hub: FakeHub, tmp_path: Path, commit: str) -> None:
    answers(CachedHub(fake_hub, tmp_path), commit)
    fake_hub.asked.clear()
    fake_hub.endpoint = "http://mirror.invalid"
    answers(CachedHub(fake_hub, tmp_path), commit)
    assert fake_hub.asked != []


def test_refusals_are_not_remembered(fake_hub: FakeHub, tmp_path: Path) -> None:
    hub = CachedHub(fake_hub, tmp_path)
    gated = fake_hub.repositories["acme/gated"].commit
    for _ in range(2):
        with pytest.raises(HubAccessError):
            hub.read_json("acme/gated", gated, "config.json")
    assert list(tmp_path.iterdir()) == []


def test_it_is_the_users_own(fake_hub: FakeHub, tmp_path: Path, commit: str) -> None:
    answers(CachedHub(fake_hub, tmp_path / "c"), commit)
    assert (tmp_path / "c").stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "c").iterdir()} == {0o600}


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"schema": "cfslurm.hub_answer/1"}'])
def test_a_damaged_answer_is_asked_again(
    fake_hub: FakeHub, tmp_path: Path, commit: str, damage: str
) -> None:
    first = answers(CachedHub(fake_hub, tmp_path), commit)
    for path in tmp_path.iterdir():
        path.write_text(damage)
    assert answers(CachedHub(fake_hub, tmp_path), commit) == first


def test_a_forged_listing_is_asked_again(fake_hub: FakeHub, tmp_path: Path, commit: str) -> None:
    hub = CachedHub(fake_hub, tmp_path)
    first = hub.files(REPO, commit)
    (path,) = tmp_path.iterdir()
    path.write_text(json.dumps({**json.loads(path.read_text()), "answer": [{"path": 3}]}))
    assert hub.files(REPO, commit) == first


def test_an_answer_to_another_question_is_no_answer(
    fake_hub: FakeHub, tmp_path: Path, commit: str
) -> None:
    hub = CachedHub(fake_hub, tmp_path)
    config = hub.read_json(REPO, commit, "config.json")
    (path,) = tmp_path.iterdir()
    hub.read_json(REPO, commit, "tokenizer.json")
    (other,) = set(tmp_path.iterdir()) - {path}
    path.write_bytes(other.read_bytes())
    assert hub.read_json(REPO, commit, "config.json") == config


def test_a_cache_that_cannot_be_written_costs_only_time(
    fake_hub: FakeHub, tmp_path: Path, commit: str
) -> None:
    (tmp_path / "c").write_text("a file, no folder")
    assert answers(CachedHub(fake_hub, tmp_path / "c"), commit)
