"""Everything that has the shape of a Hub answers alike: the real one, the cached one, the fake."""

from __future__ import annotations

from pathlib import Path

import pytest

from cfslurm.adapters.hub import HuggingFaceHub
from cfslurm.adapters.hub_cache import CachedHub
from cfslurm.core.models.headers import WeightsHeader
from cfslurm.core.models.hub import HubSearch, Security
from cfslurm.core.models.refusal import Refusal
from cfslurm.core.models.variants import ModelFile, Variant
from cfslurm.errors import HubAccessError, HubError
from cfslurm.ports import Hub
from tests.builders import unread_variant
from tests.hub.fake import FakeClock, FakeHub
from tests.hub.server import HubServer

pytest_plugins = ("tests.hub.fixtures",)

REPO = "acme/tiny"


@pytest.fixture(params=["real", "cached", "fake"])
def hub(
    request: pytest.FixtureRequest, hub_server: HubServer, hub_root: Path, tmp_path: Path
) -> Hub:
    hubs: dict[str, Hub] = {
        "real": HuggingFaceHub(hub_server.endpoint),
        "cached": CachedHub(
            HuggingFaceHub(hub_server.endpoint),
            tmp_path / "answers",
            clock=FakeClock(),
            lists_live_s=3600,
        ),
        "fake": FakeHub(hub_root),
    }
    return hubs[request.param]


@pytest.fixture
def commit(hub_server: HubServer) -> str:
    return hub_server.commit(REPO)


def variant(commit: str) -> Variant:
    return unread_variant(REPO, commit)


