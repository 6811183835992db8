"""Find the variants of a workflow's models on the Hub."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from cfslurm.core.models.candidates import BaseModel, Contents
from cfslurm.core.models.discover import is_addressable, read_base, variants_of
from cfslurm.core.models.hub import HubSearch, RepoRecord
from cfslurm.core.models.kinship import is_kin
from cfslurm.core.models.policy import Standards
from cfslurm.core.models.refusal import Refusal
from cfslurm.core.models.variants import CatalogEntry, ModelCatalog, RejectedVariant, Variant
from cfslurm.core.workflow.model import Model
from cfslurm.errors import HubAccessError, HubError, HubUnavailableError
from cfslurm.ports import Clock, Hub
from cfslurm.stages.contents import MOST_HEADERS, MOST_HEADERS_OF_NAMED, read_contents
from cfslurm.stages.retrying import retrying

_MOST_CHILDREN = 50
_MOST_OF_AN_AUTHOR = 20
_MOST_REPOSITORIES = 80
_THREADS = 4
_READERS = 6  # of headers, of which the largest models have 160
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Whom a catalogue is made from. ``progress`` is told, in words for the user, what is looked at."""

    hub: Hub
    clock: Clock
    progress: Callable[[str], None]

    def ask(self, question: Callable[[], Answer]) -> Answer:
        """Ask the Hub, again where that can help."""
        return retrying(question, clock=self.clock)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Threads:
    """Those that look at repositories, and those that read headers for them."""

    repositories: Executor
    headers: Executor


@dataclass(slots=True, kw_only=True)
class _Family:
    """The repositories that are looked at for one model, the base first, and what is to be said of it."""

    base: RepoRecord
    records: dict[str, RepoRecord] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def add(self, found: Iterable[RepoRecord]) -> None:
        for record in found:
            if len(self.records) < _MOST_REPOSITORIES:
                self.records.setdefault(record.repo_id, record)


def discover(
    models: Mapping[str, Model], *, sources: Sources, standards: Standards, discovered_at: str
) -> ModelCatalog:
    """Find the variants of every model.

    Looked at are the model itself; the most downloaded 50 that name it as the base they are quantized
    from; what its own organization and some trusted quantizers have published under its name. What was
    found and not taken is listed with the reason, also where the Hub fails for one of them. A model
    without any variant is an entry without variants, for the planner to explain.

    Raises:
        HubAccessError: a model is missing, private, or lacks the revision; or it is gated, and nobody
            else has published a variant of it.
        HubUnavailableError: the Hub does not answer, also when asked again.
    """
    with ThreadPoolExecutor(_THREADS) as repositories, ThreadPoolExecutor(_READERS) as headers:
        threads = _Threads(repositories=repositories, headers=headers)
        entries = {
            name: _entry(model, sources, standards, threads) for name, model in models.items()
        }
    return ModelCatalog(endpoint=sources.hub.endpoint, discovered_at=discovered_at, models=entries)


def _entry(model: Model, sources: Sources, standards: Standards, threads: _Threads) -> CatalogEntry:
    family = _family(model, sources, standards.policy.quantizers, threads)
    published, records = family.base, tuple(family.records.values())
    for note in family.notes:
        sources.progress(note)
    sources.progress(f"{published.repo_id}: looking at {len(records)} repositories")
    named = {published.repo_id, model.variant}
    read = tuple(
        threads.repositories.map(
            lambda record: _contents(
                record, sources, threads.headers, is_named=record.repo_id in named
            ),
            records,
        )
    )
    return _judged(model, family, read, standards)


