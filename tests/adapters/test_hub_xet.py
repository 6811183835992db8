"""Files that only Xet can carry, with the true Xet on a folder of this machine."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

import huggingface_hub.constants
import pytest

from cfslurm.adapters.hub import HuggingFaceHub
from cfslurm.core.models.variants import ModelFile
from tests.builders import unread_variant
from tests.hub.server import HubServer, serving

pytest_plugins = ("tests.hub.fixtures",)

hf_xet = pytest.importorskip("hf_xet")  # there are no wheels of it for some machines
REPO = "acme/huge"
LARGEST_BY_HTTP = 50 * 10**9


@pytest.fixture
def server(
    tmp_path: Path, hub_client: None, monkeypatch: pytest.MonkeyPatch
) -> Iterator[HubServer]:
    """A Hub with one file that is stored in Xet as well."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", False)
    monkeypatch.setenv("HF_XET_CACHE", str(tmp_path / "chunks"))
    folder = tmp_path / "hub" / REPO
    folder.mkdir(parents=True)
    path = folder / "model.safetensors"
    path.write_bytes(random.Random(1).randbytes(300_000))
    store = f"local://{tmp_path / 'xet'}"
    with hf_xet.XetSession().new_upload_commit(endpoint=store) as commit:
        upload = commit.start_upload_file(str(path))
    settings = {"xet": {path.name: upload.result().xet_info.hash}, "xet_store": store}
    (folder / ".hub.json").write_text(json.dumps(settings))
    with serving(tmp_path / "hub") as running:
        yield running


def fetched(server: HubServer, into: Path, *, size_bytes: int) -> tuple[bytes, int]:
    """The content that arrived, and the bytes that were counted on the way."""
    variant = unread_variant(REPO, server.commit(REPO))
    counts: list[int] = []
    file = ModelFile(path="model.safetensors", size_bytes=size_bytes)
    found = HuggingFaceHub(server.endpoint).download(variant, file, into, progress=counts.append)
    return found.read_bytes(), sum(counts)


def stored(server: HubServer) -> bytes:
    return (server.root / REPO / "model.safetensors").read_bytes()


def test_what_http_cannot_carry_comes_by_xet(server: HubServer, tmp_path: Path) -> None:
    content, counted = fetched(server, tmp_path / "into", size_bytes=LARGEST_BY_HTTP + 1)
    assert content == stored(server)
    assert counted == len(content)
    assert server.requests("/xet-read-token/")
    assert server.requests("GET /cdn/") == []


def test_everything_else_comes_by_http(server: HubServer, tmp_path: Path) -> None:
    content, counted = fetched(server, tmp_path / "into", size_bytes=LARGEST_BY_HTTP)
    assert content == stored(server)
    assert counted == len(content)
    assert server.requests("/xet-read-token/") == []


@pytest.mark.parametrize(("wish", "is_by_xet"), [("1", False), ("0", True)])
def test_the_users_wish_counts(
    server: HubServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    wish: str,
    is_by_xet: bool,
) -> None:
    monkeypatch.setenv("HF_HUB_DISABLE_XET", wish)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", wish == "1")
    fetched(server, tmp_path / "into", size_bytes=LARGEST_BY_HTTP)
    assert bool(server.requests("/xet-read-token/")) is is_by_xet
