"""Find the variants of a workflow's models on the Hub."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from cfslurm.core.models.discover import (
    BaseModel,
    Contents,
    documents_to_read,
    has_safetensors,
    is_addressable,
    read_base,
    variants_of,
)
from cfslurm.core.models.hub import RepoRecord
from cfslurm.core.models.quality import Score
from cfslurm.core.models.refusal import Refusal
from cfslurm.core.models.variants import CatalogEntry, ModelCatalog, RejectedVariant, Variant
from cfslurm.core.workflow.model import Model
from cfslurm.errors import HubError
from cfslurm.ports import Clock, Hub
from cfslurm.stages.retrying import retrying

_MOST_CHILDREN = 50
_THREADS = 4
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sources:
    hub: Hub
    scores: Mapping[str, Score]
    clock: Clock
    progress: Callable[[str], None]
    threads: Executor

    def ask(self, question: Callable[[], Answer]) -> Answer:
        """Ask the Hub, again where that can help."""
        return retrying(question, clock=self.clock)


def discover(
    models: Mapping[str, Model],
    *,
    hub: Hub,
    scores: Mapping[str, Score],
    clock: Clock,
    discovered_at: str,
    progress: Callable[[str], None],
) -> ModelCatalog:
    """Find the variants of every model: the model itself, and what names it as its base.

    Of the quantized children the most downloaded 50 are looked at. What was found and not taken is
    listed with the reason. A model without any variant is an entry without variants, for the planner
    to explain. ``progress`` is told, in words for the user, what is looked at.

    Raises:
        HubAccessError: a model is missing, private, or lacks the revision; or it is gated, and nobody
            else has published a variant of it.
        HubUnavailableError: the Hub does not answer, also when asked again.
    """
    with ThreadPoolExecutor(max_workers=_THREADS) as threads:
        sources = _Sources(hub=hub, scores=scores, clock=clock, progress=progress, threads=threads)
        entries = {name: _entry(model, sources) for name, model in models.items()}
    return ModelCatalog(endpoint=hub.endpoint, discovered_at=discovered_at, models=entries)


def _entry(model: Model, sources: _Sources) -> CatalogEntry:
    hub = sources.hub
    published = sources.ask(partial(hub.repository, model.repo, model.revision))
    children = sources.ask(lambda: hub.quantized_children(published.repo_id, limit=_MOST_CHILDREN))
    records = {record.repo_id: record for record in (published, *children)}
    if model.variant is not None and "/" in model.variant and model.variant not in records:
        wanted = model.variant
        records[wanted] = sources.ask(partial(hub.repository, wanted, "main"))
    records[published.repo_id] = published  # at the workflow's revision, also if it is listed
    sources.progress(f"{published.repo_id}: looking at {len(records)} repositories")
    named = {published.repo_id, model.variant}
    read = sources.threads.map(
        lambda record: _contents(record, sources, is_named=record.repo_id in named),
        records.values(),
    )
    return _judged(model, published, records.values(), tuple(read), sources.scores)


def _judged(
    model: Model,
    published: RepoRecord,
    records: Iterable[RepoRecord],
    read: tuple[Contents | RejectedVariant | HubError, ...],
    scores: Mapping[str, Score],
) -> CatalogEntry:
    base = _base(published, read[0])
    variants: list[Variant] = []
    rejected: list[RejectedVariant] = []
    for record, found in zip(records, read, strict=True):
        if isinstance(found, HubError):
            reason = found.message
            rejected.append(RejectedVariant(repo_id=record.repo_id, quantization="", reason=reason))
        elif isinstance(found, RejectedVariant):
            rejected.append(found)
        else:
            taken, refused = variants_of(found, base=base, model=model, scores=scores)
            variants.extend(taken)
            rejected.extend(refused)
    if not variants and isinstance(read[0], HubError):
        raise read[0]
    variants.sort(key=lambda variant: (-variant.quality, variant.weights_bytes, variant.id))
    return CatalogEntry(
        repo_id=published.repo_id,
        revision=published.revision,
        variants=tuple(variants),
        rejected=tuple(rejected),
    )


def _base(published: RepoRecord, read: Contents | RejectedVariant | HubError) -> BaseModel:
    if isinstance(read, Contents):
        return read_base(read)
    reason = read.message if isinstance(read, HubError) else read.reason
    return BaseModel(
        repo_id=published.repo_id,
        architecture=Refusal(f"the base model cannot be read: {reason}"),
        dtype="auto",
        is_quantized=False,
    )


def _contents(
    record: RepoRecord, sources: _Sources, *, is_named: bool
) -> Contents | RejectedVariant | HubError:
    """Files and configuration of a repository, or why the Hub refuses them for good.

    A private repository is read only if the workflow names it: the cache is shared.
    """
    hub, repo_id, revision = sources.hub, record.repo_id, record.revision
    if record.is_private and not is_named:
        reason = "it is private; name it under variant: if it may lie in a shared cache"
        return RejectedVariant(repo_id=repo_id, quantization="", reason=reason)
    if not is_addressable(record):
        return Contents(record=record, files=())
    try:
        files = sources.ask(partial(hub.files, repo_id, revision))
        names = documents_to_read(files) if is_named or has_safetensors(files) else ()
        documents = {
            name: sources.ask(partial(hub.read_json, repo_id, revision, name)) for name in names
        }
    except HubError as error:
        if error.transient:
            raise
        return error
    return Contents(record=record, files=files, documents=documents)
