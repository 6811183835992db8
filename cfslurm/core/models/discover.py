"""From what the Hub says of a repository to the variants that it holds, and what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from cfslurm.core.documents import Json
from cfslurm.core.models.architecture import (
    difference,
    parameters,
    read_architecture,
    read_dtype,
)
from cfslurm.core.models.files import (
    CONFIG,
    HF_QUANT_CONFIG,
    INDEX,
    model_files,
    safetensors_files,
)
from cfslurm.core.models.gguf_names import GgufGroup, gguf_groups
from cfslurm.core.models.hub import FileRecord, RepoRecord
from cfslurm.core.models.quality import Score, quality
from cfslurm.core.models.quantization import NOT_QUANTIZED, Quantization, read_quantization
from cfslurm.core.models.refusal import Refusal
from cfslurm.core.models.variants import Architecture, ModelFile, RejectedVariant, Variant
from cfslurm.core.workflow.model import Model

_REPO_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_PUBLISHED = Score(value=100.0, source="the published checkpoint")


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """A repository: its files, and the JSON files that were read, by path."""

    record: RepoRecord
    files: tuple[FileRecord, ...]
    documents: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseModel:
    """What a base model says about all its variants.

    ``is_quantized`` is True where the published checkpoint is quantized already, as FP8 and MXFP4
    models are that were trained so.
    """

    repo_id: str
    architecture: Architecture | Refusal
    dtype: str
    is_quantized: bool


Found = tuple[tuple[Variant, ...], tuple[RejectedVariant, ...]]


def is_addressable(record: RepoRecord) -> bool:
    """True if the Hub can be asked about it: ``ORG/NAME`` at a 40-digit commit."""
    names = _REPO_ID.fullmatch(record.repo_id)
    return names is not None and _COMMIT.fullmatch(record.revision) is not None


def documents_to_read(files: Sequence[FileRecord]) -> tuple[str, ...]:
    """The JSON files that tell what a repository with safetensors weights holds."""
    paths = {file.path for file in files}
    return tuple(name for name in (CONFIG, HF_QUANT_CONFIG, INDEX) if name in paths)


def has_safetensors(files: Sequence[FileRecord]) -> bool:
    """False for repositories that hold only GGUF files or pickles."""
    return any(file.path.endswith(".safetensors") for file in files)


def read_base(contents: Contents) -> BaseModel:
    """The base model's architecture, with its parameters where its weights tell them."""
    config = contents.documents.get(CONFIG)
    found: Architecture | Refusal = Refusal("the base model has no config.json")
    if config is not None:
        found = read_architecture(config)
    quantization = read_quantization(config, contents.documents.get(HF_QUANT_CONFIG))
    dtype = read_dtype(config)
    files = safetensors_files(contents.files, contents.documents.get(INDEX))
    if (
        isinstance(found, Architecture)
        and not isinstance(files, Refusal)
        and quantization == NOT_QUANTIZED
    ):
        size = sum(file.size_bytes for file in files if file.is_weights)
        found = replace(found, parameters=parameters(size, dtype))
    return BaseModel(
        repo_id=contents.record.repo_id,
        architecture=found,
        dtype=dtype,
        is_quantized=quantization != NOT_QUANTIZED,
    )


def variants_of(
    contents: Contents, *, base: BaseModel, model: Model, scores: Mapping[str, Score]
) -> Found:
    """The variants of one repository that the workflow may use, and what was rejected and why."""
    record = contents.record
    if not is_addressable(record):
        return (), (_rejected(record, "", "its name or its commit is none that the Hub gives"),)
    variants: list[Variant] = []
    rejected: list[RejectedVariant] = []
    for quantization, found in _candidates(contents, base):
        judged = found if isinstance(found, Refusal) else _judged(found, base, model, scores)
        if isinstance(judged, Refusal):
            rejected.append(_rejected(record, quantization, judged.reason))
        else:
            variants.append(judged)
    return tuple(variants), tuple(rejected)


def unwanted(variant: Variant, model: Model) -> str:
    """Why the workflow does not want a variant; empty if it does."""
    if model.variant is not None:
        names = {variant.repo_id, variant.quantization.lower(), variant.family}
        asked = model.variant if "/" in model.variant else model.variant.lower()
        return "" if asked in names else f"the workflow asks for {model.variant}"
    if model.allow and variant.family not in model.allow:
        return f"the workflow allows only {', '.join(model.allow)}"
    return ""


