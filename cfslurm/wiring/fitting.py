"""What `cfslurm models fit` is asked about: variants of a model, and the node classes of a cluster."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cfslurm.core.hardware.classes import NodeClass, node_classes
from cfslurm.core.hardware.graph import HardwareGraph
from cfslurm.core.hardware.parts import Freshness
from cfslurm.core.models.engines import Engine
from cfslurm.core.models.matrix import Best, Cell, Place, Wish, best_of, matrix
from cfslurm.core.models.sizing import check_kv_cache_dtype
from cfslurm.core.models.variants import RejectedVariant
from cfslurm.errors import UserInputError
from cfslurm.wiring import Context
from cfslurm.wiring.calibrating import knowledge
from cfslurm.wiring.sizing import (
    Found,
    engine_named,
    variants_in_catalog,
    variants_in_folder,
    variants_on_hub,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where variants and cluster come from: files where they are named, else the Hub and Slurm."""

    hardware: Path | None = None
    catalog: Path | None = None
    lists_live_s: float = 86_400.0
    freshness: Freshness = Freshness.LIMITS


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """A matrix, what it was made from, and what to try where nothing runs (empty where something does)."""

    cells: tuple[Cell, ...]
    best: Best | None
    rejected: tuple[RejectedVariant, ...]
    graph: HardwareGraph
    hint: str = ""


def fitted(
    repo: str, wish: Wish, sources: Sources, context: Context, *, say: Callable[[str], None]
) -> Fitted:
    """Look at the model and at the cluster, and put one against the other.

    Raises:
        UserInputError: there is no such model or engine, or the cluster has no GPUs.
        HubError: the model is not to be had.
        SlurmUnavailableError: slurmctld does not answer.
    """
    engines = engine_named(wish.engine, "", context)
    check_kv_cache_dtype(wish.kv_cache_dtype, engines, wish.engine)
    variants, rejected = _variants(repo, sources, context, say)
    graph = _graph(sources, context)
    classes = tuple(c for c in node_classes(graph) if c.gpu_count)
    if not classes:
        raise UserInputError(
            "no node of this cluster has GPUs that Slurm knows",
            remedy="`cfslurm info` shows what it has; `--hardware FILE` looks at another cluster.",
        )
    store = context.store(context.sources)
    place = Place(
        engines=engines,
        knowledge=knowledge(context, cluster=graph.controller.cluster),
        cached=frozenset(v.id for v in variants if store.find(v) is not None),
    )
    cells = matrix(variants, classes, wish, place)
    best = best_of(cells)
    hint = "" if best else _hint(wish, engines, classes)
    return Fitted(cells=cells, best=best, rejected=rejected, graph=graph, hint=hint)


def _hint(wish: Wish, engines: Mapping[str, Engine], classes: Sequence[NodeClass]) -> str:
    is_pretend = all(c.facts is not None and c.facts.note.startswith("pretend") for c in classes)
    if is_pretend and "pretend" in engines and wish.engine != "pretend":
        return "these GPUs are pretend, and too small for a real engine: add `--engine pretend`"
    return (
        "ask for less (`--ctx`, `--seqs`, `--min-quality`), or for another `--engine`; "
        "`cfslurm models size REPO --gpu NAME --explain` shows what takes the memory"
    )


def _graph(sources: Sources, context: Context) -> HardwareGraph:
    from cfslurm.wiring.reading import HARVEST, recorded

    if sources.hardware is not None:
        return recorded(HardwareGraph, sources.hardware, HARVEST)
    return context.harvest(sources.freshness)


def _variants(repo: str, sources: Sources, context: Context, say: Callable[[str], None]) -> Found:
    if sources.catalog is not None:
        return variants_in_catalog(repo, sources.catalog)
    if repo.startswith((".", "/", "~")) or Path(repo).is_dir():
        return variants_in_folder(Path(repo).expanduser())
    return variants_on_hub(repo, context, say=say, lists_live_s=sources.lists_live_s)
