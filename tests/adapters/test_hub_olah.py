"""Downloads and headers against a Hub that somebody else wrote, so that ours cannot be wrong alike."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cfslurm.adapters.hub import HuggingFaceHub
from cfslurm.adapters.model_store import DirectoryStore
from cfslurm.core.models.headers import WeightsHeader
from cfslurm.core.models.variants import CatalogEntry
from cfslurm.core.workflow.model import Model
from cfslurm.errors import HubAccessError, HubError
from cfslurm.stages.catalogue import Sources, discover
from tests.hub.fake import FakeClock, FakeHub, shipped_standards
from tests.hub.olah import make_mirror, olah, why_not

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())
pytest_plugins = ("tests.hub.fixtures",)

REPO, GGUF = "acme/tiny", "quantco/tiny-GGUF"


@pytest.fixture(scope="module")
def commits() -> dict[str, str]:
    return {}


@pytest.fixture(scope="module")
def endpoint(
    hub_root: Path, tmp_path_factory: pytest.TempPathFactory, commits: dict[str, str]
) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("olah")
    for repo_id in (REPO, GGUF, "quantco/tiny-AWQ"):
        commits[repo_id] = make_mirror(hub_root, repo_id, folder)
    with olah(folder) as address:
        yield address


@pytest.fixture
def hub(endpoint: str, hub_client: None) -> HuggingFaceHub:
    return HuggingFaceHub(endpoint)


def entry(hub: HuggingFaceHub, model: Model) -> CatalogEntry:
    catalog = discover(
        {"m": model},
        sources=Sources(hub=hub, clock=FakeClock(), progress=lambda text: None),
        standards=shipped_standards(),
        discovered_at="",
    )
    return catalog.models["m"]


def test_a_branch_is_pinned_to_its_commit(hub: HuggingFaceHub, commits: dict[str, str]) -> None:
    assert hub.repository(REPO, "main").revision == commits[REPO]
    assert hub.repository(REPO, commits[REPO]).repo_id == REPO


def test_files_have_the_sizes_and_hashes_that_we_give_them(
    hub: HuggingFaceHub, commits: dict[str, str], fake_hub: FakeHub
) -> None:
    for repo_id in (REPO, GGUF):
        ours = fake_hub.files(repo_id, "main")
        theirs = hub.files(repo_id, commits[repo_id])
        left_out = {file for file in ours if file.path == ".gitattributes"}
        assert set(theirs) == set(ours) - left_out


def test_small_files_are_read(
    hub: HuggingFaceHub, commits: dict[str, str], fake_hub: FakeHub
) -> None:
    commit = commits[REPO]
    assert hub.read_json(REPO, commit, "config.json") == fake_hub.read_json(
        REPO, "main", "config.json"
    )
    assert hub.read_text(REPO, commit, "README.md") == fake_hub.read_text(REPO, "main", "README.md")


@pytest.mark.parametrize(
    ("repo_id", "path"),
    [
        (REPO, "model-00001-of-00002.safetensors"),
        (GGUF, "tiny-Q4_K_M.gguf"),
        (GGUF, "Q5_0/tiny-Q5_0-00002-of-00002.gguf"),
    ],
)
def test_headers_are_read_although_it_knows_no_ranges(
    hub: HuggingFaceHub, commits: dict[str, str], fake_hub: FakeHub, repo_id: str, path: str
) -> None:
    (file,) = (f for f in hub.files(repo_id, commits[repo_id]) if f.path == path)
    found = hub.weights_header(repo_id, commits[repo_id], file)
    assert isinstance(found, WeightsHeader)
    assert found == fake_hub.weights_header(repo_id, "main", file)


def test_what_is_missing_is_refused(hub: HuggingFaceHub, commits: dict[str, str]) -> None:
    for ask in (
        lambda: hub.repository("acme/none", "main"),
        lambda: hub.files(REPO, "0" * 40),
        lambda: hub.read_json(REPO, commits[REPO], "none.json"),
    ):
        with pytest.raises(HubError) as raised:
            ask()
        assert raised.value.remedy


def test_without_lists_the_model_itself_is_found_and_the_lack_is_told(hub: HuggingFaceHub) -> None:
    found = entry(hub, Model(repo=REPO))
    assert [variant.id for variant in found.variants] == ["acme/tiny@none"]
    (note,) = found.notes
    assert note.startswith("what is quantized from it cannot be listed: ")


def test_a_named_variant_is_found_and_fetched_with_every_byte_verified(
    hub: HuggingFaceHub, store: DirectoryStore, hub_root: Path
) -> None:
    found = entry(hub, Model(repo=REPO, variant="quantco/tiny-AWQ"))
    (awq,) = found.variants
    assert (awq.quantization, awq.parameters) == ("awq", found.variants[0].architecture.parameters)
    for variant in (awq, *entry(hub, Model(repo=REPO, variant=GGUF)).variants):
        folder = store.fetch(variant, hub, progress=lambda file, count: None)
        for file in variant.files:
            content = (folder / file.path).read_bytes()
            assert content == (hub_root / variant.repo_id / file.path).read_bytes()


def test_a_token_does_not_open_what_is_not_there(
    hub: HuggingFaceHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_somebody")
    with pytest.raises(HubAccessError):
        hub.repository("acme/none", "main")
