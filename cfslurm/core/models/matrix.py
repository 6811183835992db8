"""What runs where, how fast and how good: variants of a model against the node classes of a cluster."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from cfslurm.core.documents import STRICT
from cfslurm.core.hardware.classes import NodeClass
from cfslurm.core.hardware.gpus import GpuFacts
from cfslurm.core.models.calibration import Basis, Quantity, Subject
from cfslurm.core.models.engines import Engine
from cfslurm.core.models.fit import Fit, Verdict, fit
from cfslurm.core.models.kv_cache import ELEMENT_BYTES
from cfslurm.core.models.rates import Deployment, Load, Range, Rates, rates
from cfslurm.core.models.serving import Serving
from cfslurm.core.models.sizing import usual_engine
from cfslurm.core.models.speed import Knowledge
from cfslurm.core.models.variants import Variant
from cfslurm.core.slurm.units import MIB

# Scores closer than this are not told apart: they are a heuristic.
_SAME_QUALITY = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is asked of every variant.

    ``engine`` is empty for the usual one of a variant's format. The speed is that of requests of
    ``tokens_in`` and ``tokens_out``, as many at once as ``max_num_seqs``.
    """

    __pydantic_config__ = STRICT

    max_model_len: int
    max_num_seqs: int = 1
    kv_cache_dtype: str = "auto"
    engine: str = ""
    min_quality: float = 0.0
    tokens_in: int = 512
    tokens_out: int = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A variant on a node class, over the fewest GPUs of a node that hold it.

    ``reason`` says why it does not go there, and is empty where it does; then ``gpus`` is 0. The speed
    is None where it does not go. ``samples`` counts the finished work that corrected the speed.

    Units: ``tokens_per_s`` while decoding, all sequences together; ``ttft_s`` until all of them have
        their first token; bytes are on each GPU.
    """

    __pydantic_config__ = STRICT

    variant: str
    quantization: str
    node_class: str
    gpu: str
    nodes: int
    gpus: int
    engine: str
    verdict: Verdict
    quality: float
    quality_source: str
    is_cached: bool
    need_bytes: int = 0
    limit_bytes: int = 0
    tokens_per_s: Range | None = None
    ttft_s: float = 0.0
    samples: int = 0
    basis: str = ""
    reason: str = ""

    @property
    def rate(self) -> float:
        """The likely tokens/s, 0 where it does not go."""
        return self.tokens_per_s.likely if self.tokens_per_s else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Best:
    """The cell to take if one has no other wishes, and why."""

    __pydantic_config__ = STRICT

    variant: str
    node_class: str
    gpus: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What a matrix is made for: engines, what is known of speeds, and which variants are cached."""

    engines: Mapping[str, Engine]
    knowledge: Knowledge
    cached: frozenset[str] = frozenset()


def matrix(
    variants: Sequence[Variant], classes: Sequence[NodeClass], wish: Wish, place: Place
) -> tuple[Cell, ...]:
    """One cell for each variant and node class with GPUs.

    Sorted: variants by quality, the best first; of each first where it goes, the fastest first.
    """
    cells = [
        _cell(variant, node_class, wish, place)
        for variant in variants
        for node_class in classes
        if node_class.gpu_count and node_class.facts is not None
    ]
    return tuple(
        sorted(cells, key=lambda c: (-c.quality, c.variant, bool(c.reason), -c.rate, c.node_class))
    )


def best_of(cells: Sequence[Cell]) -> Best | None:
    """Of the best quality that fits anywhere, give or take a point, what is fastest for its GPUs.

    What fits only tightly is taken where nothing else does.
    """
    going = [cell for cell in cells if not cell.reason]
    safe = [cell for cell in going if cell.verdict is Verdict.FITS] or going
    if not safe:
        return None
    top = max(cell.quality for cell in safe)
    good = [cell for cell in safe if cell.quality >= top - _SAME_QUALITY]
    best = max(
        good,
        key=lambda c: (c.rate / c.gpus, c.is_cached, c.quality, c.nodes, c.variant, c.node_class),
    )
    why = [
        "the best quality that fits"
        if best.quality == top
        else f"quality within {_SAME_QUALITY:g} of the best that fits ({top:g})"
    ]
    if len(good) > 1:
        why.append(f"the most tokens/s for each GPU of {len(good)} such ways")
    if best.verdict is not Verdict.FITS:
        why.append("tight: nothing fits with room to spare")
    return Best(
        variant=best.variant, node_class=best.node_class, gpus=best.gpus, why="; ".join(why)
    )


