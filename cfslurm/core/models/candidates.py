"""What a repository holds: variants whose quality is still open, and what cannot be used, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from cfslurm.core.documents import Json
from cfslurm.core.models.architecture import difference, read_architecture, read_dtype
from cfslurm.core.models.files import (
    CONFIG,
    HF_QUANT_CONFIG,
    INDEX,
    model_files,
    safetensors_files,
)
from cfslurm.core.models.gguf_architecture import difference_to, gguf_architecture
from cfslurm.core.models.gguf_kind import gguf_kind, no_model
from cfslurm.core.models.gguf_names import GgufGroup, gguf_groups, projectors
from cfslurm.core.models.headers import WeightsHeader, summarize
from cfslurm.core.models.hub import FileRecord, RepoRecord, Security
from cfslurm.core.models.native import has_code, needs_code
from cfslurm.core.models.quantization import NOT_QUANTIZED, Quantization, read_quantization
from cfslurm.core.models.refusal import Refusal
from cfslurm.core.models.variants import Architecture, ModelFile, Variant

_NOT_COMPARED = "it could not be compared with the base model, whose configuration cannot be read"
_TEMPLATE_DIFFERS = "its chat template is not that of the base model"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """A repository: its files, and what was read of them.

    ``documents`` are JSON files by path; ``headers`` those of weight files by path, as far as they
    were read. ``template`` is the digest of its chat template, empty where it has none.
    """

    record: RepoRecord
    files: tuple[FileRecord, ...]
    documents: Mapping[str, Json] = field(default_factory=dict)
    headers: Mapping[str, WeightsHeader | Refusal] = field(default_factory=dict)
    template: str = ""
    security: Security = field(default_factory=Security)


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseModel:
    """What a base model says about all its variants.

    ``is_quantized`` is True where the published checkpoint is quantized already, as FP8 and MXFP4
    models are that were trained so. ``template`` is the digest of its chat template.
    """

    repo_id: str
    architecture: Architecture | Refusal
    dtype: str
    is_quantized: bool
    template: str = ""


def candidates(contents: Contents, base: BaseModel) -> Iterator[tuple[str, Variant | Refusal]]:
    """All variants of a repository with the quality still open, and refusals, by quantization."""
    groups, refused = gguf_groups(contents.files)
    if has_safetensors(contents.files) or not (groups or refused):
        yield _safetensors(contents, base)
    seen: dict[str, str] = {}
    for group in groups:
        label, found = _gguf(contents, group, base)
        first = group.files[0].path[:80]
        if not isinstance(found, Refusal) and label in seen:
            found = Refusal(f"{seen[label]!r} has the same quantization as {first!r}")
        seen.setdefault(label, first)
        yield f"gguf:{label or first}", found
    for label, refusal in refused:
        yield f"gguf:{label}", refusal


def has_safetensors(files: tuple[FileRecord, ...]) -> bool:
    """False for repositories that hold only GGUF files or pickles."""
    return any(file.path.endswith(".safetensors") for file in files)


def headers_to_read(contents: Contents, *, most: int) -> tuple[FileRecord, ...]:
    """The weight files whose headers are worth a question each; never more than about ``most``.

    A checkpoint in more shards is counted by its files alone. Of a GGUF file in parts the first part
    tells which quantization it is, so it is read in any case.
    """
    found = safetensors_files(contents.files, contents.documents.get(INDEX))
    shards = () if isinstance(found, Refusal) else tuple(f.path for f in found if f.is_weights)
    groups, _ = gguf_groups(contents.files)
    parts = tuple(file.path for group in groups for file in group.files)
    first = tuple(group.files[0].path for group in groups)[: 2 * most]
    wanted = {
        *(shards if len(shards) <= most else ()),
        *(parts if len(parts) <= most else first),
    }
    return tuple(file for file in contents.files if file.path in wanted)


def _safetensors(contents: Contents, base: BaseModel) -> tuple[str, Variant | Refusal]:
    documents = contents.documents
    config = documents.get(CONFIG)
    files = safetensors_files(contents.files, documents.get(INDEX))
    if isinstance(files, Refusal):
        return "", files
    if not isinstance(config, dict):
        return "", Refusal("it has no config.json")
    quantization = read_quantization(config, documents.get(HF_QUANT_CONFIG))
    if isinstance(quantization, Refusal):
        return "", quantization
    return quantization.family, _described(contents, config, quantization, files, base)


def _described(
    contents: Contents,
    config: Mapping[str, Json],
    quantization: Quantization,
    files: tuple[ModelFile, ...],
    base: BaseModel,
) -> Variant | Refusal:
    if needs_code(config):
        return Refusal("it needs code from the repository, which cfslurm does not run")
    architecture = read_architecture(dict(config))
    if isinstance(architecture, Refusal):
        return architecture
    if isinstance(base.architecture, Architecture):
        if other := difference(architecture, base.architecture):
            return Refusal(f"it is another model: {other}")
        architecture = replace(architecture, parameters=base.architecture.parameters)
    is_base = contents.record.repo_id == base.repo_id
    if quantization == NOT_QUANTIZED and not is_base and not base.is_quantized:
        return Refusal("it is not quantized, although it says so")
    notes = ["the code in its repository is left out"] if has_code(config) else []
    if isinstance(base.architecture, Refusal) and contents.record.repo_id != base.repo_id:
        notes.append(_NOT_COMPARED)
    if base.template and contents.template not in ("", base.template):
        notes.append(_TEMPLATE_DIFFERS)
    notes += _warnings(contents, files)
    variant = _variant(contents, quantization, files, architecture)
    return _with_headers(
        replace(variant, dtype=read_dtype(dict(config)), notes=tuple(notes)), contents, quantization
    )


def _gguf(contents: Contents, group: GgufGroup, base: BaseModel) -> tuple[str, Variant | Refusal]:
    files = model_files(group.files, weights=[file.path for file in group.files])
    if isinstance(files, Refusal):
        return group.label, files
    headers = [contents.headers.get(file.path) for file in group.files]
    wrong = next((header for header in headers if isinstance(header, Refusal)), None)
    if wrong is not None:
        return group.label, wrong
    read = [header for header in headers if isinstance(header, WeightsHeader)]
    if headers[0] is None:
        return group.label, Refusal("its header was not read: the repository has too many files")
    kind = gguf_kind(group.label, read)
    if isinstance(kind, Refusal):
        return group.label, kind
    label, note = kind
    architecture = _gguf_shape(read, group, base)
    if isinstance(architecture, Refusal):
        return label, architecture
    variant = _variant(contents, Quantization(family=f"gguf:{label}"), files, architecture)
    facts = read[0].gguf
    template = facts.chat_template_sha256 if facts else ""
    sees = isinstance(base.architecture, Architecture) and base.architecture.vision_hidden_size
    others = projectors(contents.files) if sees else ()
    notes = (
        note,
        _NOT_COMPARED if isinstance(base.architecture, Refusal) else "",
        _TEMPLATE_DIFFERS if base.template and template not in ("", base.template) else "",
        f"the projector {others[0][:80]} is left out: it reads text only" if others else "",
    )
    told = (*(text for text in notes if text), *_warnings(contents, files))
    variant = replace(variant, dtype=base.dtype, notes=told)
    return label, _with_headers(variant, contents, NOT_QUANTIZED)


def _gguf_shape(
    headers: list[WeightsHeader], group: GgufGroup, base: BaseModel
) -> Architecture | Refusal:
    """The architecture of the base, if the header agrees; the header's own where the base tells none."""
    facts = [header.gguf for header in headers if header.gguf]
    if len(facts) < len(headers):
        return Refusal("it is no GGUF file")
    if reason := no_model(facts[0]):
        return Refusal(reason)
    told = [fact.split_number for fact in facts]
    if facts[0].split_count != len(group.files) or told != list(range(len(facts))):
        return Refusal(
            f"its header speaks of {facts[0].split_count} parts, its name of {len(group.files)}"
        )
    own = gguf_architecture(facts[0])
    if isinstance(base.architecture, Refusal):
        return own
    if isinstance(own, Refusal) and "impossible" in own.reason:
        return own
    if other := difference_to(facts[0], base.architecture):
        return Refusal(f"it is another model: {other}")
    return base.architecture


