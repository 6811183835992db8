"""How long an item takes: from tokens and physics, from the user's own number, corrected by history."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil

from cfslurm.core.documents import STRICT
from cfslurm.core.models.calibration import (
    Basis,
    Calibration,
    Correction,
    Quantity,
    Subject,
)
from cfslurm.core.models.engines import Engine
from cfslurm.core.models.rates import Deployment, Load, Range, Rates, rates, speed_key
from cfslurm.core.models.speed_table import Found, SpeedKey, SpeedTable
from cfslurm.core.slurm.units import duration_s
from cfslurm.core.workflow.model import Work

LOAD_BYTES_PER_S = 2e9  # weights from a shared filesystem, one reader; an assumption
DEFAULT_TOKENS_IN = 512
DEFAULT_TOKENS_OUT = 256
# Without any word from the user an item of work without a model is taken to need this long.
ASSUMED_ITEM_S = 60.0
ASSUMED = "assumed"
TOKENS_ASSUMED = "tokens assumed"
_SPREAD_OF_A_GUESS = 0.7  # of a time that nobody has named: a factor of 2.5 either way
_SPREAD_OF_A_NUMBER = 0.15  # of a time that the user has named
_SPREAD_OF_TOKENS = 0.1  # of items that differ from the mean that the user names


@dataclass(frozen=True, slots=True, kw_only=True)
class Uncorrected:
    """Predictions before any correction: what a finished run is compared with.

    Units: ``duration`` seconds of an item; ``decode`` tokens/s; ``memory`` bytes on one GPU; 0 where
        nothing was predicted.
    """

    __pydantic_config__ = STRICT

    duration: float = 0.0
    decode: float = 0.0
    memory: float = 0.0
    basis: Basis = Basis.GIVEN


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """Predicted times on one set of GPUs, and what they rest on.

    Units: ``item_s`` for each item, start of its engine included; ``start_s`` that part of it;
        ``tokens_per_s`` of all sequences together while decoding, None without a model.
        ``samples`` counts the finished work that had a say.
    """

    item_s: Range
    start_s: float
    tokens_per_s: Range | None
    source: str
    samples: int
    uncorrected: Uncorrected


@dataclass(frozen=True, slots=True, kw_only=True)
class Knowledge:
    """What predictions are made from: what engines reach, and what finished work has taken."""

    table: SpeedTable
    calibration: Calibration = field(default_factory=Calibration)
    cluster: str = ""
    _found: dict[SpeedKey, Found] = field(
        init=False, default_factory=dict, compare=False, repr=False
    )

    def efficiency(self, deployment: Deployment) -> Found:
        """What an engine reaches with a variant on a GPU; looked up once for each key."""
        key = speed_key(deployment)
        if key not in self._found:
            self._found[key] = self.table.find(key)
        return self._found[key]


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """The work of one item. ``name`` is ``workflow/group``; ``sequences`` may run at once."""

    name: str
    work: Work | None
    sequences: int = 1


def load_of(item: Item) -> tuple[Load, int]:
    """What an item asks of the engine at a time, and how often."""
    work = item.work or Work()
    requests = max(1, work.requests)
    at_once = min(requests, item.sequences)
    load = Load(
        tokens_in=DEFAULT_TOKENS_IN if work.tokens_in is None else work.tokens_in,
        tokens_out=DEFAULT_TOKENS_OUT if work.tokens_out is None else work.tokens_out,
        sequences=at_once,
    )
    return load, ceil(requests / at_once)


def predict(deployment: Deployment, engine: Engine, item: Item, knowledge: Knowledge) -> Speed:
    """Time of one item with a model.

    A measured ``work.time`` is taken as it is, engine start and all. Without any number 512 tokens in
    and 256 out are assumed, and said so in ``source``.
    """
    load, rounds = load_of(item)
    found = rates(deployment, load, knowledge.efficiency(deployment))
    subject = Subject(
        cluster=knowledge.cluster,
        gpu=deployment.gpu.key,
        engine=deployment.engine,
        variant=deployment.variant.id,
        work=item.name,
    )
    decode = knowledge.calibration.correct(subject, Quantity.DECODE, Basis.PHYSICS, found.spread)
    tokens_per_s = Range.around(found.decode_tokens_per_s * decode.factor, decode.spread)
    start = engine.start_s + deployment.variant.weights_bytes / LOAD_BYTES_PER_S
    given = _given(item.work)
    if given is not None:
        seconds, basis, spread = given, Basis.GIVEN, _SPREAD_OF_A_NUMBER
    else:
        seconds = start + rounds * found.request_s
        is_assumed = _is_assumed(item.work)
        basis = Basis.GIVEN if is_assumed else Basis.PHYSICS
        spread = found.spread + (_SPREAD_OF_A_GUESS if is_assumed else _SPREAD_OF_TOKENS)
    correction = knowledge.calibration.correct(subject, Quantity.DURATION, basis, spread)
    return Speed(
        item_s=Range.around(seconds * correction.factor, correction.spread),
        start_s=start,
        tokens_per_s=tokens_per_s,
        source=_source(item.work, found, correction),
        samples=correction.samples,
        uncorrected=Uncorrected(duration=seconds, decode=found.decode_tokens_per_s, basis=basis),
    )


def predict_plain(item: Item, knowledge: Knowledge, *, gpu: str = "") -> Speed:
    """Time of one item without a model: what the user says, or a guess; corrected by history."""
    given = _given(item.work)
    seconds = ASSUMED_ITEM_S if given is None else given
    subject = Subject(cluster=knowledge.cluster, gpu=gpu, engine="", variant="", work=item.name)
    spread = _SPREAD_OF_A_GUESS if given is None else _SPREAD_OF_A_NUMBER
    correction = knowledge.calibration.correct(subject, Quantity.DURATION, Basis.GIVEN, spread)
    return Speed(
        item_s=Range.around(seconds * correction.factor, correction.spread),
        start_s=0.0,
        tokens_per_s=None,
        source=_with_history(ASSUMED if given is None else "work.time", correction),
        samples=correction.samples,
        uncorrected=Uncorrected(duration=seconds),
    )


def _given(work: Work | None) -> float | None:
    return float(duration_s(work.time)) if work is not None and work.time is not None else None


def _is_assumed(work: Work | None) -> bool:
    return work is None or (work.tokens_in is None and work.tokens_out is None)


def _source(work: Work | None, found: Rates, correction: Correction) -> str:
    if _given(work) is not None:
        return _with_history("work.time", correction)
    measured = f"{found.rows} measurements of {found.basis}" if found.rows else found.basis
    text = f"roofline ({measured})"
    return _with_history(f"{text}, {TOKENS_ASSUMED}" if _is_assumed(work) else text, correction)


def _with_history(text: str, correction: Correction) -> str:
    """What else had a say."""
    if correction.history:
        return (
            f"{text}; x{correction.factor:.2f} by the history of this work ({correction.history})"
        )
    if correction.samples:
        return f"{text}; x{correction.factor:.2f} by other work of its kind ({correction.samples})"
    return text
