"""The demo's models go where models of their names go on real cards: 1 MiB stands for 1 GiB."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from cfslurm.core.hardware.gpus import UNKNOWN_GPU, GpuFacts
from cfslurm.core.models.engines import Engine, format_rules
from cfslurm.core.models.fit import Verdict, fit, serving_of
from cfslurm.core.models.kv_cache import kv_cache_bytes_per_token
from cfslurm.core.models.variants import Variant
from cfslurm.core.workflow.model import Model
from cfslurm.stages.catalogue import Sources, discover
from tests.hub.fake import FakeClock, FakeHub, shipped_standards

pytest_plugins = ("tests.hub.fixtures",)

MIB = 1 << 20
PRETEND = Engine(
    formats=format_rules(dict.fromkeys(("none", "fp8", "awq", "gptq", "gguf"), 0.0)),
    context_mib=2.0,
    batched_tokens=512,
    gpu_memory_utilization=0.92,
)


def asked(repo: str) -> Model:
    return Model(repo=repo, engine="pretend", max_model_len=1024, max_num_seqs=4)


def card(mib: int) -> GpuFacts:
    return replace(UNKNOWN_GPU, key=f"{mib} MiB", memory_mib=mib, compute_capability="8.9")


# The driver reports a little less than the box says, and a site rounds: both ways must hold.
A100_80 = (card(79), card(80))
CARD_48 = (card(47), card(48))
CARD_24 = (card(23), card(24))


@pytest.fixture(scope="module")
def variants(demo_root: Path) -> Mapping[tuple[str, str], Variant]:
    names = ("judge-20b", "atlas-30b", "vision-8b", "coder-15b")
    catalog = discover(
        {name: asked(f"lab/{name}") for name in names},
        sources=Sources(hub=FakeHub(demo_root), clock=FakeClock(), progress=lambda text: None),
        standards=shipped_standards(),
        discovered_at="2026-01-01T00:00:00Z",
    )
    return {
        (name, variant.quantization): variant
        for name, entry in catalog.models.items()
        for variant in entry.variants
    }


def fits(variant: Variant, gpus: tuple[GpuFacts, ...], *, on: int = 1) -> bool:
    model = asked(variant.repo_id)
    verdicts = {
        fit(
            variant,
            serving_of(model, tensor_parallel_size=on),
            gpu,
            PRETEND,
            engine_name="pretend",
        ).verdict
        is not Verdict.NO
        for gpu in gpus
    }
    assert len(verdicts) == 1, "it depends on how a site rounds"
    return verdicts.pop()


def test_every_model_has_its_six_variants(variants: Mapping[tuple[str, str], Variant]) -> None:
    kinds = {quantization for _, quantization in variants}
    assert kinds == {"none", "fp8", "awq", "gptq", "gguf:Q8_0", "gguf:Q4_K_M"}
    assert len(variants) == 4 * len(kinds)


@pytest.mark.parametrize(
    ("name", "quantization", "on_80", "on_48", "on_24"),
    [
        ("judge-20b", "none", True, False, False),
        ("judge-20b", "fp8", True, True, False),
        ("judge-20b", "awq", True, True, True),
        ("judge-20b", "gptq", True, True, True),
        ("atlas-30b", "none", True, False, False),
        ("atlas-30b", "fp8", True, True, False),
        ("atlas-30b", "awq", True, True, False),
        ("vision-8b", "none", True, True, True),
        ("vision-8b", "fp8", True, True, True),
        ("coder-15b", "none", True, True, False),
        ("coder-15b", "fp8", True, True, True),
        ("coder-15b", "awq", True, True, True),
    ],
)
def test_where_a_variant_goes(
    variants: Mapping[tuple[str, str], Variant],
    name: str,
    quantization: str,
    on_80: bool,
    on_48: bool,
    on_24: bool,
) -> None:
    variant = variants[name, quantization]
    assert [fits(variant, gpus) for gpus in (A100_80, CARD_48, CARD_24)] == [on_80, on_48, on_24]


def test_the_largest_goes_onto_two_cards(variants: Mapping[tuple[str, str], Variant]) -> None:
    assert fits(variants["atlas-30b", "none"], CARD_48, on=2)
    assert not fits(variants["atlas-30b", "none"], CARD_24, on=2)


def test_quantization_groups_can_be_shared_by_two_cards(
    variants: Mapping[tuple[str, str], Variant],
) -> None:
    assert fits(variants["atlas-30b", "awq"], CARD_24, on=2)


def test_kv_cache_is_small(variants: Mapping[tuple[str, str], Variant]) -> None:
    for variant in variants.values():
        per_token = kv_cache_bytes_per_token(variant.architecture, tensor_parallel_size=1)
        assert per_token * 1024 * 4 < 4 * MIB
