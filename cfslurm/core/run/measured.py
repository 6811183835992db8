"""What a finished run has measured, beside what its plan had predicted.

Reads the plan as plain JSON: `cfslurm status` calls this and must not wait for a validation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from cfslurm.core.documents import Json
from cfslurm.core.models.calibration import Basis, Observation, Quantity, Subject
from cfslurm.core.run.outcomes import ItemState

_RESULT_KEYS = {
    Quantity.DECODE: "decode_tokens_per_s",
    Quantity.MEMORY: "gpu_memory_bytes",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A run that has ended: its plan, and its items by the task that they belong to.

    ``at`` is when it was looked at, UTC in ISO 8601.
    """

    run: str
    user: str
    at: str
    plan: Json
    items: Mapping[str, Sequence[ItemState]]


def measured(finished: Finished) -> tuple[Observation, ...]:
    """One observation for each choice of the plan and each quantity: the median of its items.

    An item counts if it ended well at its first start: a second one may have found a session. Only
    tasks are looked at: a component of a gang runs as long as the others do. A plan of an older
    cfslurm, which does not say what it had predicted, tells nothing.
    """
    plan = _object(finished.plan)
    workflow = _object(plan.get("workflow"))
    engines = {
        name: str(_object(model).get("engine", ""))
        for name, model in _object(workflow.get("models")).items()
    }
    choices = plan.get("choices")
    found: list[Observation] = []
    for choice in map(_object, choices if isinstance(choices, list) else ()):
        items = [
            item
            for item in finished.items.get(str(choice.get("group", "")), ())
            if item.state == "done"
            and item.starts == 1
            and item.node_class == choice.get("node_class")
            and item.variant == choice.get("variant")
        ]
        subject = Subject(
            cluster=str(plan.get("cluster", "")),
            gpu=str(choice.get("gpu_key", "")),
            engine=engines.get(str(choice.get("model", "")), ""),
            variant=str(choice.get("variant", "")),
            work=f"{workflow.get('name', '')}/{choice.get('group', '')}",
        )
        found += _of_choice(finished, subject, _object(choice.get("uncorrected")), items)
    return tuple(found)


def _object(value: object) -> Mapping[str, Any]:
    """A JSON object; an empty one for anything else: a damaged plan must not stop `status`."""
    return value if isinstance(value, dict) else {}


def _of_choice(
    finished: Finished,
    subject: Subject,
    predictions: Mapping[str, Any],
    items: Sequence[ItemState],
) -> Iterable[Observation]:
    told = predictions.get("basis")
    for quantity in Quantity:
        values = [value for item in items if (value := _value(item, quantity)) > 0]
        predicted = predictions.get(quantity.value)
        if not values or not isinstance(predicted, int | float) or predicted <= 0:
            continue
        yield Observation(
            subject=subject,
            quantity=quantity,
            basis=Basis.PHYSICS if told == Basis.PHYSICS else Basis.GIVEN,
            user=finished.user,
            run=finished.run,
            at=finished.at,
            predicted=float(predicted),
            measured=float(median(values)),
            count=len(values),
        )


def _value(item: ItemState, quantity: Quantity) -> float:
    """What an item has measured; 0 where it told nothing."""
    if quantity is Quantity.DURATION:
        return item.seconds
    result = item.result
    value = result.get(_RESULT_KEYS[quantity]) if isinstance(result, dict) else None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0
