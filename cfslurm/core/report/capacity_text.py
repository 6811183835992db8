"""What is kept, counted, limited and promised, in a line each; for `cfslurm info`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from cfslurm.core.hardware.capacity import freeings
from cfslurm.core.hardware.graph import HardwareGraph, Reservation
from cfslurm.core.hardware.limits import limit_text, limits_of_user
from cfslurm.core.slurm.hostlist import fold
from cfslurm.core.slurm.units import human_seconds

_STEPS_SHOWN = 3


def capacity_lines(graph: HardwareGraph) -> list[str]:
    """Reservations, when GPUs come back, licences, limits, fair share; nothing where there is nothing."""
    now = datetime.fromisoformat(graph.harvested_at).timestamp() if graph.harvested_at else 0.0
    return [
        *(_reservation(one, now) for one in graph.reservations if _matters(one, now)),
        *_next_free(graph, now),
        *_licenses(graph),
        *_limits(graph),
        *_shares(graph),
    ]


def _matters(one: Reservation, now: float) -> bool:
    return bool(one.node_names) and (one.end_time is None or one.end_time > now)


def _reservation(one: Reservation, now: float) -> str:
    whom = ", ".join(
        f"{kind} {', '.join(names)}"
        for kind, names in (("user", one.users), ("account", one.accounts), ("group", one.groups))
        if names
    )
    what = "maintenance" if one.is_maintenance else f"for {whom}" if whom else "for nobody named"
    if one.is_active(now):
        when = "without end" if one.end_time is None else f"for {_span(one.end_time, now)} more"
    else:
        when = f"in {_span(one.start_time, now)}"
        if one.start_time is not None and one.end_time is not None:
            when += f", for {_span(one.end_time, one.start_time)}"
    return f"reserved   {fold(one.node_names)} {what}, {when} ({one.name})"


def _span(at: int | None, now: float) -> str:
    return human_seconds(max(0.0, (at or 0) - now))


def _next_free(graph: HardwareGraph, now: float) -> Iterator[str]:
    if "jobs" in graph.controller.private_data:
        yield "next free  of your own jobs only: Slurm hides those of others here"
    steps: dict[str, list[str]] = {}
    for step in freeings(graph):
        text = f"{step.free} within {_span(step.at, now)}"
        steps.setdefault(step.gpu_type or "gpu", []).append(text)
    for gpu_type, texts in steps.items():
        more = ", …" if len(texts) > _STEPS_SHOWN else ""
        yield f"next free  {gpu_type}: {', '.join(texts[:_STEPS_SHOWN])}{more}"


def _licenses(graph: HardwareGraph) -> Iterator[str]:
    if graph.licenses:
        counts = (f"{one.name} {one.free}/{one.total} free" for one in graph.licenses)
        yield f"licences   {', '.join(counts)}"


def _limits(graph: HardwareGraph) -> Iterator[str]:
    grouped: dict[tuple[str, str], list[str]] = {}
    for limit in limits_of_user(graph):
        grouped.setdefault((limit.of, limit.whom), []).append(limit_text(limit))
    for (of, whom), texts in grouped.items():
        yield f"limit      {of}, {whom}: {', '.join(texts)}"


def _shares(graph: HardwareGraph) -> Iterator[str]:
    known = [f"{one.account} {one.factor:.2f}" for one in graph.shares if one.factor is not None]
    if known:
        yield f"fair share {', '.join(known)} (1 has used least)"
