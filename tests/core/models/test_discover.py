"""From a repository's contents to variants and rejections."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cfslurm.core.documents import Json
from cfslurm.core.models.candidates import BaseModel, Contents
from cfslurm.core.models.discover import (
    documents_to_read,
    read_base,
    unwanted,
    variants_of,
)
from cfslurm.core.models.gguf_kind import FILE_TYPES
from cfslurm.core.models.headers import GgufFacts, TensorRow, WeightsHeader
from cfslurm.core.models.hub import FileRecord, RepoRecord, Security
from cfslurm.core.models.policy import ModelPolicy, Rule, Standards
from cfslurm.core.models.quality import Score
from cfslurm.core.models.refusal import Refusal
from cfslurm.core.models.variants import Architecture, Variant
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
STANDARDS = Standards(scores=SCORES)
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


def gguf_header(
    label: str = "Q8_0", *, part: int = 0, parts: int = 1, **changes: object
) -> WeightsHeader:
    """The header of a file of the base model."""
    types = {name: number for number, name in FILE_TYPES.items()}
    numbers = {
        "block_count": 2,
        "embedding_length": 64,
        "context_length": 2048,
        "attention.head_count": 4,
    }
    facts = GgufFacts(
        version=3,
        architecture="llama",
        kind="model",
        file_type=types.get(label, -1),
        split_number=part,
        split_count=parts,
        numbers=numbers,
    )
    row = TensorRow(
        part="mlp", layer=0, dtype="Q8_0", role="weight", count=1, numbers=900, bytes=950
    )
    return WeightsHeader(rows=(row,), gguf=replace(facts, **changes))


def headers(
    *paths: str, label: str = "Q8_0", **changes: object
) -> dict[str, WeightsHeader | Refusal]:
    """A header for each file."""
    split = len(paths) if "-of-" in paths[0] else 1
    return {
        path: gguf_header(label, part=number if split > 1 else 0, parts=split, **changes)
        for number, path in enumerate(paths)
    }


def ggufs(*paths: str, record: RepoRecord = CHILD, **changes: object) -> Contents:
    """A repository of GGUF files, and nothing else."""
    return replace(contents(record, paths=paths), headers=headers(*paths, **changes))


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
    variants, rejected = variants_of(found, base=base, model=model, standards=STANDARDS)
    assert rejected == ()
    return list(variants)


def reasons(found: Contents, base: BaseModel = BASE, model: Model = MODEL) -> list[str]:
    variants, rejected = variants_of(found, base=base, model=model, standards=STANDARDS)
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
    assert (variant.quality, variant.quality_source) == (92.2, "paper")


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
        (
            contents(config={**CONFIG, **AWQ, "model_type": "new", "auto_map": {"A": "x.X"}}),
            "needs code",
        ),
        (contents(config={**CONFIG, **AWQ, "model_type": [], "auto_map": True}), "needs code"),
        (
            contents(config={**CONFIG, **AWQ, "model_type": "kimi_k2", "auto_map": {"A": "x.X"}}),
            "needs code",  # its tokenizer is code, whatever the engine knows of its layers
        ),
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
    parts = ("x-Q8_0-00001-of-00002.gguf", "x-Q8_0-00002-of-00002.gguf")
    found = contents(paths=(*parts, "mmproj-F16.gguf"))
    (variant,) = taken(replace(found, headers=headers(*parts)))
    assert variant.quantization == "gguf:Q8_0"
    assert (variant.family, variant.label) == ("gguf", "Q8_0")
    assert variant.weights_bytes == variant.total_bytes == 2000
    assert variant.architecture == BASE.architecture
    assert variant.weights is not None
    assert (variant.weights.parameters, variant.weights.tensor_bytes) == (1800, 1900)
    assert variant.notes == ()


def test_gguf_of_a_model_that_sees_reads_text_only() -> None:
    assert isinstance(BASE.architecture, Architecture)
    sees = replace(BASE, architecture=replace(BASE.architecture, vision_hidden_size=64))
    found = contents(paths=("x-Q8_0.gguf", "mmproj-F16.gguf"))
    (variant,) = taken(replace(found, headers=headers("x-Q8_0.gguf")), sees)
    assert variant.notes == ("the projector mmproj-F16.gguf is left out: it reads text only",)


def test_the_header_decides_over_the_name() -> None:
    (variant,) = taken(ggufs("x-Q4_K_M.gguf"))
    assert variant.quantization == "gguf:Q8_0"
    assert variant.notes == ("its file name says Q4_K_M, its header Q8_0",)


def test_a_file_whose_name_tells_nothing_is_known_by_its_header() -> None:
    (variant,) = taken(ggufs("ggml-model.gguf"))
    assert variant.quantization == "gguf:Q8_0"
    assert variant.notes == ()


def test_the_second_of_a_kind_is_refused() -> None:
    variants, rejected = variants_of(
        ggufs("a-Q8_0.gguf", "b-Q4_K_M.gguf"), base=BASE, model=MODEL, standards=STANDARDS
    )
    assert [variant.files[0].path for variant in variants] == ["b-Q4_K_M.gguf"]
    assert "has the same quantization as 'a-Q8_0.gguf'" in rejected[0].reason


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"kind": "adapter"}, "it is an adapter, not a model"),
        ({"architecture": "clip"}, "it is a part, not a model"),
        ({"split_count": 3}, "speaks of 3 parts, its name of 1"),
        ({"split_number": 1}, "speaks of 1 parts"),
        ({"numbers": {"block_count": 3}}, "another model: block_count is 3, the base model has 2"),
        ({"numbers": {"embedding_length": 65}}, "another model: embedding_length is 65"),
        ({"numbers": {"attention.head_count": 8}}, "another model: attention.head_count is 8"),
        ({"numbers": {"block_count": 2**63}}, "impossible block_count: 9223372036854775808"),
    ],
)
def test_gguf_files_that_are_not_the_model(changes: dict[str, object], reason: str) -> None:
    (told,) = reasons(ggufs("x-Q8_0.gguf", **changes))
    assert reason in told


def test_layers_for_multi_token_prediction_are_no_other_model() -> None:
    numbers = {"block_count": 3, "nextn_predict_layers": 1}
    assert taken(ggufs("x-Q8_0.gguf", numbers=numbers))


def test_a_damaged_header_is_told_and_the_others_are_taken() -> None:
    found = ggufs("a-Q8_0.gguf", "b-BF16.gguf")
    damaged = {**found.headers, "b-BF16.gguf": Refusal("its GGUF header is big-endian")}
    variants, rejected = variants_of(
        replace(found, headers=damaged), base=BASE, model=MODEL, standards=STANDARDS
    )
    assert [variant.quantization for variant in variants] == ["gguf:Q8_0"]
    assert [(r.quantization, r.reason) for r in rejected] == [
        ("gguf:BF16", "its GGUF header is big-endian")
    ]


def test_a_header_that_was_not_read_leaves_the_quantization_open() -> None:
    (told,) = reasons(contents(paths=("x-Q8_0.gguf",)))
    assert told == "its header was not read: the repository has too many files"


def test_gguf_in_the_base_repository_is_not_the_published_checkpoint() -> None:
    paths = ("config.json", "model.safetensors", "x-Q8_0.gguf")
    found = replace(contents(RECORD, CONFIG, paths=paths), headers=headers("x-Q8_0.gguf"))
    assert [variant.quality for variant in taken(found)] == [100, 97.4]


def test_gguf_has_its_own_architecture_where_the_base_tells_none() -> None:
    base = read_base(contents(RECORD))
    assert isinstance(base.architecture, Refusal)
    (variant,) = taken(ggufs("x-Q8_0.gguf"), base)
    assert variant.architecture.num_hidden_layers == 2
    assert variant.architecture.head_dim == 16
    assert "GGUF header" in variant.architecture.assumed
    assert variant.architecture.parameters == 900
    assert variant.notes == (
        "it could not be compared with the base model, whose configuration cannot be read",
    )
    assert reasons(ggufs("x-Q8_0.gguf", numbers={"block_count": 2}), base) == [
        "its GGUF header has no embedding_length"
    ]


def test_a_base_without_config_may_be_read_from_nowhere() -> None:
    assert isinstance(read_base(contents(RECORD)).architecture, Refusal)


def test_parameters_are_counted_from_headers() -> None:
    row = TensorRow(
        part="mlp", layer=0, dtype="BF16", role="weight", count=1, numbers=490, bytes=980
    )
    header = WeightsHeader(rows=(row,))
    found = replace(contents(RECORD, CONFIG), headers={"model.safetensors": header})
    base = read_base(found)
    (variant,) = taken(found, base)
    assert variant.architecture.parameters == variant.parameters == 490
    assert variant.bits_per_weight == 1000 * 8 / 490


def test_packed_weights_are_counted_one_by_one() -> None:
    rows = (
        TensorRow(part="mlp", layer=0, dtype="I32", role="packed", count=1, numbers=50, bytes=200),
        TensorRow(part="mlp", layer=0, dtype="F16", role="companion", count=1, numbers=9, bytes=18),
        TensorRow(part="norm", layer=0, dtype="BF16", role="weight", count=1, numbers=3, bytes=6),
        TensorRow(part="mlp", layer=2, dtype="BF16", role="weight", count=1, numbers=5, bytes=10),
    )
    header = WeightsHeader(rows=rows)
    found = contents(config={**CONFIG, **AWQ})
    (variant,) = taken(replace(found, headers={"model.safetensors": header}))
    assert variant.weights is not None
    assert variant.weights.parameters_by_dtype == {"BF16": 8, "I32": 400}
    assert variant.weights.bytes_by_part == {"mlp": 218, "mtp": 10, "norm": 6}


def test_a_damaged_shard_is_told() -> None:
    found = replace(contents(RECORD, CONFIG), headers={"model.safetensors": Refusal("it overlaps")})
    assert reasons(found, read_base(found)) == ["model.safetensors: it overlaps"]


def test_code_that_engines_do_not_need_is_left_out_and_told() -> None:
    config = {**CONFIG, **AWQ, "auto_map": {"AutoModel": "x.X"}}
    (variant,) = taken(contents(config=config))
    assert variant.notes == ("the code in its repository is left out",)


def test_a_changed_chat_template_is_told() -> None:
    base = replace(BASE, template="a")
    same, other = (replace(contents(config={**CONFIG, **AWQ}), template=t) for t in "ab")
    assert taken(same, base)[0].notes == ()
    assert taken(other, base)[0].notes == ("its chat template is not that of the base model",)
    (gguf,) = taken(ggufs("x-Q8_0.gguf", chat_template_sha256="b"), base)
    assert gguf.notes == ("its chat template is not that of the base model",)


def test_scanners_are_shown() -> None:
    found = contents(RECORD, CONFIG)
    for names, words in (
        (("a.bin",), "a.bin, which is not fetched"),
        (("a.bin", "model.safetensors"), "model.safetensors, which is fetched and 1 more"),
    ):
        security = Security(status="suspicious", files=names)
        (variant,) = taken(replace(found, security=security))
        assert variant.security == "suspicious"
        assert variant.notes == (f"the Hub's scanners warn of {words}",)


def test_policy_comes_first() -> None:
    rule = Rule(kind="organizations", allowed=("acme",), set_by="/etc/site.yaml:9")
    standards = Standards(scores=SCORES, policy=ModelPolicy(rules=(rule,)))
    _, rejected = variants_of(
        contents(config={**CONFIG, **AWQ}), base=BASE, model=MODEL, standards=standards
    )
    assert rejected[0].reason == (
        "the organization quantco is not among those allowed: acme (/etc/site.yaml:9)"
    )


def test_a_quantized_child_does_not_need_the_base() -> None:
    (variant,) = taken(contents(config={**CONFIG, **AWQ}), read_base(contents(RECORD)))
    assert variant.architecture.parameters is None
    assert "could not be compared" in variant.notes[0]


def test_a_repository_may_hold_both_formats() -> None:
    paths = ("config.json", "model.safetensors", "x-Q8_0.gguf")
    found = contents(config={**CONFIG, **AWQ}, paths=paths)
    found = taken(replace(found, headers=headers("x-Q8_0.gguf")))
    assert [variant.quantization for variant in found] == ["awq", "gguf:Q8_0"]


def test_quality_without_a_source_is_rejected() -> None:
    assert reasons(ggufs("x-UD-Q4_K_XL.gguf", label="Q4_K_M")) == [
        "no source says how good gguf:UD-Q4_K_XL is"
    ]


@pytest.mark.parametrize("asked", ["gguf:UD-Q4_K_XL", "gguf:ud-q4_k_xl", "gguf", "quantco/child"])
def test_unless_the_workflow_asks_for_it(asked: str) -> None:
    model = replace(MODEL, variant=asked)
    (variant,) = taken(ggufs("x-UD-Q4_K_XL.gguf", label="Q4_K_M"), model=model)
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


KEYS = ("hidden_size", "num_hidden_layers", "quantization_config", "quant_method", "bits", "text_config",
        "auto_map", "model_type", "weight_map", "quantization", "config_groups", "weights", "format")  # fmt: skip
WILD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.sampled_from(
        ["fp8", "awq", "compressed-tensors", "model.safetensors", "x"]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
HEADERS = st.sampled_from(
    [WeightsHeader(rows=()), Refusal("damaged"), gguf_header(), gguf_header(kind="adapter")]
)
NAMES = st.sampled_from(
    ["config.json", "model.safetensors", "model.safetensors.index.json", "hf_quant_config.json",
     "x-Q8_0.gguf", "x-00001-of-00002.gguf", "mmproj-F16.gguf", "../x.safetensors", "a/b.gguf"]
)  # fmt: skip


def check_wild(
    paths: list[str], documents: dict[str, Json], headers: dict[str, WeightsHeader | Refusal]
) -> None:
    """Whatever a repository holds, each of its variants is taken whole or refused with a reason."""
    config = documents.get("config.json")
    if isinstance(config, dict):
        documents = {**documents, "config.json": {**CONFIG, **config}}
    found = Contents(record=CHILD, files=files(*paths), documents=documents, headers=headers)
    for base in (BASE, read_base(found)):
        variants, rejected = variants_of(found, base=base, model=MODEL, standards=STANDARDS)
        assert variants or rejected
        assert all(variant.weights_bytes > 0 for variant in variants)
        assert all(entry.reason for entry in rejected)


WILD_REPOSITORY = given(
    paths=st.lists(NAMES, unique=True),
    documents=st.dictionaries(NAMES, WILD),
    headers=st.dictionaries(NAMES, HEADERS),
)


@WILD_REPOSITORY
def test_no_repository_breaks_it(
    paths: list[str], documents: dict[str, Json], headers: dict[str, WeightsHeader | Refusal]
) -> None:
    check_wild(paths, documents, headers)


@pytest.mark.soak
@WILD_REPOSITORY
@settings(max_examples=10_000, deadline=None)
def test_no_repository_breaks_it_at_length(
    paths: list[str], documents: dict[str, Json], headers: dict[str, WeightsHeader | Refusal]
) -> None:
    check_wild(paths, documents, headers)
