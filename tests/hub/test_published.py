"""`cfslurm models size` against a Hub with repositories of true size: where known models go."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Call, cfslurm
from tests.hub.published import make_published
from tests.hub.server import HubServer, serving

__all__ = ["cfslurm"]


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubServer]:
    root = tmp_path_factory.mktemp("published")
    make_published(root)
    with serving(root) as server:
        yield server


@pytest.fixture
def sized(cfslurm: Call, hub: HubServer, tmp_path: Path) -> Any:
    def call(*argv: str) -> dict[tuple[str, int], dict[str, Any]]:
        done = cfslurm(
            "models", "size", *argv, "--json",
            HF_ENDPOINT=f"http://127.0.0.1:{hub.port}", XDG_CACHE_HOME=str(tmp_path / "cache"),
            HF_HUB_DISABLE_XET="1", NO_PROXY="127.0.0.1,localhost",
        )  # fmt: skip
        assert done.returncode in {0, 1}, done.stderr
        rows = json.loads(done.stdout)["rows"]
        return {(row["quantization"], row["fit"]["tensor_parallel_size"]): row for row in rows}

    return call


def verdicts(rows: dict[tuple[str, int], dict[str, Any]], quantization: str) -> dict[int, str]:
    return {on: row["fit"]["verdict"] for (kind, on), row in rows.items() if kind == quantization}


def weights(row: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = next(t for t in row["fit"]["terms"] if t["name"] == "weights")
    return found


@pytest.mark.parametrize(
    ("repo", "total_size"),
    [
        ("meta/llama-8b", 16_060_522_496),
        ("meta/llama-70b", 141_107_412_992),
        ("mistral/mixtral-8x7b", 93_405_585_408),
        ("openai/gpt-oss-20b", 13_761_264_768),
    ],
)
def test_tables_add_up_to_the_published_size(sized: Any, repo: str, total_size: int) -> None:
    rows = sized(repo, "--gpu", "h200", "--tp", "1")
    (row,) = [row for row in rows.values() if row["variant"].startswith(repo)]
    assert weights(row)["bytes"] == total_size
    assert weights(row)["certainty"] == "exact"


def test_llama_70b_and_its_quantization(sized: Any) -> None:
    on_24 = sized("meta/llama-70b", "--gpu", "rtx4090")
    assert verdicts(on_24, "none") == {
        1: "does not fit", 2: "does not fit", 4: "does not fit", 8: "fits",
    }  # fmt: skip
    assert verdicts(on_24, "awq") == {1: "does not fit", 2: "tight", 4: "fits"}
    on_80 = sized("meta/llama-70b", "--gpu", "h100", "--only", "@none")
    assert verdicts(on_80, "none") == {1: "does not fit", 2: "tight", 4: "fits"}


def test_a_vision_model_for_a_24_gb_card(sized: Any) -> None:
    rows = sized("llava/next-34b", "--gpu", "rtx4090", "--ctx", "3k")
    assert verdicts(rows, "none")[1] == "does not fit"
    assert verdicts(rows, "awq")[1] == "tight"
    assert any(t["name"] == "vision" for t in rows["awq", 1]["fit"]["terms"])


def test_a_coder_on_one_80_gb_card(sized: Any) -> None:
    rows = sized("deepseek/coder-33b", "--gpu", "a100_80", "--ctx", "8k", "--tp", "1")
    assert verdicts(rows, "none")[1] != "does not fit"
    assert rows["none", 1]["longest_context"] > 8192


def test_four_bits_of_its_own(sized: Any) -> None:
    rows = sized("openai/gpt-oss-20b", "--gpu", "rtx4090", "--ctx", "32k", "--seqs", "4")
    assert verdicts(rows, "mxfp4")[1] != "does not fit"
    assert rows["mxfp4", 1]["most_sequences"] >= 4
