"""The limits that hold for this user: of accounts and QOS, as slurmdbd has them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from cfslurm.core.documents import STRICT
from cfslurm.core.hardware.graph import Association, HardwareGraph, Qos
from cfslurm.core.slurm.units import human_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """``most`` of ``what`` (``jobs``, ``queued jobs``, ``time``, a TRES) for ``whom``, by account or QOS.

    Units: ``time`` in seconds, ``mem`` in MiB, TRES minutes in minutes.
    """

    __pydantic_config__ = STRICT

    of: str
    whom: str
    what: str
    most: int


def limits_of_user(graph: HardwareGraph) -> tuple[Limit, ...]:
    """Every limit of the user's accounts, and of the QOS that they may use."""
    own = [one for one in graph.associations if one.user]
    usable = {name for one in own for name in one.qos}
    found: list[Limit] = []
    for association in graph.associations:
        found += _of_association(association)
    for qos in graph.qos:
        if qos.name in usable:
            found += _of_qos(qos)
    return tuple(found)


def _of_association(one: Association) -> Iterator[Limit]:
    of = f"account {one.account}" + (f", partition {one.partition}" if one.partition else "")
    if one.user:
        yield from _limits(of, "you", {"jobs": one.max_jobs, "queued jobs": one.max_submit})
        per_job = {"time": one.max_wall_s, **one.max_tres_per_job}
        yield from _limits(of, "each job", per_job)
        return
    together = {"jobs": one.group_jobs, "queued jobs": one.group_submit, **one.group_tres}
    yield from _limits(of, "all its users", together)
    minutes = {f"{name} minutes": amount for name, amount in one.group_tres_minutes.items()}
    yield from _limits(of, "all its users", minutes)


def _of_qos(qos: Qos) -> Iterator[Limit]:
    of = f"QOS {qos.name}"
    mine = {"jobs": qos.max_jobs_per_user, "queued jobs": qos.max_submit_per_user}
    yield from _limits(of, "you", {**mine, **qos.max_tres_per_user})
    account = {"jobs": qos.max_jobs_per_account, "queued jobs": qos.max_submit_per_account}
    yield from _limits(of, "each account", {**account, **qos.max_tres_per_account})
    yield from _limits(of, "each job", {"time": qos.max_wall_s, **qos.max_tres_per_job})
    together = {"jobs": qos.group_jobs, "queued jobs": qos.group_submit, **qos.group_tres}
    yield from _limits(of, "all its users", together)
    minutes = {f"{name} minutes": amount for name, amount in qos.group_tres_minutes.items()}
    yield from _limits(of, "all its users", minutes)


def _limits(of: str, whom: str, amounts: Mapping[str, int | None]) -> Iterator[Limit]:
    for what, most in amounts.items():
        if most is not None:
            yield Limit(of=of, whom=whom, what=what, most=most)


def limit_text(limit: Limit) -> str:
    """``8 gres/gpu``, ``1d``, ``30720 MiB mem``."""
    if limit.what == "time":
        return human_seconds(limit.most)
    unit = " MiB" if limit.what == "mem" else ""
    return f"{limit.most}{unit} {limit.what}"


def longest_job_s(graph: HardwareGraph, account: str | None) -> tuple[int, str] | None:
    """The longest time that Slurm lets a job of this user have, and whose limit it is; None without one.

    Counts only where slurmctld enforces limits, and only what holds for sure: without ``account``, what
    all of the user's accounts have in common. A job may name another QOS than the default, so QOS
    limits the time only where the account has one and no other.
    """
    if "limits" not in graph.controller.enforces:
        return None
    own = [one for one in graph.associations if one.user and account in (None, one.account)]
    by_qos = {qos.name: qos for qos in graph.qos}
    longest: list[tuple[int, str]] = []
    for one in own:
        bounds = [(one.max_wall_s, f"account {one.account}")]
        if len(one.qos) == 1 and one.qos[0] in by_qos:
            bounds.append((by_qos[one.qos[0]].max_wall_s, f"QOS {one.qos[0]}"))
        known = [(seconds, whose) for seconds, whose in bounds if seconds is not None]
        if not known:
            return None
        longest.append(min(known))
    return max(longest, default=None)
