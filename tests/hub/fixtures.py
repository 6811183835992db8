"""Fixtures for everybody who needs a Hub: ``pytest_plugins = ("tests.hub.fixtures",)``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

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
def hub_server(_hub_server: HubServer) -> Iterator[HubServer]:
    """A running Hub with an empty log and no faults, for an anonymous user."""
    _hub_server.forget()
    yield _hub_server
    _hub_server.forget()