def _warnings(contents: Contents, files: tuple[ModelFile, ...]) -> Iterator[str]:
    """What the Hub's scanners have against the repository, and whether that would be fetched."""
    taken = {file.path for file in files}
    named = sorted(contents.security.files, key=lambda path: (path not in taken, path))
    if named:
        more = f" and {len(named) - 1} more" if len(named) > 1 else ""
        fetched = "is fetched" if named[0] in taken else "is not fetched"
        yield f"the Hub's scanners warn of {named[0][:80]}, which {fetched}{more}"


def _variant(
    contents: Contents,
    quantization: Quantization,
    files: tuple[ModelFile, ...],
    architecture: Architecture,
) -> Variant:
    record = contents.record
    return Variant(
        repo_id=record.repo_id,
        revision=record.revision,
        quantization=quantization.family,
        dtype="auto",
        files=files,
        architecture=architecture,
        quality=0.0,
        quality_source="",
        group_size=quantization.group_size,
        is_gated=record.is_gated,
        is_private=record.is_private,
        licence=record.licence,
        security=contents.security.status,
    )


def _with_headers(
    variant: Variant, contents: Contents, quantization: Quantization
) -> Variant | Refusal:
    """The variant with what the headers of its weights tell, if all of them were read."""
    headers = []
    for file in variant.files:
        if not file.is_weights:
            continue
        header = contents.headers.get(file.path)
        if isinstance(header, Refusal):
            return Refusal(f"{file.path[:80]}: {header.reason}")
        if header is None:
            return variant
        headers.append(header)
    weights = summarize(
        headers,
        bits=quantization.bits,
        num_hidden_layers=variant.architecture.num_hidden_layers,
    )
    shape = variant.architecture
    if shape.parameters is None:
        shape = replace(shape, parameters=weights.parameters)
    return replace(variant, weights=weights, architecture=shape)
