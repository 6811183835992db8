"""The variants of a workflow's models, as the Hub has them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from cfslurm.adapters.hub import HuggingFaceHub
from cfslurm.core.models.policy import QUANTIZERS, ModelPolicy
from cfslurm.core.models.variants import CatalogEntry, ModelCatalog
from cfslurm.core.workflow.model import Model
from cfslurm.errors import HubAccessError, HubUnavailableError
from cfslurm.ports import Hub
from cfslurm.stages.catalogue import Sources, discover
from tests.hub.fake import FakeClock, FakeHub, shipped_standards
from tests.hub.faults import Fault
from tests.hub.routes import MEMBER
from tests.hub.server import HubServer

pytest_plugins = ("tests.hub.fixtures",)

TINY = Model(repo="acme/tiny")


def catalogue(
    hub: Hub,
    models: Mapping[str, Model],
    clock: FakeClock | None = None,
    policy: ModelPolicy | None = None,
) -> ModelCatalog:
    return discover(
        models,
        sources=Sources(hub=hub, clock=clock or FakeClock(), progress=lambda text: None),
        standards=shipped_standards(policy),
        discovered_at="2026-11-21T02:14:35Z",
    )


def entry(hub: Hub, model: Model) -> CatalogEntry:
    return catalogue(hub, {"m": model}).models["m"]


def ids(found: CatalogEntry) -> list[str]:
    return [variant.id for variant in found.variants]


def reasons(found: CatalogEntry) -> dict[str, str]:
    return {f"{r.repo_id}@{r.quantization}": r.reason for r in found.rejected}


def test_variants_come_best_first(fake_hub: FakeHub) -> None:
    found = entry(fake_hub, TINY)
    assert ids(found) == [
        "acme/tiny@none",
        "quantco/tiny-GGUF@gguf:Q8_0",
        "acme/tiny-FP8@fp8",
        "quantco/tiny-GGUF@gguf:Q5_0",
        "quantco/tiny-AWQ@awq",
        "quantco/tiny-GPTQ@gptq",
        "quantco/tiny-GGUF@gguf:Q4_K_M",
    ]
    assert found.revision == fake_hub.repositories["acme/tiny"].commit


def test_what_was_not_taken_is_told_with_the_reason(fake_hub: FakeHub) -> None:
    assert reasons(entry(fake_hub, TINY)) == {
        "acme/tiny-gated-FP8@": "acme/tiny-gated-FP8 is gated. Accept the licence.",
        "quantco/tiny-AWQ-noconfig@": "it has no config.json",
        "quantco/tiny-exl@": "cfslurm does not know the quantization method 'exl9'",
        "liar/tiny-AWQ@none": ("it is another model: num_hidden_layers is 2, the base model has 1"),
        "quantco/tiny-pickle@": "it has its weights only as pickles, which cfslurm does not load",
        "quantco/tiny-code@fp8": "it needs code from the repository, which cfslurm does not run",
    }


def test_the_real_hub_and_the_fake_make_the_same_catalogue(
    fake_hub: FakeHub, hub_server: HubServer
) -> None:
    real = entry(HuggingFaceHub(hub_server.endpoint), TINY)
    fake = entry(fake_hub, TINY)
    assert real.variants == fake.variants
    assert [r.repo_id for r in real.rejected] == [r.repo_id for r in fake.rejected]


def test_the_catalogue_says_whom_it_asked_and_when(fake_hub: FakeHub) -> None:
    found = catalogue(fake_hub, {"a": TINY, "b": Model(repo="acme/old")})
    assert (found.endpoint, found.discovered_at) == (fake_hub.endpoint, "2026-11-21T02:14:35Z")
    assert list(found.models) == ["a", "b"]


def test_an_old_name_leads_to_the_new_one(fake_hub: FakeHub) -> None:
    found = entry(fake_hub, Model(repo="acme/tiny-preview"))
    assert found.repo_id == "acme/tiny"
    assert len(found.variants) == 7


def test_who_names_a_quantized_repository_is_told_of_its_base(fake_hub: FakeHub) -> None:
    found = entry(fake_hub, Model(repo="quantco/tiny-AWQ"))
    assert ids(found) == ["quantco/tiny-AWQ@awq"]
    assert found.notes == (
        "quantco/tiny-AWQ is quantized from acme/tiny: name that to see all variants",
    )


def test_what_is_called_like_the_model_is_found_without_a_relation(hub_root: Path) -> None:
    hub = FakeHub(hub_root)
    for name, card in (("acme/tiny-FP8", {}), ("quantco/tiny-AWQ", {"base_model": "acme/other"})):
        hub.repositories[name] = replace(hub.repositories[name], card=card)
    hub.repositories["RedHatAI/tiny-quantized-FP8"] = replace(
        hub.repositories["acme/tiny-FP8"], id="RedHatAI/tiny-quantized-FP8"
    )
    found = ids(entry(hub, TINY))
    assert "acme/tiny-FP8@fp8" in found  # by its own organization
    assert "RedHatAI/tiny-quantized-FP8@fp8" in found  # by a trusted quantizer
    assert "quantco/tiny-AWQ@awq" not in found  # names another model
    policy = ModelPolicy(quantizers=("quantco",))
    taken = catalogue(hub, {"m": TINY}, policy=policy).models["m"]
    assert "RedHatAI/tiny-quantized-FP8@fp8" not in ids(taken)


def test_an_author_who_cannot_be_listed_is_told_of_and_costs_nothing_else(
    hub_server: HubServer,
) -> None:
    hub_server.faults.add(Fault(match="author=(nvidia|amd)&", kind="page", times=2))
    found = entry(HuggingFaceHub(hub_server.endpoint), TINY)
    assert len(found.variants) == 7
    (note,) = found.notes
    assert note.startswith(
        "what nvidia, amd published cannot be listed: 'tiny' of nvidia is no JSON"
    )


def test_only_what_is_allowed(fake_hub: FakeHub) -> None:
    found = entry(fake_hub, Model(repo="acme/tiny", allow=("awq", "gptq")))
    assert ids(found) == ["quantco/tiny-AWQ@awq", "quantco/tiny-GPTQ@gptq"]
    assert reasons(found)["acme/tiny@none"] == "the workflow allows only awq, gptq"


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("fp8", ["acme/tiny-FP8@fp8"]),
        ("gguf:Q4_K_M", ["quantco/tiny-GGUF@gguf:Q4_K_M"]),
        ("quantco/tiny-GPTQ", ["quantco/tiny-GPTQ@gptq"]),
        ("none", ["acme/tiny@none"]),
    ],
)
def test_a_forced_variant(fake_hub: FakeHub, asked: str, expected: list[str]) -> None:
    assert ids(entry(fake_hub, Model(repo="acme/tiny", variant=asked))) == expected


def test_a_forced_repository_need_not_be_a_child(fake_hub: FakeHub) -> None:
    found = entry(fake_hub, Model(repo="acme/old", variant="quantco/tiny-AWQ"))
    assert ids(found) == ["quantco/tiny-AWQ@awq"]


def test_a_forced_repository_that_is_missing_is_an_error(fake_hub: FakeHub) -> None:
    with pytest.raises(HubAccessError):
        entry(fake_hub, Model(repo="acme/tiny", variant="quantco/none"))


def test_a_model_without_any_variant_is_an_entry(fake_hub: FakeHub) -> None:
    found = entry(fake_hub, Model(repo="acme/old"))
    assert found.variants == ()
    assert "pickles" in reasons(found)["acme/old@"]


def test_a_gated_model_of_which_nobody_has_published_a_variant_is_refused(
    hub_server: HubServer,
) -> None:
    with pytest.raises(HubAccessError, match="acme/gated is gated"):
        entry(HuggingFaceHub(hub_server.endpoint), Model(repo="acme/gated"))


def test_who_was_let_in_sees_it(hub_server: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", MEMBER)
    (variant,) = entry(HuggingFaceHub(hub_server.endpoint), Model(repo="acme/gated")).variants
    assert variant.is_gated
    assert variant.licence == "other"


def test_a_private_child_is_only_for_who_names_it(
    hub_server: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", MEMBER)
    hub = HuggingFaceHub(hub_server.endpoint)
    assert "it is private" in reasons(entry(hub, TINY))["acme/tiny-private-FP8@"]
    named = entry(hub, Model(repo="acme/tiny", variant="acme/tiny-private-FP8"))
    assert ids(named) == ["acme/tiny-private-FP8@fp8"]


@pytest.mark.parametrize("model", [Model(repo="acme/none"), Model(repo="acme/tiny", revision="v9")])
def test_a_missing_model_is_an_error(fake_hub: FakeHub, model: Model) -> None:
    with pytest.raises(HubAccessError):
        entry(fake_hub, model)


def test_a_hub_that_is_down_for_a_moment_is_asked_again(hub_server: HubServer) -> None:
    clock = FakeClock()
    for where in ("/revision/", "/api/models\\?", "/tree/", "/resolve/"):
        hub_server.faults.add(Fault(match=where, kind="status", status=503))
    hub = HuggingFaceHub(hub_server.endpoint)
    assert len(catalogue(hub, {"m": TINY}, clock).models["m"].variants) == 7
    assert clock.slept == [1.0] * 4


def test_one_repository_that_stays_down_costs_its_variant_and_no_other(
    hub_server: HubServer,
) -> None:
    hub_server.faults.add(Fault(match="tiny-AWQ/resolve/", kind="status", status=503, times=99))
    found = entry(HuggingFaceHub(hub_server.endpoint), TINY)
    assert len(found.variants) == 6
    assert "answered 503" in reasons(found)["quantco/tiny-AWQ@"]


@pytest.mark.parametrize("what", ["acme/tiny/tree/", "acme/tiny/resolve/", "/api/models\\?filter"])
def test_a_hub_that_stays_down_is_an_error_and_not_an_empty_catalogue(
    hub_server: HubServer, what: str
) -> None:
    hub_server.faults.add(Fault(match=what, kind="status", status=503, times=99))
    with pytest.raises(HubUnavailableError):
        entry(HuggingFaceHub(hub_server.endpoint), TINY)


def test_few_requests(hub_server: HubServer) -> None:
    entry(HuggingFaceHub(hub_server.endpoint), TINY)
    # the commit, the files, the scanners
    assert len(hub_server.requests("/api/models/acme/tiny/")) == 3
    # children, and one for its own organization and each trusted quantizer
    lists = hub_server.requests("/api/models\\?")
    assert len(lists) == 2 + len(QUANTIZERS)
    assert all(re.search(r"[&?]limit=\d+", seen.target) for seen in lists)
    # the config, the index, two shards, the tokenizer's settings
    assert len(hub_server.requests("GET /acme/tiny/resolve/")) == 5
    # a header for each of four files, never the whole
    ranges = [seen.range for seen in hub_server.requests("GET /cdn/")]
    assert all(re.fullmatch(r"bytes=0-\d+", text) for text in ranges)


def test_a_model_that_names_itself_as_its_base_stays_at_its_revision(
    fake_hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = fake_hub.repository("acme/tiny", "main")
    itself = replace(record, revision="1" * 40)
    monkeypatch.setattr(fake_hub, "search", lambda query, limit: (itself,))
    (variant,) = entry(fake_hub, TINY).variants
    assert variant.revision == record.revision


def test_a_child_that_leaves_its_folder_is_not_asked_for(
    hub_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = FakeHub(hub_root)
    evil = replace(hub.repository("acme/tiny-FP8", "main"), repo_id="../../evil")
    monkeypatch.setattr(hub, "search", lambda query, limit: (evil,))
    found = entry(hub, TINY)
    assert ids(found) == ["acme/tiny@none"]
    assert "none that the Hub gives" in reasons(found)["../../evil@"]
    assert not any("evil" in asked for asked in hub.asked)
