"""The test Hub is a Hub: the real client finds what it needs in it."""

from __future__ import annotations

import signal
import subprocess
import sys
import urllib.error
import urllib.request
from math import prod
from pathlib import Path

import pytest
from huggingface_hub import HfApi, hf_hub_download, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from tests.hub.faults import Fault
from tests.hub.routes import MEMBER
from tests.hub.server import HubServer, serving
from tests.hub.shapes import kept, linears
from tests.hub.specs import TESTS

pytest_plugins = ("tests.hub.fixtures",)

REPO = "acme/tiny"
SHARD = "model-00001-of-00002.safetensors"


@pytest.fixture
def api(hub_server: HubServer) -> HfApi:
    return HfApi(endpoint=hub_server.endpoint, token=False)


def fetched(server: HubServer, into: Path, path: str = SHARD, **options: object) -> bytes:
    found = hf_hub_download(
        options.pop("repo_id", REPO), path, endpoint=server.endpoint, cache_dir=into, **options
    )
    return Path(found).read_bytes()


def stored(server: HubServer, path: str = SHARD) -> bytes:
    return (server.root / REPO / path).read_bytes()


def test_children_are_found_by_tag_and_sorted_by_downloads(api: HfApi) -> None:
    found = api.list_models(filter=f"base_model:quantized:{REPO}", sort="downloads", limit=3)
    assert [model.id for model in found] == [
        "acme/tiny-FP8",
        "quantco/tiny-AWQ",
        "quantco/tiny-GPTQ",
    ]


def test_several_filters_must_all_hold(api: HfApi) -> None:
    tags = [f"base_model:quantized:{REPO}", "license:other"]
    assert list(api.list_models(filter=tags)) == []


def test_expand_brings_only_what_was_asked(api: HfApi, hub_server: HubServer) -> None:
    info = api.model_info("acme/tiny-FP8", expand=["sha", "baseModels", "gated"])
    assert info.sha == hub_server.commit("acme/tiny-FP8")
    assert info.base_models["relation"] == "quantized"
    assert (info.tags, info.siblings) == (None, None)


def test_listings_come_in_pages(hub_root: Path, hub_client: None) -> None:
    with serving(hub_root, page=3) as server:
        api = HfApi(endpoint=server.endpoint, token=False)
        children = list(api.list_models(filter=f"base_model:quantized:{REPO}"))
        paths = [entry.path for entry in api.list_repo_tree(REPO, recursive=True)]
    assert len(children) == 10
    assert len(paths) == len(set(paths)) == 16


def test_tree_gives_sizes_and_hashes(api: HfApi, hub_server: HubServer) -> None:
    tree = {entry.path: entry for entry in api.list_repo_tree(REPO, recursive=True)}
    assert tree[SHARD].size == tree[SHARD].lfs.size == len(stored(hub_server))
    assert tree["config.json"].lfs is None
    assert "original/params.json" in tree
    assert not hasattr(tree["original"], "size")


def test_flat_tree_does_not_look_into_folders(api: HfApi) -> None:
    paths = {entry.path for entry in api.list_repo_tree(REPO)}
    assert "original" in paths
    assert "original/params.json" not in paths


def test_blobs_are_told_with_the_repository(api: HfApi) -> None:
    info = api.model_info(REPO, files_metadata=True)
    sizes = {sibling.rfilename: sibling.lfs and sibling.lfs.size for sibling in info.siblings}
    assert sizes["config.json"] is None
    assert sizes[SHARD] == 202816


def test_paths_info_leaves_unknown_paths_out(api: HfApi) -> None:
    assert [entry.path for entry in api.get_paths_info(REPO, ["config.json", "nope"])] == [
        "config.json"
    ]


def test_refs_name_the_commit(api: HfApi, hub_server: HubServer) -> None:
    assert api.list_repo_refs(REPO).branches[0].target_commit == hub_server.commit(REPO)


def test_who_am_i(api: HfApi) -> None:
    assert api.whoami(token=MEMBER)["name"] == "tester"


def test_renamed_repository_is_redirected(api: HfApi) -> None:
    assert api.model_info("acme/tiny-preview").id == REPO


def test_safetensors_headers_are_read_by_range(api: HfApi, hub_server: HubServer) -> None:
    counts = api.get_safetensors_metadata(REPO).parameter_count
    shape = next(spec.shape for spec in TESTS if spec.repo_id == REPO)
    packed = sum(linear.rows * linear.columns for linear in linears(shape))
    assert counts == {"BF16": packed + sum(prod(size) for _, size in kept(shape))}
    assert any(seen.status == 206 for seen in hub_server.log)


def test_large_files_come_from_another_host_without_the_token(
    hub_server: HubServer, tmp_path: Path
) -> None:
    assert fetched(hub_server, tmp_path, token=MEMBER) == stored(hub_server)
    assert [seen.has_token for seen in hub_server.requests("HEAD .*/resolve/")] == [True]
    assert [seen.has_token for seen in hub_server.requests("GET /cdn/")] == [False]


def test_snapshot_of_chosen_files(hub_server: HubServer, tmp_path: Path) -> None:
    folder = snapshot_download(
        REPO, endpoint=hub_server.endpoint, cache_dir=tmp_path, allow_patterns=["config.json"]
    )
    assert [path.name for path in Path(folder).iterdir()] == ["config.json"]