def _cell(variant: Variant, node_class: NodeClass, wish: Wish, place: Place) -> Cell:
    assert node_class.facts is not None
    engine = wish.engine or usual_engine(variant)
    cell = Cell(
        variant=variant.id,
        quantization=variant.quantization,
        node_class=node_class.name,
        gpu=node_class.facts.key,
        nodes=len(node_class.node_names),
        gpus=0,
        engine=engine,
        verdict=Verdict.NO,
        quality=variant.quality,
        quality_source=variant.quality_source,
        is_cached=variant.id in place.cached,
    )
    if variant.quality < wish.min_quality:
        return replace(cell, reason=f"quality below {wish.min_quality:g}")
    found = _smallest(variant, node_class.facts, node_class.gpu_count, wish, place, engine)
    if found.reason:
        return replace(
            cell, reason=found.reason, need_bytes=found.need_bytes, limit_bytes=found.limit_bytes
        )
    return _with_speed(cell, found, variant, node_class.facts, wish, place)


def _sizes(variant: Variant, gpu: GpuFacts, gpu_count: int) -> Iterator[int]:
    """1, 2, 4 … GPUs; not so few that the weights alone are more than their memory, unless all are.

    Engines load 32-bit weights in 16 bit.
    """
    least = variant.weights_bytes // (2 if variant.dtype == "float32" else 1)
    size = 1
    while size <= gpu_count:
        if least <= size * gpu.memory_mib * MIB or 2 * size > gpu_count:
            yield size
        size *= 2


def _smallest(
    variant: Variant, gpu: GpuFacts, gpu_count: int, wish: Wish, place: Place, engine: str
) -> Fit:
    """The fit over the fewest GPUs that hold it with room; tight over fewer counts where none does."""
    tight: Fit | None = None
    last: Fit | None = None
    for size in _sizes(variant, gpu, gpu_count):
        serving = Serving(
            max_model_len=wish.max_model_len,
            max_num_seqs=wish.max_num_seqs,
            tensor_parallel_size=size,
            kv_cache_dtype=wish.kv_cache_dtype,
        )
        found = fit(variant, serving, gpu, place.engines[engine], engine_name=engine)
        if found.verdict is Verdict.FITS:
            return found
        if found.verdict is Verdict.TIGHT:
            tight = tight or found
        elif last is not None and found.reason == last.reason:
            break  # what is wrong does not depend on the number of GPUs
        else:
            last = _nearer(last, found)
    chosen = tight or last
    assert chosen is not None
    return chosen


def _nearer(last: Fit | None, found: Fit) -> Fit:
    """The refusal that says more: how much memory is missing at most GPUs, not that heads do not split."""
    if last is not None and "too much" in last.reason and "too much" not in found.reason:
        return last
    return found


def _with_speed(
    cell: Cell, found: Fit, variant: Variant, gpu: GpuFacts, wish: Wish, place: Place
) -> Cell:
    engine = place.engines[cell.engine]
    deployment = Deployment(
        variant=variant,
        gpu=gpu,
        engine=cell.engine,
        engine_version=engine.version,
        tensor_parallel_size=found.tensor_parallel_size,
        split=engine.tensor_parallel,
        kv_element_bytes=ELEMENT_BYTES[wish.kv_cache_dtype],
    )
    load = Load(tokens_in=wish.tokens_in, tokens_out=wish.tokens_out, sequences=wish.max_num_seqs)
    told = rates(deployment, load, place.knowledge.efficiency(deployment))
    rate, samples = _corrected(cell, told, place.knowledge)
    return replace(
        cell,
        gpus=found.tensor_parallel_size,
        verdict=found.verdict,
        need_bytes=found.need_bytes,
        limit_bytes=found.limit_bytes,
        tokens_per_s=rate,
        ttft_s=round(told.ttft_s, 4),
        samples=samples,
        basis=told.basis,
    )


def _corrected(cell: Cell, told: Rates, knowledge: Knowledge) -> tuple[Range, int]:
    """The rate after what finished work has told of this variant there.

    Rates that work has measured itself count; where there are none, its durations do.
    """
    subject = Subject(
        cluster=knowledge.cluster, gpu=cell.gpu, engine=cell.engine, variant=cell.variant, work=""
    )
    calibration, spread = knowledge.calibration, told.spread
    found = calibration.correct(subject, Quantity.DECODE, Basis.PHYSICS, spread)
    factor = found.factor
    if not found.samples:
        found = calibration.correct(subject, Quantity.DURATION, Basis.PHYSICS, spread)
        factor = 1 / found.factor
    rate = Range.around(told.decode_tokens_per_s * factor, found.spread)
    return rate.rounded(), found.samples
