"""The Hub over real HTTP: what is asked, and what becomes of answers that go wrong."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from cfslurm.adapters.hub import HuggingFaceHub
from cfslurm.core.models.headers import WeightsHeader
from cfslurm.core.models.hub import FileRecord, HubSearch
from cfslurm.core.models.refusal import Refusal
from cfslurm.core.models.variants import ModelFile, Variant
from cfslurm.errors import (
    CfslurmError,
    HubAccessError,
    HubError,
    HubUnavailableError,
    UserInputError,
)
from tests.builders import unread_variant
from tests.hub.faults import Fault
from tests.hub.routes import MEMBER
from tests.hub.server import HubServer, serving

pytest_plugins = ("tests.hub.fixtures",)

REPO = "acme/tiny"
SHARD = "model-00001-of-00002.safetensors"


@pytest.fixture
def hub(hub_server: HubServer) -> HuggingFaceHub:
    return HuggingFaceHub(hub_server.endpoint, timeout_s=10)


def variant(server: HubServer, repo_id: str = REPO) -> Variant:
    return unread_variant(repo_id, server.commit(repo_id))


def download(hub: HuggingFaceHub, server: HubServer, into: Path) -> Path:
    file = ModelFile(path=SHARD, size_bytes=1)
    return hub.download(variant(server), file, into, progress=lambda count: None)


def test_importing_the_adapter_imports_no_library() -> None:
    code = "import cfslurm.adapters.hub, sys; print('huggingface_hub' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_children_cost_one_request(hub: HuggingFaceHub, hub_server: HubServer) -> None:
    assert len(hub.search(HubSearch(quantized_from=REPO), limit=50)) == 10
    assert len(hub_server.log) == 1


def test_files_cost_one_request(hub: HuggingFaceHub, hub_server: HubServer) -> None:
    hub.files(REPO, hub_server.commit(REPO))
    assert len(hub_server.log) == 1


def test_pages_are_followed_and_the_limit_holds(hub_root: Path, hub_client: None) -> None:
    with serving(hub_root, page=3) as server:
        hub = HuggingFaceHub(server.endpoint)
        assert len(hub.search(HubSearch(quantized_from=REPO), limit=7)) == 7
        assert len(server.log) == 3
        assert len(hub.files(REPO, server.commit(REPO))) == 15


def test_the_token_of_the_user_is_sent_to_the_hub_and_not_to_its_cdn(
    hub: HuggingFaceHub,
    hub_server: HubServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HF_TOKEN", MEMBER)
    assert hub.repository("acme/private", "main").is_private
    assert hub.read_json("acme/gated", hub_server.commit("acme/gated"), "config.json")
    download(hub, hub_server, tmp_path)
    assert all(seen.has_token for seen in hub_server.requests("/api/|/resolve/"))
    assert not any(seen.has_token for seen in hub_server.requests("GET /cdn/"))


def test_a_listing_does_not_take_the_token_elsewhere(
    hub: HuggingFaceHub, hub_server: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", MEMBER)
    with serving(hub_server.root) as other:
        link = f'<{other.endpoint}/api/models?cursor=3>; rel="next"'
        fault = Fault(match="/api/models", kind="status", status=200, headers={"Link": link})
        hub_server.faults.add(fault)
        with pytest.raises(HubError):  # the body of the injected answer is no listing
            hub.search(HubSearch(quantized_from=REPO), limit=50)
        assert other.log == []


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault(match="/api/", kind="status", status=500), HubUnavailableError),
        (Fault(match="/api/", kind="status", status=503), HubUnavailableError),
        (Fault(match="/api/", kind="status", status=429), HubUnavailableError),
        (Fault(match="/api/", kind="drop"), HubUnavailableError),
        (Fault(match="/api/", kind="truncate", bytes=5), HubUnavailableError),
        (Fault(match="/api/", kind="corrupt"), HubError),
        (Fault(match="/api/", kind="status", status=403), HubAccessError),
        (Fault(match="/api/", kind="status", status=400), HubError),
    ],
)
def test_an_answer_that_goes_wrong(
    hub: HuggingFaceHub, hub_server: HubServer, fault: Fault, kind: type[CfslurmError]
) -> None:
    hub_server.faults.add(fault)
    with pytest.raises(kind) as raised:
        hub.repository(REPO, "main")
    assert type(raised.value) is kind
    assert raised.value.transient is (kind is HubUnavailableError)
    assert raised.value.remedy


def test_a_hub_that_falls_silent_is_not_waited_for(hub_server: HubServer) -> None:
    hub_server.faults.add(Fault(match="/api/", kind="slow", seconds=600))
    with pytest.raises(HubUnavailableError, match="Timeout"):
        HuggingFaceHub(hub_server.endpoint, timeout_s=0.05).repository(REPO, "main")


def test_nobody_listens(hub_client: None, hub_root: Path) -> None:
    with serving(hub_root) as server:
        endpoint = server.endpoint
    with pytest.raises(HubUnavailableError, match="ConnectError"):
        HuggingFaceHub(endpoint).ping()


def test_offline_is_said(
    hub: HuggingFaceHub, hub_server: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(HubError, match="HF_HUB_OFFLINE"):
        hub.ping()
    assert hub_server.log == []


def test_a_login_page_is_no_hub(hub: HuggingFaceHub, hub_server: HubServer) -> None:
    hub_server.faults.add(Fault(match="/api/", kind="page"))
    with pytest.raises(HubError, match="is no JSON that can be read"):
        hub.repository(REPO, "main")


def test_json_that_no_hub_says(hub: HuggingFaceHub, hub_server: HubServer) -> None:
    hub_server.faults.add(Fault(match="/api/", kind="status", status=200))
    with pytest.raises(HubError, match="cannot be read"):
        hub.repository(REPO, "main")


def test_a_question_that_goes_round_in_circles(hub: HuggingFaceHub, hub_server: HubServer) -> None:
    hub_server.faults.add(Fault(match="/api/", kind="circle", times=99))
    with pytest.raises(HubError, match="round in circles") as raised:
        hub.repository(REPO, "main")
    assert not raised.value.transient
    assert len(hub_server.log) < 30


def test_an_answer_that_drips_is_not_waited_for(
    hub: HuggingFaceHub, hub_server: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cfslurm.adapters.hub_http._LONGEST_S", 0.05)
    hub_server.faults.add(Fault(match="/api/", kind="drip", seconds=0.02))
    with pytest.raises(HubUnavailableError, match="still sending"):
        hub.repository(REPO, "main")


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({"RateLimit": '"api";r=0;t=55'}, 55),
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": "7", "RateLimit": '"api";r=0;t=3'}, 7),
        ({"Retry-After": "Sat, 21 Nov 2026 09:00:00 GMT"}, 0),
        ({"Retry-After": "-5", "RateLimit": "t=x"}, 0),
        ({}, 0),
    ],
)
def test_how_long_the_hub_asks_to_wait(
    hub: HuggingFaceHub, hub_server: HubServer, headers: dict[str, str], wait_s: float
) -> None:
    hub_server.faults.add(Fault(match="/api/", kind="status", status=429, headers=headers))
    with pytest.raises(HubUnavailableError, match="asked too often") as raised:
        hub.repository(REPO, "main")
    assert raised.value.wait_s == wait_s


def test_a_commit_that_is_gone(hub: HuggingFaceHub) -> None:
    gone = "0" * 40
    for ask in (hub.repository, hub.files, hub.security):
        with pytest.raises(HubAccessError, match=f"has no revision '{gone}'"):
            ask(REPO, gone)


class TestHeaders:
    """Headers of weights, a piece of a large file each."""

    GGUF = "quantco/tiny-GGUF"

    def read(self, hub: HuggingFaceHub, server: HubServer, repo_id: str, path: str) -> object:
        commit = server.commit(repo_id)
        (file,) = (file for file in hub.files(repo_id, commit) if file.path == path)
        server.log.clear()
        return hub.weights_header(repo_id, commit, file)

    def test_a_piece_is_asked_for(self, hub: HuggingFaceHub, hub_server: HubServer) -> None:
        assert isinstance(self.read(hub, hub_server, REPO, SHARD), WeightsHeader)
        (seen,) = hub_server.requests("GET /cdn/")
        assert (seen.range, seen.status, seen.has_token) == ("bytes=0-99999", 206, False)

    def test_a_long_header_is_asked_for_in_two_pieces(
        self, hub: HuggingFaceHub, hub_server: HubServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("cfslurm.adapters.weight_headers._FIRST_SAFETENSORS_BYTES", 100)
        assert isinstance(self.read(hub, hub_server, REPO, SHARD), WeightsHeader)
        first, second = hub_server.requests("GET /cdn/")
        assert (first.range, second.range[:10]) == ("bytes=0-99", "bytes=100-")

    def test_a_gguf_header_is_asked_for_until_it_ends(
        self, hub: HuggingFaceHub, hub_server: HubServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        whole = self.read(hub, hub_server, self.GGUF, "tiny-Q8_0.gguf")
        monkeypatch.setattr("cfslurm.adapters.weight_headers.FIRST_BYTES", 64)
        assert self.read(hub, hub_server, self.GGUF, "tiny-Q8_0.gguf") == whole
        asked = [seen.range for seen in hub_server.requests("GET /cdn/")]
        assert asked[0] == "bytes=0-63"
        assert 4 < len(asked) < 12

    @pytest.mark.parametrize(("repo_id", "path"), [(REPO, SHARD), (GGUF, "tiny-Q8_0.gguf")])
    def test_a_server_without_ranges_is_read_no_further_than_needed(
        self,
        hub: HuggingFaceHub,
        hub_server: HubServer,
        monkeypatch: pytest.MonkeyPatch,
        repo_id: str,
        path: str,
    ) -> None:
        whole = self.read(hub, hub_server, repo_id, path)
        monkeypatch.setattr("cfslurm.adapters.weight_headers._FIRST_SAFETENSORS_BYTES", 100)
        monkeypatch.setattr("cfslurm.adapters.weight_headers.FIRST_BYTES", 100)
        hub_server.faults.add(Fault(match="/cdn/", kind="whole", times=99))
        assert self.read(hub, hub_server, repo_id, path) == whole
        assert all(seen.status == 200 for seen in hub_server.requests("GET /cdn/"))

    def test_a_piece_that_was_not_asked_for_is_refused(
        self, hub: HuggingFaceHub, hub_server: HubServer
    ) -> None:
        wrong = {"Content-Range": "bytes 5-9/100"}
        hub_server.faults.add(Fault(match="GET /cdn/", kind="status", status=206, headers=wrong))
        with pytest.raises(HubError, match="another part"):
            self.read(hub, hub_server, REPO, SHARD)

    @pytest.mark.parametrize(
        "fault",
        [
            Fault(match="GET /cdn/", kind="truncate", bytes=9),
            Fault(match="GET /cdn/", kind="drop"),
            Fault(match="GET /cdn/", kind="status", status=503),
        ],
    )
    def test_a_piece_that_does_not_come_may_be_asked_for_again(
        self, hub: HuggingFaceHub, hub_server: HubServer, fault: Fault
    ) -> None:
        hub_server.faults.add(fault)
        with pytest.raises(HubUnavailableError):
            self.read(hub, hub_server, REPO, SHARD)

    def test_a_page_in_its_place_is_refused(
        self, hub: HuggingFaceHub, hub_server: HubServer
    ) -> None:
        hub_server.faults.add(Fault(match="GET /cdn/", kind="page"))
        found = self.read(hub, hub_server, REPO, SHARD)
        assert isinstance(found, Refusal)

    def test_a_file_that_is_shorter_than_the_hub_says(
        self, hub: HuggingFaceHub, hub_server: HubServer
    ) -> None:
        commit = hub_server.commit(self.GGUF)
        file = FileRecord(path="tiny-Q8_0.gguf", size_bytes=10**12, sha256="", git_sha1="")
        assert isinstance(hub.weights_header(self.GGUF, commit, file), WeightsHeader)
        (real,) = (f for f in hub.files(REPO, hub_server.commit(REPO)) if f.path == SHARD)
        found = hub.weights_header(REPO, hub_server.commit(REPO), replace(real, size_bytes=10**12))
        assert isinstance(found, Refusal)
        assert "the file has" in found.reason


def test_a_large_file_is_not_read_as_json(
    hub: HuggingFaceHub, hub_server: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cfslurm.adapters.hub_http.ANSWER_LIMIT_BYTES", 1 << 10)
    with pytest.raises(HubError, match="larger than"):
        hub.read_json(REPO, hub_server.commit(REPO), SHARD)


@pytest.mark.parametrize("text", ["[" * 100_000, "NaN", '{"a": ' + "9" * 5000 + "}", "\udcff"])
def test_json_that_python_cannot_take(tmp_path: Path, hub_client: None, text: str) -> None:
    (tmp_path / "acme/odd").mkdir(parents=True)
    (tmp_path / "acme/odd/config.json").write_text(text, errors="surrogateescape")
    with serving(tmp_path) as server:
        hub = HuggingFaceHub(server.endpoint)
        with pytest.raises(HubError, match="no JSON"):
            hub.read_json("acme/odd", server.commit("acme/odd"), "config.json")


def test_names_are_quoted(tmp_path: Path, hub_client: None) -> None:
    name = "a b#c%2F?&ü.json"
    (tmp_path / "acme/odd").mkdir(parents=True)
    (tmp_path / "acme/odd" / name).write_text('{"x": 1}')
    with serving(tmp_path) as server:
        hub = HuggingFaceHub(server.endpoint)
        commit = server.commit("acme/odd")
        assert [file.path for file in hub.files("acme/odd", commit)] == [name]
        assert hub.read_json("acme/odd", commit, name) == {"x": 1}
        with pytest.raises(HubAccessError):
            hub.repository("acme/odd", "a/b?c#d")


@pytest.mark.parametrize(
    "fault",
    [
        Fault(match="GET /cdn", kind="truncate", bytes=1000),
        Fault(match="GET /cdn", kind="status", status=429, headers={"RateLimit": '"x";r=0;t=9'}),
        Fault(match="HEAD", kind="status", status=503),
    ],
)
def test_a_download_that_stumbles_goes_on(
    hub: HuggingFaceHub, hub_server: HubServer, tmp_path: Path, fault: Fault
) -> None:
    hub_server.faults.add(fault)
    found = download(hub, hub_server, tmp_path)
    assert found.read_bytes() == (hub_server.root / REPO / SHARD).read_bytes()


@pytest.mark.parametrize(
    "fault",
    [
        Fault(match="GET /cdn", kind="truncate", bytes=1000, times=99),
        Fault(match="GET /cdn", kind="drop", times=99),
        Fault(match="GET /cdn", kind="status", status=500, times=99),
        Fault(match="HEAD", kind="status", status=503, times=99),
        Fault(match="HEAD", kind="drop", times=99),
    ],
)
def test_a_download_that_never_ends_well_says_so(
    hub: HuggingFaceHub, hub_server: HubServer, tmp_path: Path, fault: Fault
) -> None:
    hub_server.faults.add(fault)
    with pytest.raises(HubUnavailableError):
        download(hub, hub_server, tmp_path)
    assert not (tmp_path / SHARD).exists()


def test_a_gated_download_is_refused_with_the_way_in(
    hub: HuggingFaceHub, hub_server: HubServer, tmp_path: Path
) -> None:
    file = ModelFile(path="model.safetensors", size_bytes=1)
    with pytest.raises(HubAccessError, match="gated") as raised:
        hub.download(variant(hub_server, "acme/gated"), file, tmp_path, progress=lambda count: None)
    assert "hf auth login" in raised.value.remedy


def test_a_folder_that_cannot_be_written_is_no_error_of_the_hub(
    hub: HuggingFaceHub, hub_server: HubServer, tmp_path: Path
) -> None:
    (tmp_path / "into").write_text("a file, no folder")
    with pytest.raises(OSError, match=r"exists|directory"):
        download(hub, hub_server, tmp_path / "into")


def test_a_file_that_only_xet_can_carry_says_so(
    hub: HuggingFaceHub,
    hub_server: HubServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.MAX_HTTP_DOWNLOAD_SIZE", 10)
    monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
    with pytest.raises(HubError, match="too large") as raised:
        download(hub, hub_server, tmp_path)
    assert "HF_HUB_DISABLE_XET" in raised.value.remedy


def test_a_name_that_the_library_refuses(
    hub: HuggingFaceHub, hub_server: HubServer, tmp_path: Path
) -> None:
    odd = replace(variant(hub_server), repo_id="acme/tiny--x")
    with pytest.raises(HubError, match="cannot be fetched"):
        hub.download(odd, ModelFile(path="x", size_bytes=1), tmp_path, progress=lambda count: None)


@pytest.mark.parametrize("endpoint", ["", "huggingface.co", "ftp://x", "https://", "https://a b"])
def test_an_endpoint_that_is_none(endpoint: str) -> None:
    with pytest.raises(UserInputError, match="no address of a Hub"):
        HuggingFaceHub(endpoint)


@pytest.mark.parametrize(
    "endpoint", ["http://127.0.0.1:80", "https://hub.site.org/hf/", "http://[::1]:8"]
)
def test_an_endpoint_that_is_one(endpoint: str) -> None:
    assert HuggingFaceHub(endpoint).endpoint == endpoint.rstrip("/")