class TestHub:
    def test_answers_a_ping(self, hub: Hub) -> None:
        hub.ping()

    def test_a_branch_is_pinned_to_its_commit(self, hub: Hub, commit: str) -> None:
        record = hub.repository(REPO, "main")
        assert (record.repo_id, record.revision) == (REPO, commit)
        assert (record.licence, record.downloads) == ("apache-2.0", 1000)
        assert hub.repository(REPO, commit) == record

    def test_an_old_name_leads_to_the_new_one(self, hub: Hub) -> None:
        assert hub.repository("acme/tiny-preview", "main").repo_id == REPO

    @pytest.mark.parametrize(
        ("repo_id", "revision"), [("acme/none", "main"), ("acme/private", "main"), (REPO, "v9")]
    )
    def test_what_is_missing_or_private_is_refused(
        self, hub: Hub, repo_id: str, revision: str
    ) -> None:
        with pytest.raises(HubAccessError) as raised:
            hub.repository(repo_id, revision)
        assert raised.value.remedy

    def test_a_gated_repository_is_described(self, hub: Hub) -> None:
        assert hub.repository("acme/gated", "main").is_gated

    def test_children_come_most_used_first(self, hub: Hub) -> None:
        children = hub.search(HubSearch(quantized_from=REPO), limit=3)
        assert [child.repo_id for child in children] == [
            "acme/tiny-FP8",
            "quantco/tiny-AWQ",
            "quantco/tiny-GPTQ",
        ]
        assert all(child.relation == "quantized" for child in children)
        assert all(len(child.revision) == 40 for child in children)

    def test_a_model_without_children_has_none(self, hub: Hub) -> None:
        assert hub.search(HubSearch(quantized_from="acme/old"), limit=50) == ()

    def test_an_author_is_searched_for_a_name(self, hub: Hub) -> None:
        found = hub.search(HubSearch(author="quantco", text="TINY-g"), limit=10)
        assert [record.repo_id for record in found] == ["quantco/tiny-GPTQ", "quantco/tiny-GGUF"]
        assert found[0].bases == (REPO,)
        assert hub.search(HubSearch(author="quantco", text="tiny"), limit=1)[0].downloads == 800
        assert hub.search(HubSearch(author="nobody", text="tiny"), limit=10) == ()

    def test_scanners_are_passed_on(self, hub: Hub, commit: str) -> None:
        assert hub.security(REPO, commit) == Security(status="safe")
        pickle = hub.repository("quantco/tiny-pickle", "main")
        assert hub.security(pickle.repo_id, pickle.revision) == Security(
            status="unsafe", files=("pytorch_model.bin",)
        )
        old = hub.repository("acme/old", "main")
        assert hub.security("acme/old", old.revision) == Security()

    def test_headers_of_weights_are_read_without_the_weights(
        self, hub: Hub, commit: str, hub_root: Path
    ) -> None:
        files = {file.path: file for file in hub.files(REPO, commit)}
        name = "model-00001-of-00002.safetensors"
        header = hub.weights_header(REPO, commit, files[name])
        assert isinstance(header, WeightsHeader)
        data = (hub_root / REPO / name).read_bytes()
        assert sum(row.bytes for row in header.rows) == len(data) - 8 - int.from_bytes(
            data[:8], "little"
        )
        refused = hub.weights_header(REPO, commit, files["consolidated.safetensors"])
        assert isinstance(refused, Refusal)

    def test_headers_of_gguf_files_are_read(self, hub: Hub) -> None:
        record = hub.repository("quantco/tiny-GGUF", "main")
        files = {file.path: file for file in hub.files(record.repo_id, record.revision)}
        header = hub.weights_header(record.repo_id, record.revision, files["tiny-Q8_0.gguf"])
        assert isinstance(header, WeightsHeader)
        assert header.gguf is not None
        assert (header.gguf.file_type, header.gguf.numbers["embedding_length"]) == (7, 128)

    def test_a_text_is_read(self, hub: Hub, commit: str) -> None:
        assert hub.read_text(REPO, commit, "README.md").startswith("---")

    def test_files_have_sizes_and_one_hash_each(self, hub: Hub, commit: str) -> None:
        files = {file.path: file for file in hub.files(REPO, commit)}
        assert len(files) == 15
        assert "original" not in files
        config = files["config.json"]
        assert (len(config.git_sha1), config.sha256) == (40, "")
        shard = files["model-00001-of-00002.safetensors"]
        assert (len(shard.sha256), shard.git_sha1, shard.size_bytes) == (64, "", 202816)

    def test_files_of_a_gated_repository_are_listed(self, hub: Hub) -> None:
        record = hub.repository("acme/gated", "main")
        assert hub.files("acme/gated", record.revision)

    def test_a_json_file_is_read(self, hub: Hub, commit: str) -> None:
        config = hub.read_json(REPO, commit, "config.json")
        assert isinstance(config, dict)
        assert config["hidden_size"] == 128

    @pytest.mark.parametrize("path", ["nope.json", "README.md", "pytorch_model.bin"])
    def test_what_is_no_json_is_refused(self, hub: Hub, commit: str, path: str) -> None:
        with pytest.raises(HubError):
            hub.read_json(REPO, commit, path)

    def test_a_gated_file_is_refused(self, hub: Hub) -> None:
        record = hub.repository("acme/gated", "main")
        with pytest.raises(HubAccessError, match="gated"):
            hub.read_json("acme/gated", record.revision, "config.json")

    @pytest.mark.parametrize("path", ["config.json", "original/params.json", "pytorch_model.bin"])
    def test_a_file_is_fetched_whole(
        self, hub: Hub, commit: str, path: str, hub_root: Path, tmp_path: Path
    ) -> None:
        counts: list[int] = []
        file = ModelFile(path=path, size_bytes=1)
        found = hub.download(variant(commit), file, tmp_path / "into", progress=counts.append)
        content = (hub_root / REPO / path).read_bytes()
        assert found == tmp_path / "into" / path
        assert found.read_bytes() == content
        assert sum(counts) == len(content)

    def test_a_missing_file_is_refused(self, hub: Hub, commit: str, tmp_path: Path) -> None:
        file = ModelFile(path="nope.safetensors", size_bytes=1)
        with pytest.raises(HubAccessError):
            hub.download(variant(commit), file, tmp_path, progress=lambda count: None)
