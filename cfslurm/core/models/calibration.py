"""What finished work has taken, against what was predicted, and how far that corrects predictions.

The logarithm of measured over predicted is taken to be normal, with a mean that is normal itself around
what the level above says; n samples with median m move it from the mean above, v0 being its variance:

    mean = (mean_above / v0 + n m / s^2) / (1 / v0 + n / s^2),   variance = 1 / (1 / v0 + n / s^2)

Source: Gelman et al., Bayesian Data Analysis, 3rd edition, equations 2.10 to 2.12 (normal data with
known variance), applied level by level; the median in place of the mean, so that less than half of wrong
samples move it little. Levels: an engine on a GPU type of a cluster, a variant there, a piece of work
wherever it ran, that work there. Each sample counts at one level only: where it is nearest.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from math import exp, log, sqrt
from statistics import median
from typing import TypeAlias

# Standard deviations of logarithms; estimates, see docs/explanation/model-sizes.md.
_BETWEEN_WORKS = 0.4  # two pieces of work with the same variant: their token counts are guesses
_OF_A_VARIANT = 0.1  # a variant against others of its engine and GPU
_OF_A_WORK = 0.8  # a piece of work against what its token counts say
_BETWEEN_PLACES = 0.3  # the same work with another variant or on other GPUs
_BETWEEN_RUNS = 0.1  # two runs of the same work
_MOST_RUNS = 20  # the newest of a piece of work; older ones knew an older engine
_MOST_RATIO = 30.0  # beyond this something else was measured than what was predicted


class Quantity(StrEnum):
    """What was predicted and measured."""

    DURATION = "duration"  # seconds of an item, start of its engine included
    DECODE = "decode"  # tokens/s of all sequences together, after the first
    MEMORY = "memory"  # bytes on one GPU, at the most


class Basis(StrEnum):
    """What a prediction rested on."""

    PHYSICS = "physics"  # bytes, operations and tokens that the user named
    GIVEN = "given"  # the user's own number, or none at all


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a prediction is about.

    ``work`` is ``workflow/task`` or ``workflow/gang/component``; engine and variant are empty for
    work without a model, ``gpu`` for work without GPUs.
    """

    cluster: str
    gpu: str
    engine: str
    variant: str
    work: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One run's median of something, beside its prediction before any correction.

    ``at`` is UTC in ISO 8601; ``count`` is the number of items behind the median.
    """

    subject: Subject
    quantity: Quantity
    basis: Basis
    user: str
    run: str
    at: str
    predicted: float
    measured: float
    count: int = 1

    @property
    def log_ratio(self) -> float:
        """Logarithm of measured over predicted."""
        return log(self.measured / self.predicted)

    @property
    def is_believable(self) -> bool:
        """False where the two have so little to do with each other that nothing can be learned."""
        if not (self.predicted > 0 and self.measured > 0):
            return False
        return 1 / _MOST_RATIO <= self.measured / self.predicted <= _MOST_RATIO


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """By what to multiply a prediction, and how far the result may be off.

    ``spread`` is the standard deviation of its logarithm. ``samples`` counts all that had a say,
    ``history`` those of this very work: runs of it there, else other places where it ran.
    """

    factor: float
    spread: float
    samples: int = 0
    history: int = 0


_WorkKey: TypeAlias = tuple[Quantity, str]
_PlaceKey: TypeAlias = tuple[Quantity, str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """All observations that a user may see; ``user`` is this user, whose own count one by one."""

    observations: tuple[Observation, ...] = ()
    user: str = ""
    _of_work: dict[_WorkKey, list[Observation]] = field(
        init=False, default_factory=dict, compare=False, repr=False
    )
    _of_place: dict[_PlaceKey, list[Observation]] = field(
        init=False, default_factory=dict, compare=False, repr=False
    )

    def __post_init__(self) -> None:
        for o in self.observations:
            if not o.is_believable:
                continue
            if o.user == self.user:
                self._of_work.setdefault((o.quantity, o.subject.work), []).append(o)
            if o.basis is Basis.PHYSICS:
                self._of_place.setdefault((o.quantity, *_place(o.subject)), []).append(o)

    def correct(
        self, subject: Subject, quantity: Quantity, basis: Basis, spread: float
    ) -> Correction:
        """What the observations say of a prediction whose own spread is known.

        A number that the user gave is corrected by the history of that work only; one from physics
        also by what else ran with the same engine on the same kind of GPU.
        """
        own = self._of_work.get((quantity, subject.work), [])
        mine = self._newest([o for o in own if o.subject == subject])
        places = self._of_places([o for o in own if _is_elsewhere(o.subject, subject)])
        near, far = self._of_others(subject, quantity, basis)
        mean, variance = _updated(0.0, spread**2, far, _BETWEEN_WORKS)
        mean, variance = _updated(
            mean, variance + _drift(near, _OF_A_VARIANT), near, _BETWEEN_WORKS
        )
        told_of_work = places or mine
        variance += _drift(told_of_work, _OF_A_WORK)
        mean, variance = _updated(mean, variance, places, _BETWEEN_PLACES)
        if places:
            variance += _drift(mine, _BETWEEN_PLACES)
        mean, variance = _updated(mean, variance, mine, _BETWEEN_RUNS)
        samples = len(far) + len(near) + len(places) + len(mine)
        wide = sqrt(variance + _BETWEEN_RUNS**2) if samples else spread
        return Correction(
            factor=exp(mean), spread=wide, samples=samples, history=len(mine) or len(places)
        )

    def _of_others(
        self, subject: Subject, quantity: Quantity, basis: Basis
    ) -> tuple[list[float], list[float]]:
        """Other work with the same engine on the same kind of GPU: with this variant, with others."""
        if basis is not Basis.PHYSICS or not subject.engine:
            return [], []
        found = self._of_place.get((quantity, *_place(subject)), [])
        here = [o for o in found if o.subject.work != subject.work]
        near = self._units([o for o in here if o.subject.variant == subject.variant])
        far = self._units([o for o in here if o.subject.variant != subject.variant])
        return near, far

    def _newest(self, observations: Sequence[Observation]) -> list[float]:
        ordered = sorted(observations, key=lambda o: (o.at, o.run))
        return [o.log_ratio for o in ordered[-_MOST_RUNS:]]

    def _of_places(self, observations: Sequence[Observation]) -> list[float]:
        """One number for each variant and kind of GPU that the same work has run with."""
        by_place: dict[tuple[str, ...], list[Observation]] = {}
        for o in observations:
            by_place.setdefault(_cells(o), []).append(o)
        return [median(self._newest(found)) for _, found in sorted(by_place.items())]

    def _units(self, observations: Iterable[Observation]) -> list[float]:
        """One number for each piece of own work, and one for each other user."""
        by_unit: dict[tuple[str, str], list[float]] = {}
        for o in observations:
            unit = (o.user, o.subject.work if o.user == self.user else "")
            by_unit.setdefault(unit, []).append(o.log_ratio)
        return [median(ratios) for _, ratios in sorted(by_unit.items())]


def _place(subject: Subject) -> tuple[str, str, str]:
    return subject.cluster, subject.gpu, subject.engine


def _is_elsewhere(one: Subject, other: Subject) -> bool:
    return one.cluster == other.cluster and one != other


def _drift(samples: Sequence[float], deviation: float) -> float:
    """The variance that a level adds to the one above; nothing where it has no samples to use it for."""
    return deviation**2 if samples else 0.0


def _updated(
    mean: float, variance: float, samples: Sequence[float], deviation: float
) -> tuple[float, float]:
    if not samples or variance <= 0:
        return mean, variance
    weight = len(samples) / deviation**2
    precision = 1 / variance + weight
    return (mean / variance + weight * median(samples)) / precision, 1 / precision


def without_repeats(observations: Iterable[Observation]) -> tuple[Observation, ...]:
    """Each run once for each subject and quantity, the last word counting; sorted."""
    latest = {(o.user, o.run, o.subject, o.quantity): o for o in observations}
    return tuple(
        sorted(latest.values(), key=lambda o: (o.at, o.user, o.run, o.quantity, _cells(o)))
    )


def _cells(observation: Observation) -> tuple[str, ...]:
    subject = observation.subject
    return subject.cluster, subject.gpu, subject.engine, subject.variant, subject.work