def _family(
    model: Model, sources: Sources, quantizers: Iterable[str], threads: _Threads
) -> _Family:
    hub = sources.hub
    published = sources.ask(partial(hub.repository, model.repo, model.revision))
    family = _Family(base=published, records={published.repo_id: published})
    names = tuple(dict.fromkeys((published.repo_id, model.repo)))
    if len(names) > 1:
        family.notes.append(f"{model.repo} is now {published.repo_id}")
    if published.relation == "quantized" and published.bases:
        family.notes.append(
            f"{published.repo_id} is quantized from {published.bases[0]}: name that to see all variants"
        )
    if model.variant is not None and "/" in model.variant:
        wanted = model.variant
        if wanted not in names:
            family.add([sources.ask(partial(hub.repository, wanted, "main"))])
        return family  # nothing else is wanted
    for name in names:
        children = _found(sources, HubSearch(quantized_from=name), _MOST_CHILDREN)
        if isinstance(children, HubUnavailableError):
            raise children
        if isinstance(children, HubError):  # a mirror that has files and no lists
            family.notes.append(f"what is quantized from it cannot be listed: {children.message}")
            return family
        family.add(children)
    _add_namesakes(family, sources, quantizers, threads, names=names)
    return family


def _add_namesakes(
    family: _Family,
    sources: Sources,
    quantizers: Iterable[str],
    threads: _Threads,
    *,
    names: tuple[str, ...],
) -> None:
    """Add what the model's organization and trusted quantizers have published under its name."""
    author, _, text = family.base.repo_id.partition("/")
    authors = tuple(dict.fromkeys((author, *quantizers)))
    looked = threads.repositories.map(
        lambda name: _found(sources, HubSearch(author=name, text=text), _MOST_OF_AN_AUTHOR), authors
    )
    failed: dict[str, HubError] = {}
    for name, found in zip(authors, looked, strict=True):
        if isinstance(found, HubError):
            failed[name] = found
        else:
            family.add(record for record in found if is_kin(record, family.base, names))
    if failed:
        reason = next(iter(failed.values())).message
        family.notes.append(f"what {', '.join(failed)} published cannot be listed: {reason}")


def _found(sources: Sources, query: HubSearch, limit: int) -> tuple[RepoRecord, ...] | HubError:
    try:
        return sources.ask(partial(sources.hub.search, query, limit=limit))
    except HubError as error:
        return error


def _judged(
    model: Model,
    family: _Family,
    read: tuple[Contents | RejectedVariant | HubError, ...],
    standards: Standards,
) -> CatalogEntry:
    published = family.base
    base = _base(published, read[0])
    variants: list[Variant] = []
    rejected: list[RejectedVariant] = []
    for record, found in zip(family.records.values(), read, strict=True):
        if isinstance(found, HubError):
            # what one can do oneself: accept a licence, log in
            todo = f". {found.remedy}" if isinstance(found, HubAccessError) else ""
            reason = found.message + todo
            rejected.append(RejectedVariant(repo_id=record.repo_id, quantization="", reason=reason))
        elif isinstance(found, RejectedVariant):
            rejected.append(found)
        else:
            taken, refused = variants_of(found, base=base, model=model, standards=standards)
            variants.extend(taken)
            rejected.extend(refused)
    if isinstance(read[0], HubError) and (not variants or read[0].transient):
        raise read[0]
    variants.sort(key=lambda variant: (-variant.quality, variant.weights_bytes, variant.id))
    return CatalogEntry(
        repo_id=published.repo_id,
        revision=published.revision,
        variants=tuple(variants),
        rejected=tuple(rejected),
        notes=tuple(family.notes),
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
    record: RepoRecord, sources: Sources, readers: Executor, *, is_named: bool
) -> Contents | RejectedVariant | HubError:
    """What a repository holds, or why the Hub does not say it.

    A private repository is read only if the workflow names it: the cache is shared.
    """
    if record.is_private and not is_named:
        reason = "it is private; name it under variant: if it may lie in a shared cache"
        return RejectedVariant(repo_id=record.repo_id, quantization="", reason=reason)
    if not is_addressable(record):
        return Contents(record=record, files=())
    most = MOST_HEADERS_OF_NAMED if is_named else MOST_HEADERS
    try:
        return read_contents(record, sources.hub, sources.ask, readers=readers, most_headers=most)
    except HubError as error:
        return error