def _rejected(record: RepoRecord, quantization: str, reason: str) -> RejectedVariant:
    return RejectedVariant(repo_id=record.repo_id[:200], quantization=quantization, reason=reason)


def _candidates(contents: Contents, base: BaseModel) -> Iterator[tuple[str, Variant | Refusal]]:
    """All variants of a repository with the quality still open, and refusals, by quantization."""
    groups, refused = gguf_groups(contents.files)
    if has_safetensors(contents.files) or not (groups or refused):
        yield _safetensors(contents, base)
    for group in groups:
        yield f"gguf:{group.label}", _gguf(contents.record, group, base)
    for label, refusal in refused:
        yield f"gguf:{label}", refusal


def _safetensors(contents: Contents, base: BaseModel) -> tuple[str, Variant | Refusal]:
    record, documents = contents.record, contents.documents
    config = documents.get(CONFIG)
    files = safetensors_files(contents.files, documents.get(INDEX))
    if isinstance(files, Refusal):
        return "", files
    if not isinstance(config, dict):
        return "", Refusal("it has no config.json")
    quantization = read_quantization(config, documents.get(HF_QUANT_CONFIG))
    if isinstance(quantization, Refusal):
        return "", quantization
    return quantization.family, _described(record, config, quantization, files, base)


def _described(
    record: RepoRecord,
    config: Mapping[str, Json],
    quantization: Quantization,
    files: tuple[ModelFile, ...],
    base: BaseModel,
) -> Variant | Refusal:
    if config.get("auto_map"):
        return Refusal("it needs code from the repository, which cfslurm does not run")
    architecture = read_architecture(dict(config))
    if isinstance(architecture, Refusal):
        return architecture
    if isinstance(base.architecture, Architecture):
        if other := difference(architecture, base.architecture):
            return Refusal(f"it is another model: {other}")
        architecture = replace(architecture, parameters=base.architecture.parameters)
    is_base = record.repo_id == base.repo_id
    if quantization == NOT_QUANTIZED and not is_base and not base.is_quantized:
        return Refusal("it is not quantized, although it says so")
    return _variant(record, quantization, files, architecture, read_dtype(dict(config)))


def _gguf(record: RepoRecord, group: GgufGroup, base: BaseModel) -> Variant | Refusal:
    files = model_files(group.files, weights=[file.path for file in group.files])
    if isinstance(files, Refusal):
        return files
    if isinstance(base.architecture, Refusal):
        return Refusal(f"its size in use is unknown: {base.architecture.reason}")
    quantization = Quantization(family=f"gguf:{group.label}")
    return _variant(record, quantization, files, base.architecture, base.dtype)


def _variant(
    record: RepoRecord,
    quantization: Quantization,
    files: tuple[ModelFile, ...],
    architecture: Architecture,
    dtype: str,
) -> Variant:
    return Variant(
        repo_id=record.repo_id,
        revision=record.revision,
        quantization=quantization.family,
        dtype=dtype,
        files=files,
        architecture=architecture,
        quality=0.0,
        quality_source="",
        group_size=quantization.group_size,
        is_gated=record.is_gated,
        is_private=record.is_private,
        licence=record.licence,
    )


def _judged(
    variant: Variant, base: BaseModel, model: Model, scores: Mapping[str, Score]
) -> Variant | Refusal:
    """The variant with its quality; refused if the workflow does not want it.

    The base model's own checkpoint is 100 whatever it is stored in. A quantization that no source
    speaks of is taken only if the workflow asks for it by name, and counts as 0.
    """
    if reason := unwanted(variant, model):
        return Refusal(reason)
    is_published = variant.repo_id == base.repo_id and variant.family != "gguf"
    score = _PUBLISHED
    if not is_published:
        found = quality(variant.quantization, variant.architecture.parameters, scores)
        if found is None and model.variant is None:
            return Refusal(f"no source says how good {variant.quantization} is")
        score = found or Score(value=0.0, source="no source; the workflow asks for it")
    return replace(variant, quality=score.value, quality_source=score.source)
