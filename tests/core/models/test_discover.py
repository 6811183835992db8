"""From a repository's contents to variants and rejections."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from cfslurm.core.documents import Json
from cfslurm.core.models.discover import (
    BaseModel,
    Contents,
    documents_to_read,
    read_base,
    unwanted,
    variants_of,
)
from cfslurm.core.models.hub import FileRecord, RepoRecord
from cfslurm.core.models.quality import Score
from cfslurm.core.models.refusal import Refusal
from cfslurm.core.models.variants import Variant
from cfslurm.core.workflow.model import Model

CONFIG: dict[str, Json] = {
    "model_type": "llama",
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "vocab_size": 256,
    "max_position_embeddings": 2048,
    "torch_dtype": "bfloat16",
}
FP8: dict[str, Json] = {"quantization_config": {"quant_method": "fp8"}}
AWQ: dict[str, Json] = {"quantization_config": {"quant_method": "awq", "bits": 4, "group_size": 32}}
SCORES = {
    "none": Score(value=100, source="itself"),
    "fp8": Score(value=99, source="paper"),
    "awq": Score(value=97, source="paper"),
    "gguf:Q8_0": Score(value=99, source="table"),
}
RECORD = RepoRecord(
    repo_id="acme/base",
    revision="1" * 40,
    is_gated=False,
    is_private=False,
    licence="mit",
    relation="",
    downloads=9,
)
CHILD = replace(RECORD, repo_id="quantco/child", revision="2" * 40, relation="quantized")
MODEL = Model(repo="acme/base")


def files(*paths: str) -> tuple[FileRecord, ...]:
    return tuple(FileRecord(path=p, size_bytes=1000, sha256="a" * 64, git_sha1="") for p in paths)


def contents(
    record: RepoRecord = CHILD,
    config: Mapping[str, Json] | None = None,
    paths: tuple[str, ...] = ("config.json", "model.safetensors"),
    **documents: Json,
) -> Contents:
    read = {"config.json": dict(config)} if config is not None else {}
    return Contents(record=record, files=files(*paths), documents={**read, **documents})


BASE = read_base(contents(RECORD, CONFIG))


def taken(found: Contents, base: BaseModel = BASE, model: Model = MODEL) -> list[Variant]:
    variants, rejected = variants_of(found, base=base, model=model, scores=SCORES)
    assert rejected == ()
    return list(variants)


def reasons(found: Contents, base: BaseModel = BASE, model: Model = MODEL) -> list[str]:
    variants, rejected = variants_of(found, base=base, model=model, scores=SCORES)
    assert variants == ()
    return [entry.reason for entry in rejected]


def test_the_base_model_is_the_published_checkpoint() -> None:
    (variant,) = taken(contents(RECORD, CONFIG))
    assert variant.id == "acme/base@none"
    assert (variant.quality, variant.quality_source) == (100, "the published checkpoint")
    assert variant.architecture.parameters == 500
    assert (variant.licence, variant.dtype, variant.weights_bytes) == ("mit", "bfloat16", 1000)


def test_a_quantized_child_has_the_parameters_of_the_base() -> None:
    (variant,) = taken(contents(config={**CONFIG, **AWQ}))
    assert variant.id == "quantco/child@awq"
    assert variant.group_size == 32
    assert variant.architecture.parameters == 500
    assert (variant.quality, variant.quality_source) == (94, "paper")


def test_a_base_that_was_trained_quantized_is_itself() -> None:
    base = contents(RECORD, {**CONFIG, **FP8})
    (variant,) = taken(base, read_base(base))
    assert (variant.quantization, variant.quality) == ("fp8", 100)
    assert variant.architecture.parameters is None


def test_a_child_may_unpack_a_base_that_was_trained_quantized() -> None:
    base = read_base(contents(RECORD, {**CONFIG, **FP8}))
    (variant,) = taken(contents(config=CONFIG), base)
    assert variant.quantization == "none"


def test_a_child_that_is_not_quantized_is_no_variant() -> None:
    assert reasons(contents(config=CONFIG)) == ["it is not quantized, although it says so"]


def test_a_child_with_another_shape_is_another_model() -> None:
    config = {**CONFIG, **AWQ, "num_hidden_layers": 3}
    assert reasons(contents(config=config)) == [
        "it is another model: num_hidden_layers is 3, the base model has 2"
    ]


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (contents(config=None), "it has no config.json"),
        (contents(config={**CONFIG, **AWQ, "hidden_size": 2**70}), "impossible hidden_size"),
        (contents(config={**CONFIG, **AWQ, "auto_map": {"AutoModel": "x.X"}}), "needs code"),
        (contents(config={"quantization_config": {"quant_method": "exl9"}}), "does not know"),
        (contents(config=CONFIG, paths=("config.json", "pytorch_model.bin")), "only as pickles"),
        (contents(config=CONFIG, paths=("config.json", "m\n.safetensors")), "is refused"),
        (contents(replace(CHILD, repo_id="../../x"), CONFIG), "none that the Hub gives"),
        (contents(replace(CHILD, revision="main"), CONFIG), "none that the Hub gives"),
        (contents(replace(CHILD, revision=""), CONFIG), "none that the Hub gives"),
    ],
)
def test_what_is_rejected_says_why(found: Contents, reason: str) -> None:
    (told,) = reasons(found)
    assert reason in told


def test_every_gguf_quantization_is_a_variant() -> None:
    paths = ("x-Q8_0-00001-of-00002.gguf", "x-Q8_0-00002-of-00002.gguf", "mmproj-F16.gguf")
    (variant,) = taken(contents(paths=paths))
    assert variant.quantization == "gguf:Q8_0"
    assert (variant.family, variant.label) == ("gguf", "Q8_0")
    assert variant.weights_bytes == variant.total_bytes == 2000
    assert variant.architecture == BASE.architecture


def test_gguf_in_the_base_repository_is_not_the_published_checkpoint() -> None:
    paths = ("config.json", "model.safetensors", "x-Q8_0.gguf")
    found = taken(contents(RECORD, CONFIG, paths=paths))
    assert [variant.quality for variant in found] == [100, 98]


def test_gguf_needs_the_architecture_of_the_base() -> None:
    base = read_base(contents(RECORD))
    assert isinstance(base.architecture, Refusal)
    assert reasons(contents(paths=("x-Q8_0.gguf",)), base) == [
        "its size in use is unknown: the base model has no config.json"
    ]


def test_a_quantized_child_does_not_need_the_base() -> None:
    (variant,) = taken(contents(config={**CONFIG, **AWQ}), read_base(contents(RECORD)))
    assert variant.architecture.parameters is None


def test_a_repository_may_hold_both_formats() -> None:
    paths = ("config.json", "model.safetensors", "x-Q8_0.gguf")
    found = taken(contents(config={**CONFIG, **AWQ}, paths=paths))
    assert [variant.quantization for variant in found] == ["awq", "gguf:Q8_0"]


def test_quality_without_a_source_is_rejected() -> None:
    assert reasons(contents(paths=("x-UD-Q4_K_XL.gguf",))) == [
        "no source says how good gguf:UD-Q4_K_XL is"
    ]


@pytest.mark.parametrize("asked", ["gguf:UD-Q4_K_XL", "gguf:ud-q4_k_xl", "gguf", "quantco/child"])
def test_unless_the_workflow_asks_for_it(asked: str) -> None:
    model = replace(MODEL, variant=asked)
    (variant,) = taken(contents(paths=("x-UD-Q4_K_XL.gguf",)), model=model)
    assert variant.quality == 0
    assert "the workflow asks for it" in variant.quality_source


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (replace(MODEL, allow=("fp8", "gguf")), "the workflow allows only fp8, gguf"),
        (replace(MODEL, variant="fp8"), "the workflow asks for fp8"),
        (replace(MODEL, variant="acme/base"), "the workflow asks for acme/base"),
    ],
)
def test_what_the_workflow_does_not_want(model: Model, reason: str) -> None:
    assert reasons(contents(config={**CONFIG, **AWQ}), model=model) == [reason]


@pytest.mark.parametrize(
    "model",
    [
        replace(MODEL, allow=("awq",)),
        replace(MODEL, variant="awq"),
        replace(MODEL, variant="quantco/child", allow=("fp8",)),
    ],
)
def test_what_the_workflow_wants(model: Model) -> None:
    (variant,) = taken(contents(config={**CONFIG, **AWQ}), model=model)
    assert unwanted(variant, model) == ""


def test_only_files_that_are_there_are_read() -> None:
    assert documents_to_read(files("config.json", "README.md")) == ("config.json",)
