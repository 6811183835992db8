"""Efficiencies by key, and what unknown keys fall back on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cfslurm.adapters.resources import shipped_text
from cfslurm.core.models.speed_table import (
    PARAMETERS,
    SpeedKey,
    SpeedTable,
    read_speed_table,
    speed_table_text,
)

KEY = SpeedKey(
    engine="vllm", version="", gpu="h100", capability="9.0", dtype="fp8", attention="gqa"
)
TEXT = """\
# remark
parameter,engine,version,gpu,capability,dtype,attention,factor,rows
spread_same,,,,,,,0.100,
spread_engine,,,,,,,0.200,
spread_other,,,,,,,0.300,
weight_read,,,,,,,0.8,50
weight_read,vllm,,,,,,1.1,20
weight_read,vllm,,h100,,,,0.9,5
kv_read,,,,,,,0.7,50
kv_read,vllm,0.6,,,,gqa,0.5,7
kv_read,vllm,0.10,,,,gqa,2,3
"""


@pytest.fixture(scope="module")
def shipped() -> SpeedTable:
    return read_speed_table(shipped_text("core/models/speed_efficiencies.csv"))


def test_rows_that_match_are_multiplied() -> None:
    table = read_speed_table(TEXT)
    assert table.find(KEY).efficiency.weight_read == pytest.approx(0.8 * 1.1 * 0.9)
    other = table.find(replace(KEY, engine="sglang"))
    assert other.efficiency.weight_read == 0.8


def test_the_text_comes_back() -> None:
    assert speed_table_text(read_speed_table(TEXT), ["remark"]) == TEXT


@pytest.mark.parametrize(
    ("version", "expected"),
    [("", 1.4), ("0.33", 1.4), ("0.10.2", 1.4), ("0.9", 0.35), ("0.6", 0.35), ("0.2", 0.35)],
)
def test_the_newest_measured_version_that_is_not_newer_counts(
    version: str, expected: float
) -> None:
    found = read_speed_table(TEXT).find(replace(KEY, version=version))
    assert found.efficiency.kv_read == pytest.approx(expected)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, (0.1, 5, "vllm on this GPU")),
        ({"gpu": "l4"}, (0.2, 20, "vllm on other GPUs")),
        ({"engine": "sglang"}, (0.3, 0, "other engines")),
    ],
)
def test_the_less_is_known_the_wider_the_range(
    changes: dict[str, str], expected: tuple[float, int, str]
) -> None:
    found = read_speed_table(TEXT).find(replace(KEY, **changes))
    assert (found.spread, found.rows, found.basis) == expected


def test_the_shipped_table_has_a_base_of_every_parameter(shipped: SpeedTable) -> None:
    bases = {row.parameter for row in shipped.rows if not any(row.key.cells)}
    assert bases == set(PARAMETERS)
    assert 0 < shipped.spread.same < shipped.spread.engine < shipped.spread.other < 1


def test_what_engines_reach_is_possible(shipped: SpeedTable) -> None:
    for engine in ("vllm", "sglang", "llamacpp", "transformers", "tensorrt-llm"):
        for gpu, capability in (("h100", "9.0"), ("a100_80", "8.0"), ("l4", "8.9"), ("t4", "7.5")):
            key = replace(KEY, engine=engine, gpu=gpu, capability=capability, dtype="f16")
            reached = shipped.find(key).efficiency
            assert 0.3 < reached.weight_read < 1
            assert 0.2 < reached.prefill < 1
            assert 0 < reached.layer_s < (1e-3 if engine == "transformers" else 2e-4)
            assert 0 < reached.step_s < 2e-2
