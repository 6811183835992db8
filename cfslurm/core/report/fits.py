"""Which variants go onto which node class, in the words of the pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from cfslurm.core.hardware.classes import NodeClass
from cfslurm.core.models.engines import Engine
from cfslurm.core.models.fit import Verdict, fit
from cfslurm.core.models.serving import Serving
from cfslurm.core.models.variants import ModelCatalog, Variant
from cfslurm.core.planner.plan import Plan

# A recorded catalogue does not say what will be asked of a model.
CONTEXT_TOKENS = 8192
ASSUMED = f"What fits is counted for one sequence of {CONTEXT_TOKENS} tokens."


def fits_of_plan(plan: Plan) -> Mapping[str, tuple[str, ...]]:
    """What a plan puts onto each node class: how many items of what."""
    found: dict[str, list[str]] = {}
    for choice in plan.choices:
        gpus = f" on {_gpus(choice.gpus)}" if choice.gpus else ""
        what = f" with {choice.variant}" if choice.variant else ""
        verdict = f" ({choice.fit})" if choice.fit and choice.fit != Verdict.FITS else ""
        sentence = f"plan: {choice.items} of {choice.group}{what}{gpus}{verdict}"
        found.setdefault(choice.node_class, []).append(sentence)
    return {name: tuple(texts) for name, texts in found.items()}


def fits_of_catalog(
    catalog: ModelCatalog, classes: Sequence[NodeClass], engines: Mapping[str, Engine]
) -> Mapping[str, tuple[str, ...]]:
    """For each node class the variants that go onto it, with the fewest GPUs that do."""
    return {
        node_class.name: tuple(
            text
            for model in sorted(catalog.models)
            for variant in catalog.models[model].variants
            if (text := _fewest(model, variant, node_class, engines))
        )
        for node_class in classes
    }


def _fewest(
    model: str, variant: Variant, node_class: NodeClass, engines: Mapping[str, Engine]
) -> str:
    if node_class.facts is None:
        return ""
    for size in _sizes(node_class.gpu_count):
        serving = Serving(max_model_len=CONTEXT_TOKENS, max_num_seqs=1, tensor_parallel_size=size)
        for name in sorted(engines):
            found = fit(variant, serving, node_class.facts, engines[name], engine_name=name)
            if found.verdict is not Verdict.NO:
                tight = "" if found.verdict is Verdict.FITS else f" ({found.verdict})"
                what = variant.dtype if variant.quantization == "none" else variant.quantization
                return f"fits {model} {what} on {_gpus(size)} with {name}{tight}"
    return ""


def _sizes(count: int) -> Iterator[int]:
    size = 1
    while size <= count:
        yield size
        size *= 2


def _gpus(count: int) -> str:
    return "1 GPU" if count == 1 else f"{count} GPUs"
