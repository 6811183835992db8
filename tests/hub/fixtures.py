"""Fixtures for everybody who needs a Hub: ``pytest_plugins = ("tests.hub.fixtures",)``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import huggingface_hub.constants
import huggingface_hub.file_download
import huggingface_hub.utils._http
import pytest

from cfslurm.adapters.model_store import DirectoryStore
from cfslurm.core.models.variants import Variant
from tests.hub.fake import FakeClock, FakeHub, tiny_variants
from tests.hub.repos import make_set
from tests.hub.server import HubServer, serving


@pytest.fixture(scope="session")
def hub_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repositories of the tests set; nobody changes them."""
    root = tmp_path_factory.mktemp("hub")
    make_set(root, "tests")
    return root


@pytest.fixture(scope="session")
def demo_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repositories of the demo."""
    root = tmp_path_factory.mktemp("demo")
    make_set(root, "demo")
    return root


@pytest.fixture(scope="session")
def _hub_server(hub_root: Path) -> Iterator[HubServer]:
    with serving(hub_root) as server:
        yield server


@pytest.fixture
def hub_server(_hub_server: HubServer, hub_client: None) -> Iterator[HubServer]:
    """A running Hub with an empty log and no faults, and a client that is nobody."""
    _hub_server.forget()
    yield _hub_server
    _hub_server.forget()


@pytest.fixture
def hub_client(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """huggingface_hub without the developer's token and settings, which does not wait between tries."""
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_HUB_DISABLE_XET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setattr(huggingface_hub.constants, "HF_TOKEN_PATH", "/nonexistent/token")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    for module in (huggingface_hub.utils._http, huggingface_hub.file_download):
        monkeypatch.setattr(module, "time", SimpleNamespace(sleep=lambda seconds: None))
    yield
    huggingface_hub.utils.close_session()


@pytest.fixture
def fake_hub(hub_root: Path) -> FakeHub:
    """A Hub without HTTP."""
    return FakeHub(hub_root)


@pytest.fixture
def tiny(hub_root: Path) -> dict[str, Variant]:
    """The variants of acme/tiny, by id."""
    return tiny_variants(FakeHub(hub_root))


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    """An empty model cache."""
    return DirectoryStore(tmp_path / "cache")


@pytest.fixture
def fake_clock() -> FakeClock:
    """Time that passes only when somebody sleeps."""
    return FakeClock()
