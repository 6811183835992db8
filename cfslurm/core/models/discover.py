"""From what the Hub says of repositories to variants that may be used; of the rest, what is wrong."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from cfslurm.core.models.architecture import parameters, read_architecture, read_dtype
from cfslurm.core.models.candidates import BaseModel, Contents, candidates
from cfslurm.core.models.files import CONFIG, HF_QUANT_CONFIG, INDEX, safetensors_files
from cfslurm.core.models.headers import WeightsHeader, summarize
from cfslurm.core.models.hub import FileRecord, RepoRecord
from cfslurm.core.models.policy import Standards, forbidden
from cfslurm.core.models.quality import Score, quality, with_own_scores
from cfslurm.core.models.quantization import NOT_QUANTIZED, read_quantization
from cfslurm.core.models.refusal import Refusal
from cfslurm.core.models.variants import Architecture, RejectedVariant, Variant
from cfslurm.core.workflow.model import Model

_REPO_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_PUBLISHED = Score(value=100.0, source="the published checkpoint")

Found = tuple[tuple[Variant, ...], tuple[RejectedVariant, ...]]


def is_addressable(record: RepoRecord) -> bool:
    """True if the Hub can be asked about it: ``ORG/NAME`` at a 40-digit commit."""
    names = _REPO_ID.fullmatch(record.repo_id)
    return names is not None and _COMMIT.fullmatch(record.revision) is not None


def documents_to_read(files: Sequence[FileRecord]) -> tuple[str, ...]:
    """The JSON files that tell what a repository with safetensors weights holds."""
    paths = {file.path for file in files}
    return tuple(name for name in (CONFIG, HF_QUANT_CONFIG, INDEX) if name in paths)


def read_base(contents: Contents) -> BaseModel:
    """The base model's architecture, with its parameters where its weights tell them."""
    config = contents.documents.get(CONFIG)
    found: Architecture | Refusal = Refusal("the base model has no config.json")
    if config is not None:
        found = read_architecture(config)
    quantization = read_quantization(config, contents.documents.get(HF_QUANT_CONFIG))
    if isinstance(found, Architecture) and not isinstance(quantization, Refusal):
        count = _parameters(contents, found, bits=quantization.bits)
        if count is None and quantization == NOT_QUANTIZED:
            count = parameters(_weights_bytes(contents), read_dtype(config))
        found = replace(found, parameters=count)
    return BaseModel(
        repo_id=contents.record.repo_id,
        architecture=found,
        dtype=read_dtype(config),
        is_quantized=quantization != NOT_QUANTIZED,
        template=contents.template,
    )


def _weights_bytes(contents: Contents) -> int:
    files = safetensors_files(contents.files, contents.documents.get(INDEX))
    return 0 if isinstance(files, Refusal) else sum(f.size_bytes for f in files if f.is_weights)


def _parameters(contents: Contents, architecture: Architecture, *, bits: int) -> int | None:
    """How many numbers the headers of the weights count; None unless all of them were read."""
    files = safetensors_files(contents.files, contents.documents.get(INDEX))
    if isinstance(files, Refusal):
        return None
    read = [contents.headers.get(file.path) for file in files if file.is_weights]
    headers = [header for header in read if isinstance(header, WeightsHeader)]
    if len(headers) < len(read):
        return None
    layers = architecture.num_hidden_layers
    return summarize(headers, bits=bits, num_hidden_layers=layers).parameters


def variants_of(
    contents: Contents, *, base: BaseModel, model: Model, standards: Standards
) -> Found:
    """The variants of one repository that may be used, and what was rejected and why."""
    record = contents.record
    if not is_addressable(record):
        return (), (_rejected(record, "", "its name or its commit is none that the Hub gives"),)
    variants: list[Variant] = []
    rejected: list[RejectedVariant] = []
    for quantization, found in candidates(contents, base):
        judged = found if isinstance(found, Refusal) else _judged(found, base, model, standards)
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


def _judged(
    variant: Variant, base: BaseModel, model: Model, standards: Standards
) -> Variant | Refusal:
    """The variant with its quality; refused if policy forbids it or the workflow does not want it.

    The base model's own checkpoint is 100 whatever it is stored in. A quantization that no source
    speaks of is taken only if the workflow asks for it by name, and counts as 0.
    """
    if reason := forbidden(variant, standards.policy) or unwanted(variant, model):
        return Refusal(reason)
    is_published = variant.repo_id == base.repo_id and variant.family != "gguf"
    score = _PUBLISHED
    if not is_published:
        scores = with_own_scores(standards.scores, model.quality, source="the workflow")
        size, repo_id = variant.architecture.parameters, variant.repo_id
        found = quality(variant.quantization, size, scores, repo_id=repo_id)
        if found is None and model.variant is None:
            return Refusal(f"no source says how good {variant.quantization} is")
        score = found or Score(value=0.0, source="no source; the workflow asks for it")
    return replace(variant, quality=score.value, quality_source=score.source)