@pytest.mark.parametrize(
    ("repo_id", "path", "revision", "token", "expected"),
    [
        ("acme/none", "config.json", "main", False, RepositoryNotFoundError),
        ("acme/none", "config.json", "main", "hf_other", RepositoryNotFoundError),
        ("acme/private", "config.json", "main", "hf_other", RepositoryNotFoundError),
        ("acme/gated", "config.json", "main", False, GatedRepoError),
        ("acme/gated", "config.json", "main", "hf_other", GatedRepoError),
        (REPO, "nope.json", "main", False, RemoteEntryNotFoundError),
        (REPO, "config.json", "nope", False, RevisionNotFoundError),
    ],
)
def test_refusals_are_those_of_the_hub(
    hub_server: HubServer,
    tmp_path: Path,
    repo_id: str,
    path: str,
    revision: str,
    token: str | bool,
    expected: type[Exception],
) -> None:
    with pytest.raises(expected):
        fetched(hub_server, tmp_path, path, repo_id=repo_id, revision=revision, token=token)


@pytest.mark.parametrize("repo_id", ["acme/gated", "acme/private"])
def test_a_member_may_read(hub_server: HubServer, tmp_path: Path, repo_id: str) -> None:
    assert fetched(hub_server, tmp_path, "config.json", repo_id=repo_id, token=MEMBER)


def test_what_is_gated_is_still_described(api: HfApi) -> None:
    assert api.model_info("acme/gated").gated == "auto"
    with pytest.raises(GatedRepoError):
        api.auth_check("acme/gated", token="hf_other")


def test_truncated_body_is_fetched_again(hub_server: HubServer, tmp_path: Path) -> None:
    hub_server.faults.add(Fault(match="GET /cdn", kind="truncate", bytes=5000))
    assert fetched(hub_server, tmp_path) == stored(hub_server)
    assert len(hub_server.requests("GET /cdn")) == 2


def test_corrupted_body_is_believed_by_the_client(hub_server: HubServer, tmp_path: Path) -> None:
    hub_server.faults.add(Fault(match="GET /cdn", kind="corrupt"))
    got = fetched(hub_server, tmp_path)
    assert len(got) == len(stored(hub_server))
    assert got != stored(hub_server)


def test_too_many_requests_are_waited_for(hub_server: HubServer, tmp_path: Path) -> None:
    limit = {"RateLimit": '"api";r=0;t=1'}
    hub_server.faults.add(Fault(match="GET /cdn", kind="status", status=429, headers=limit))
    assert fetched(hub_server, tmp_path) == stored(hub_server)


def test_server_error_reaches_the_client(hub_server: HubServer, tmp_path: Path) -> None:
    hub_server.faults.add(Fault(match="GET /cdn", kind="status", status=503, times=9))
    with pytest.raises(HfHubHTTPError):
        fetched(hub_server, tmp_path)


def test_dropped_connection_reaches_the_client(hub_server: HubServer) -> None:
    hub_server.faults.add(Fault(match="/api/", kind="drop"))
    with pytest.raises(ConnectionError):
        urllib.request.urlopen(f"{hub_server.endpoint}/api/models")


@pytest.mark.parametrize(
    ("asked", "status", "length"),
    [("bytes=0-9", 206, 10), ("bytes=-7", 206, 7), ("bytes=202810-", 206, 6), ("", 200, 202816)],
)
def test_ranges(hub_server: HubServer, asked: str, status: int, length: int) -> None:
    sha256 = hub_server.routes.repositories[REPO].files[SHARD].sha256
    request = urllib.request.Request(
        f"{hub_server.endpoint}/cdn/{sha256}", headers={"Range": asked} if asked else {}
    )
    with urllib.request.urlopen(request) as answer:
        assert answer.status == status
        assert len(answer.read()) == length


def test_range_past_the_end(hub_server: HubServer) -> None:
    sha256 = hub_server.routes.repositories[REPO].files[SHARD].sha256
    request = urllib.request.Request(
        f"{hub_server.endpoint}/cdn/{sha256}", headers={"Range": "bytes=999999999-"}
    )
    with pytest.raises(urllib.error.HTTPError) as raised:
        urllib.request.urlopen(request)
    assert raised.value.code == 416
    raised.value.close()


def test_runs_as_a_program(hub_root: Path, tmp_path: Path) -> None:
    port_file = tmp_path / "port"
    command = (sys.executable, "-m", "tests.hub.server", hub_root, "--port-file", port_file)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        endpoint = server.stdout.readline().strip().removeprefix("HF_ENDPOINT=")
        try:
            assert endpoint.endswith(f":{port_file.read_text().strip()}")
            with urllib.request.urlopen(f"{endpoint}/api/models/{REPO}") as answer:
                assert answer.status == 200
        finally:
            server.send_signal(signal.SIGTERM)
        assert server.wait(10) == 0


def test_a_waiting_request_ends_with_the_server(hub_root: Path, hub_client: None) -> None:
    with serving(hub_root) as server:
        server.faults.add(Fault(match="/api/", kind="slow", seconds=600))
        with pytest.raises(OSError, match="timed out"):
            urllib.request.urlopen(f"{server.endpoint}/api/models", timeout=0.05)
