"""What runs where: formats, compute capabilities, versions, vendors."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cfslurm.adapters.engines_file import built_in_engines
from cfslurm.adapters.resources import shipped_text
from cfslurm.core.hardware.gpus import read_catalogue
from cfslurm.core.models.engines import (
    consequences,
    format_rules,
    is_older,
    unsupported,
    with_overrides,
)
from cfslurm.core.models.kv_cache import ELEMENT_BYTES
from cfslurm.core.site.model import EngineOverride

# What the reader of checkpoints calls quantizations.
FAMILIES = {
    "none", "fp8", "int8", "awq", "gptq", "w4a16", "nvfp4", "mxfp4", "bitsandbytes", "gguf",
}  # fmt: skip
ENGINES = built_in_engines()
CARDS = read_catalogue(shipped_text("core/hardware/gpus.csv")).cards


@pytest.mark.parametrize(
    ("engine", "version", "family", "card", "says"),
    [
        ("vllm", "", "none", "a100_80", None),
        ("vllm", "", "none", "v100_32", "from compute capability 7.5, v100_32 has 7"),
        ("vllm", "0.15.1", "none", "v100_32", None),
        ("vllm", "", "fp8", "a100_80", None),
        ("vllm", "0.15.1", "fp8", "t4", "from compute capability 8, t4 has 7.5"),
        ("vllm", "", "fp8", "mi210", "runs fp8 on gfx942, gfx950, gfx12, mi210 is gfx90a"),
        ("vllm", "", "fp8", "mi300x", None),
        ("vllm", "", "awq", "mi300x", None),
        ("vllm", "", "nvfp4", "mi300x", "does not run nvfp4 on AMD cards"),
        ("vllm", "", "mxfp4", "t4", "from compute capability 8"),
        ("vllm", "0.9.2", "mxfp4", "h100", "does not run mxfp4 models (versions since 0.10 do)"),
        ("vllm", "", "gguf", "h100", "does not run gguf models (versions before 0.19 do)"),
        ("vllm", "0.11.0", "gguf", "h100", None),
        ("vllm", "0.11.0", "bitsandbytes", "h100", None),
        ("vllm", "", "bitsandbytes", "h100", "versions before 0.20 do"),
        ("vllm", "", "none", "mi100", "mi100 is gfx908"),
        ("sglang", "", "nvfp4", "h100", "from compute capability 10"),
        ("llamacpp", "", "gguf", "p100", None),
        ("llamacpp", "", "gguf", "mi100", None),
        ("llamacpp", "", "none", "h100", "does not run none models"),
        ("transformers", "", "fp8", "a100_80", "from compute capability 8.9"),
    ],
)
def test_formats_by_version_card_and_vendor(
    engine: str, version: str, family: str, card: str, says: str | None
) -> None:
    chosen = ENGINES[engine]
    if version:
        chosen = replace(chosen, version=version)
    found = unsupported(family, CARDS[card], engine, chosen)
    if says is None:
        assert found is None
    else:
        assert found is not None
        assert says in found


def test_every_row_has_a_source_and_no_two_rows_hold_at_once() -> None:
    for engine in ENGINES.values():
        assert engine.source
        assert all(row.source for row in (*engine.formats, *engine.overheads))
        for version in ("0.6.3", "0.11.0", "0.19.0", "0.20.1", "0.33.0"):
            held = replace(engine, version=version)
            for rule in engine.formats:
                others = [r for r in engine.formats if r.format == rule.format]
                active = [r for r in others if replace(held, formats=(r,)).rule(r.format)]
                assert len(active) <= 1, (engine, rule.format, version)


def test_families_and_cache_dtypes_are_ones_that_are_known() -> None:
    for engine in ENGINES.values():
        assert {rule.format for rule in engine.formats} <= FAMILIES
        assert set(engine.kv_cache_dtypes) <= set(ELEMENT_BYTES)


@pytest.mark.parametrize(
    ("version", "sampler", "graphs"),
    [
        ("0.11.2", 37.7, "outside"),
        ("0.17.0", 14.25, "outside"),
        ("0.19.0", 14.25, "outside"),
        ("0.21.0", 14.25, "inside"),
        ("0.31.0", 43.4, "inside"),
        ("", 43.4, "inside"),
        ("0.1", 37.7, "outside"),
    ],
)
def test_overheads_by_version(version: str, sampler: float, graphs: str) -> None:
    overhead = replace(ENGINES["vllm"], version=version).overhead
    assert (overhead.sampler_bytes, overhead.graphs) == (sampler, graphs)


@pytest.mark.parametrize(
    ("version", "than", "older"),
    [
        ("0.9", "0.10", True),
        ("0.10", "0.9", False),
        ("0.19.0rc1", "0.19", False),
        ("b4701", "b6000", True),
        ("", "0.1", False),
    ],
)
def test_versions_are_compared_by_number(version: str, than: str, older: bool) -> None:
    assert is_older(version, than) is older


def test_a_site_sets_versions_and_numbers() -> None:
    merged = with_overrides(
        ENGINES,
        {
            "vllm": EngineOverride(version="0.11.0", gpu_memory_utilization=0.95),
            "own": EngineOverride(formats={"fp8": 8.9}, context_mib=10),
        },
    )
    assert merged["vllm"].overhead.sampler_bytes == 37.7
    assert merged["vllm"].gpu_memory_utilization == 0.95
    assert unsupported("fp8", CARDS["mi210"], "own", merged["own"]) is None
    assert unsupported("fp8", CARDS["a100_80"], "own", merged["own"]) is not None
    assert merged["own"].overhead.non_torch_mib == 10


def test_what_the_site_says_of_formats_counts_alone() -> None:
    merged = with_overrides(ENGINES, {"vllm": EngineOverride(formats={"gguf": 0})})
    assert merged["vllm"].formats == format_rules({"gguf": 0})


@pytest.mark.parametrize(
    ("family", "dtype", "card", "says"),
    [
        ("none", "bfloat16", "t4", "--dtype half"),
        ("none", "float16", "t4", ""),
        ("none", "bfloat16", "a100_80", ""),
        ("fp8", "bfloat16", "a100_80", "saves memory, not time"),
        ("fp8", "bfloat16", "h100", ""),
        ("nvfp4", "bfloat16", "h100", "saves memory, not time"),
        ("mxfp4", "bfloat16", "mi300x", ""),
    ],
)
def test_what_a_format_means_on_a_card(family: str, dtype: str, card: str, says: str) -> None:
    found = " ".join(consequences(family, dtype, CARDS[card], ENGINES["vllm"]))
    assert says in found if says else found == ""
