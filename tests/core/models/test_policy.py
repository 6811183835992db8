"""Rules of a site and of a user; each only takes away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from cfslurm.core.models.policy import (
    QUANTIZERS,
    ModelPolicy,
    Rule,
    forbidden,
    permitted,
    read_policy,
)
from cfslurm.core.models.variants import CatalogEntry, ModelCatalog, ModelFile
from cfslurm.core.site.settings import Layer, Settings, settle
from cfslurm.errors import UserInputError
from tests.builders import unread_variant

VARIANT = replace(
    unread_variant("acme/tiny", "1" * 40),
    licence="Apache-2.0",
    files=(ModelFile(path="x", size_bytes=5 << 30),),
)


def settings(values: Mapping[str, str | tuple[str, ...]]) -> Settings:
    layer = Layer(values=values, origins={name: f"file:{name}" for name in values})
    return settle([layer], user="ada", home="/home/ada")


def test_without_rules_everything_is_allowed() -> None:
    policy = read_policy(settings({}))
    assert policy == ModelPolicy(rules=(), quantizers=QUANTIZERS)
    assert forbidden(VARIANT, policy) == ""


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"model_organizations": ("ACME", "x")}, ""),
        (
            {"model_organizations": ("a", "b", "c", "d", "e", "f")},
            "the organization acme is not among those allowed: a, b, c, d, e, … (file:model_organizations)",
        ),
        ({"model_licences": ("apache-2.0",)}, ""),
        (
            {"my_licences": ("mit",)},
            "the licence Apache-2.0 is not among those allowed: mit (file:my_licences)",
        ),
        ({"model_formats": ("safetensors",)}, ""),
        (
            {"model_formats": ("gguf",)},
            "the format safetensors is not among those allowed: gguf (file:model_formats)",
        ),
        ({"model_max_size": "5G"}, ""),
        ({"my_max_size": "4.9G"}, "it has 5.0G, max_size is 4.9G (file:my_max_size)"),
        (
            {"model_organizations": ("acme",), "my_organizations": ("other",)},
            "the organization acme is not among those allowed: other (file:my_organizations)",
        ),
        (
            {"model_organizations": ("other",), "my_organizations": ("acme",)},
            "the organization acme is not among those allowed: other (file:model_organizations)",
        ),
    ],
)
def test_the_rule_and_who_set_it_are_named(
    values: Mapping[str, str | tuple[str, ...]], reason: str
) -> None:
    assert forbidden(VARIANT, read_policy(settings(values))) == reason


def test_no_licence_is_not_a_licence() -> None:
    rule = Rule(kind="licences", allowed=("mit",), set_by="here")
    nameless = replace(VARIANT, licence="")
    assert "the licence (none is named)" in forbidden(nameless, ModelPolicy(rules=(rule,)))


def test_gguf_is_a_format_of_its_own() -> None:
    rule = Rule(kind="formats", allowed=("gguf",), set_by="here")
    gguf = replace(VARIANT, quantization="gguf:Q4_K_M")
    assert forbidden(gguf, ModelPolicy(rules=(rule,))) == ""


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"model_formats": ("pickle",)}, "'pickle' is no format of models (file:model_formats)"),
        ({"my_max_size": "400"}, "'400' has no unit"),
    ],
)
def test_rules_that_mean_nothing_are_refused(
    values: Mapping[str, str | tuple[str, ...]], said: str
) -> None:
    with pytest.raises(UserInputError) as raised:
        read_policy(settings(values))
    assert said in raised.value.message


def test_a_recorded_catalogue_loses_what_is_forbidden() -> None:
    other = replace(VARIANT, repo_id="other/tiny")
    entry = CatalogEntry(repo_id="acme/tiny", revision="1" * 40, variants=(VARIANT, other))
    catalog = ModelCatalog(endpoint="", discovered_at="", models={"m": entry})
    assert permitted(catalog, ModelPolicy()) == catalog
    rule = Rule(kind="organizations", allowed=("other",), set_by="site.yaml:3")
    found = permitted(catalog, ModelPolicy(rules=(rule,))).models["m"]
    assert found.variants == (other,)
    assert [(r.repo_id, r.reason) for r in found.rejected] == [
        ("acme/tiny", "the organization acme is not among those allowed: other (site.yaml:3)")
    ]


def test_a_site_names_its_own_quantizers() -> None:
    assert read_policy(settings({"model_quantizers": ("us",)})).quantizers == ("us",)
