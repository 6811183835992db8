"""The variants of a model that somebody names on the command line."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from cfslurm.adapters.known_models import remember
from cfslurm.core.models.variants import CatalogEntry, Variant
from cfslurm.core.workflow.model import Model
from cfslurm.errors import HubAccessError, UserInputError
from cfslurm.ports import Hub
from cfslurm.stages.catalogue import Sources, discover
from cfslurm.wiring import Context

Say = Callable[[str], None]


def find(model: Model, context: Context, *, say: Say, lists_live_s: float) -> CatalogEntry:
    """All variants of a model, with what was found and not taken.

    Raises:
        UserInputError: its name is none.
        HubError: the model is not to be had.
    """
    hub = context.hub(context.sources, lists_live_s=lists_live_s)
    return _find(model, hub, context, say)


def find_one(name: str, context: Context, *, say: Say, lists_live_s: float) -> Variant:
    """The variant that a name means: ``ORG/NAME``, or ``ORG/NAME@QUANTIZATION`` where it has several.

    Raises:
        UserInputError: there is none, it cannot be used, or there are several.
        HubError: the repository is not to be had.
    """
    hub = context.hub(context.sources, lists_live_s=lists_live_s)
    repo, _, quantization = name.partition("@")
    _check_name(repo)
    sources = Sources(hub=hub, clock=context.clock, progress=say)
    record = sources.ask(partial(hub.repository, repo, "main"))
    entry = None
    for base in record.bases[:1]:
        try:
            entry = _find(Model(repo=base, variant=record.repo_id), hub, context, say)
        except HubAccessError:  # gone or closed: the repository speaks for itself
            entry = None
    model = Model(repo=record.repo_id, variant=record.repo_id)
    entry = entry or _find(model, hub, context, say)
    own = [v for v in entry.variants if v.repo_id == record.repo_id]
    wanted = quantization.lower()
    found = [v for v in own if wanted in {"", v.quantization.lower(), v.label.lower()}]
    if len(found) == 1:
        return found[0]
    if own:
        count = (
            f"has {len(own)} variants" if not quantization else f"has no variant {quantization!r}"
        )
        raise UserInputError(
            f"{record.repo_id} {count}",
            remedy=f"Name one of: {', '.join(v.id for v in own)}. `cfslurm models find "
            f"{entry.repo_id}` shows those of others.",
        )
    raise UserInputError(
        f"{record.repo_id} has no variant that can be used: {_reasons(entry, record.repo_id)}",
        remedy=f"`cfslurm models find {(record.bases or (record.repo_id,))[0]}` shows others.",
    )


def _find(model: Model, hub: Hub, context: Context, say: Say) -> CatalogEntry:
    _check_name(model.repo)
    catalog = discover(
        {"model": model},
        sources=Sources(hub=hub, clock=context.clock, progress=say),
        standards=context.standards,
        discovered_at=context.utc(),
    )
    entry = catalog.models["model"]
    remember(context.cache_folder, [entry.repo_id, *(v.repo_id for v in entry.variants)])
    return entry


def _check_name(repo: str) -> None:
    if repo.count("/") != 1 or not all(repo.split("/")):
        raise UserInputError(
            f"{repo[:100]!r} is no name of a model on the Hub",
            remedy="Write ORG/NAME, for example Qwen/Qwen3-8B.",
        )


def _reasons(entry: CatalogEntry, repo_id: str) -> str:
    reasons = dict.fromkeys(r.reason for r in entry.rejected if r.repo_id == repo_id)
    return "; ".join(list(reasons)[:5]) or "it has no weights"
