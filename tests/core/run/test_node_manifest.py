"""The text that the SPANK plugin reads: its grammar, and when there is none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cfslurm.core.run import node_manifest as limits
from cfslurm.core.run.manifest import VariantPlace
from cfslurm.core.run.node_manifest import (
    ClassLine,
    ModelLine,
    NodeManifest,
    node_manifest_text,
)

_EXAMPLE = (
    Path(__file__).parents[3] / "spank" / "tests" / "corpus" / "manifest" / "example"
).read_text()


def _place(repo: str, commit: str, quantization: str, path: str, tp: int) -> VariantPlace:
    return VariantPlace(
        variant=f"{repo}@{quantization}", repo_id=repo, revision=commit, quantization=quantization,
        path=path, tensor_parallel_size=tp, max_model_len=8192,
    )  # fmt: skip


_FULL = _place("acme/tiny", "1" * 40, "none", f"/models/store/acme--tiny/{'1' * 40}", 1)
_GGUF = _place(
    "acme/tiny-GGUF", "2" * 40, "gguf:Q4_K_M",
    f"/models/store/acme--tiny-GGUF/{'2' * 40}--Q4_K_M/tiny q4.gguf", 1,
)  # fmt: skip
_EVAL = ModelLine(
    key="eval", node_class="h100-x4", model="acme/tiny", place=_FULL, files=9,
    total_bytes=16060522240,
)  # fmt: skip
EXAMPLE = NodeManifest(
    run_id="20261120-233532-eval-7f3a",
    run_dir="/scratch/ada/runs/20261120-233532-eval-7f3a",
    nodes={"gn02": "h100-x4", "gn01": "h100-x4", "gl01": "rtx4090-x8"},
    classes=(
        ClassLine(name="rtx4090-x8", gpu_type="rtx4090", gpu_count=8, gpu_memory_mib=24564),
        ClassLine(name="h100-x4", gpu_type="h100", gpu_count=4, gpu_memory_mib=81559),
    ),
    models=(
        replace(_EVAL, key="team/server", place=replace(_FULL, tensor_parallel_size=2)),
        replace(_EVAL, node_class="rtx4090-x8", place=_GGUF, files=1, total_bytes=4920734272),
        _EVAL,
    ),
)


def test_example_of_the_reference_is_written_byte_for_byte() -> None:
    assert node_manifest_text(EXAMPLE) == _EXAMPLE


def test_file_of_a_cache_speaks_of_no_run() -> None:
    text = node_manifest_text(NodeManifest(nodes={}, classes=(), models=()))
    assert text == "cfslurm-node-manifest\t1\nend\t0\n"


@pytest.mark.parametrize(
    ("path", "written"),
    [
        ("/m/a b", "/m/a%20b"),
        ("/m/100%", "/m/100%25"),
        ("/m/ä", "/m/%C3%A4"),
        ("/m/\udcff", "/m/%FF"),
        ("/m/~x:@+=,", "/m/~x:@+=,"),
        ("/m/$(x)'\"\\", "/m/%24%28x%29%27%22%5C"),
    ],
)
def test_paths_are_written_in_one_way(path: str, written: str) -> None:
    text = node_manifest_text(
        replace(EXAMPLE, models=(replace(_EVAL, place=replace(_FULL, path=path)),))
    )
    assert text is not None
    assert text.splitlines()[-2].split("\t")[8] == written


@pytest.mark.parametrize(
    "path",
    [
        "", "/", "//", "relative", "/m//x", "/m/./x", "/m/../x", "/m/x/", "/m/\n", "/m/\t", "/m/\x7f",
        "/m/\x00", "/" + "x" * 4095, "/m/\ud800",
    ],
)  # fmt: skip
def test_path_that_cannot_be_written_leaves_no_file(path: str) -> None:
    broken = replace(_EVAL, place=replace(_FULL, path=path))
    assert node_manifest_text(replace(EXAMPLE, models=(broken,))) is None
    assert node_manifest_text(replace(EXAMPLE, run_dir=path)) is None


@pytest.mark.parametrize(
    "broken",
    [
        replace(EXAMPLE, run_id="a b"),
        replace(EXAMPLE, nodes={"n1\n": "c"}),
        replace(EXAMPLE, nodes={"": "c"}),
        replace(EXAMPLE, nodes={"n1": "c" * 256}),
        replace(EXAMPLE, models=(_EVAL, _EVAL)),
        replace(EXAMPLE, classes=(EXAMPLE.classes[0], EXAMPLE.classes[0])),
        replace(EXAMPLE, classes=(replace(EXAMPLE.classes[0], gpu_count=1025),)),
        replace(EXAMPLE, classes=(replace(EXAMPLE.classes[0], gpu_memory_mib=2**31),)),
        replace(EXAMPLE, models=(replace(_EVAL, files=4097),)),
        replace(EXAMPLE, models=(replace(_EVAL, total_bytes=2**53),)),
        replace(EXAMPLE, models=(replace(_EVAL, place=replace(_FULL, revision="main")),)),
        replace(EXAMPLE, models=(replace(_EVAL, place=replace(_FULL, quantization="")),)),
        replace(EXAMPLE, models=(replace(_EVAL, place=replace(_FULL, max_model_len=-1)),)),
    ],
)
def test_value_outside_of_the_grammar_leaves_no_file(broken: NodeManifest) -> None:
    assert node_manifest_text(broken) is None


def test_no_file_is_written_beyond_the_limits() -> None:
    most = limits.MAX_LINES - 2
    nodes = {f"n{number}": "c" for number in range(most)}
    full = NodeManifest(nodes=nodes, classes=(), models=())
    assert node_manifest_text(full) is not None
    assert node_manifest_text(replace(full, nodes={**nodes, "one-more": "c"})) is None
    long = {f"n{number:0>200}": "c" * 200 for number in range(limits.MAX_BYTES // 400)}
    assert node_manifest_text(replace(full, nodes=long)) is None
    deep = "/" + "/".join(["€" * 40] * 33)
    place = replace(_FULL, path=deep, variant="€" * 100, repo_id="€" * 66)
    written = node_manifest_text(
        replace(EXAMPLE, models=(replace(_EVAL, model="€" * 66, place=place),))
    )
    assert written is not None  # as long as a line can become: the limit is never reached
    assert max(len(line) for line in written.splitlines()) < limits.MAX_LINE_BYTES
