"""What `cfslurm models size` is asked about: variants of a model, and a GPU."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from cfslurm.adapters.local_model import read_folder
from cfslurm.core.hardware.gpus import GpuFacts, Source
from cfslurm.core.hardware.graph import HardwareGraph
from cfslurm.core.models.candidates import candidates
from cfslurm.core.models.discover import read_base
from cfslurm.core.models.engines import Engine
from cfslurm.core.models.refusal import Refusal
from cfslurm.core.models.variants import ModelCatalog, RejectedVariant, Variant
from cfslurm.core.workflow.model import Model
from cfslurm.errors import SlurmError, UserInputError
from cfslurm.wiring import Context

Found = tuple[tuple[Variant, ...], tuple[RejectedVariant, ...]]


def variants_in_folder(folder: Path) -> Found:
    """The variants that lie in a folder, none of them judged.

    Raises:
        UserInputError: it holds no model that can be read.
    """
    contents = read_folder(folder)
    variants: list[Variant] = []
    rejected: list[RejectedVariant] = []
    for quantization, found in candidates(contents, read_base(contents)):
        if isinstance(found, Refusal):
            repo_id = contents.record.repo_id
            refused = RejectedVariant(
                repo_id=repo_id, quantization=quantization, reason=found.reason
            )
            rejected.append(refused)
        else:
            variants.append(found)
    return tuple(variants), tuple(rejected)


def variants_in_catalog(name: str, file: Path) -> Found:
    """The variants of a recorded model, by its name in the workflow or its repository.

    Raises:
        UserInputError: the file is no catalogue, or has no such model.
    """
    from cfslurm.wiring.reading import recorded

    catalog = recorded(ModelCatalog, file, "cfslurm plan --save-catalog catalog.json")
    for known, entry in catalog.models.items():
        if name in {known, entry.repo_id}:
            return entry.variants, entry.rejected
    names = ", ".join(sorted(catalog.models)) or "none"
    raise UserInputError(f"{file} has no model {name!r}", remedy=f"It has: {names}.")


def variants_on_hub(
    name: str, context: Context, *, say: Callable[[str], None], lists_live_s: float
) -> Found:
    """The variants of a model on the Hub; one of them for ``ORG/NAME@QUANTIZATION``.

    Raises:
        UserInputError: the name is none.
        HubError: the model is not to be had.
    """
    from cfslurm.wiring.models import find, find_one

    if "@" in name:
        return (find_one(name, context, say=say, lists_live_s=lists_live_s),), ()
    entry = find(Model(repo=name), context, say=say, lists_live_s=lists_live_s)
    return entry.variants, entry.rejected


def gpu_named(name: str, context: Context) -> tuple[GpuFacts, HardwareGraph | None]:
    """A card of the catalogue by one of its names; else that of a node class or GPU type of the cluster.

    A name that is neither is taken for the card that it is a part of, which the note of the card says.
    The cluster comes with a card that it has told of, and with no other.

    Raises:
        UserInputError: nothing goes by that name, as far as the cluster can be asked.
    """
    from cfslurm.adapters.resources import shipped_text
    from cfslurm.core.hardware.classes import node_classes
    from cfslurm.core.hardware.gpus import cards_named, identify, read_catalogue
    from cfslurm.core.hardware.parts import Freshness

    catalogue = read_catalogue(shipped_text("core/hardware/gpus.csv"))
    found = identify(name, (), catalogue)
    if cards_named(name, catalogue) and name not in context.site.gpu_types:
        return found, None
    try:
        graph = context.harvest(Freshness.LIMITS)
    except SlurmError:  # no cluster here: the catalogue is all there is
        graph = None
    classes = node_classes(graph) if graph else ()
    for node_class in classes:
        if name in {node_class.name, node_class.gpu_type} and node_class.facts is not None:
            return node_class.facts, graph
    if found.source is not Source.UNKNOWN:
        return found, None
    known = [*catalogue.cards, *(c.name for c in classes if c.gpu_count)]
    near = difflib.get_close_matches(name, known, n=3)
    raise UserInputError(
        f"there is no GPU {name[:60]!r}",
        remedy=f"Write a card like {', '.join(near or ['rtx4090', 'a100_80', 'h100'])}, or a node "
        "class of this cluster (`cfslurm info`).",
    )


def engine_named(name: str, version: str, context: Context) -> dict[str, Engine]:
    """The engines of this site; one of them in another version if one is named.

    Raises:
        UserInputError: there is no such engine, or what is named is no version.
    """
    engines = dict(context.engines())
    if name and name not in engines:
        raise UserInputError(
            f"there is no engine {name[:60]!r}",
            remedy=f"Write one of {', '.join(sorted(engines))}.",
        )
    if version and not re.fullmatch(r"[bv]?\d{1,9}(\.\w{1,20}){0,5}", version, re.ASCII):
        raise UserInputError(
            f"{version[:60]!r} is no version of an engine",
            remedy="Write 0.11.2, or b6000 for llama.cpp.",
        )
    if version:
        chosen = name or "vllm"
        engines[chosen] = replace(engines[chosen], version=version)
    return engines
