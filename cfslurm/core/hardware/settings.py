"""Slurm's settings → what of them shapes a submission."""

from __future__ import annotations

import re
from collections.abc import Mapping

from cfslurm.core.hardware.graph import Controller
from cfslurm.core.slurm.fields import words

_ALWAYS_TRACKED = frozenset({"cpu", "mem", "energy", "node", "billing", "fs/disk", "vmem", "pages"})
_HIGHEST_EXIT = 255
_CRED_EXPIRE_S = 120  # slurm.conf(5), AuthInfo: cred_expire, the default


def controller_of(settings: Mapping[str, str]) -> Controller:
    """Read the answer of ``scontrol show config``; what it lacks has Slurm's default."""
    scheduling = words(settings.get("SchedulerParameters", ""))
    over_time = settings.get("OverTimeLimit", "0")
    return Controller(
        cluster=settings.get("ClusterName", ""),
        slurm_version=settings.get("SLURM_VERSION", ""),
        max_array_size=_number(settings.get("MaxArraySize"), 1001),
        max_job_count=_number(settings.get("MaxJobCount"), 10_000),
        requeue_exits=_exits(settings.get("RequeueExit", "")),
        requeues_jobs=settings.get("JobRequeue", "1") == "1",
        requeue_delay_s=_requeue_delay_s(settings, scheduling),
        sends_user_signal_on_preemption="preempt_send_user_signal"
        in settings.get("SlurmctldParameters", ""),
        backfills=settings.get("SchedulerType", "") == "sched/backfill",
        kill_wait_s=_number(settings.get("KillWait"), 30),
        has_accounting="slurmdbd" in settings.get("AccountingStorageType", ""),
        enforces=words(settings.get("AccountingStorageEnforce", "")),
        tracked_tres=tuple(
            name
            for name in words(settings.get("AccountingStorageTRES", ""))
            if name not in _ALWAYS_TRACKED
        ),
        private_data=_private(settings.get("PrivateData", "")),
        preempt_type=settings.get("PreemptType", "").removeprefix("(null)"),
        preempt_mode=settings.get("PreemptMode", ""),
        priority_type=settings.get("PriorityType", ""),
        scheduler_parameters=scheduling,
        select_parameters=words(settings.get("SelectTypeParameters", "")),
        over_time_limit_s=None if over_time == "UNLIMITED" else _number(over_time, 0) * 60,
        default_memory_per_cpu_mib=_memory(settings.get("DefMemPerCPU")),
        default_memory_per_node_mib=_memory(settings.get("DefMemPerNode")),
        topology_plugin=settings.get("TopologyPlugin", ""),
    )


def _requeue_delay_s(settings: Mapping[str, str], scheduling: tuple[str, ...]) -> int:
    """Until its credential has expired, a requeued job waits; 25.11 can be told otherwise."""
    for parameter in scheduling:
        name, _, value = parameter.partition("=")
        if name == "requeue_delay" and value.isdigit():
            return int(value) + 1
    found = re.search(r"cred_expire=(\d+)", settings.get("AuthInfo", ""))
    return (int(found[1]) if found else _CRED_EXPIRE_S) + 1


def _private(text: str) -> tuple[str, ...]:
    return tuple(word for word in words(text) if word.lower() != "none")


def _memory(text: str | None) -> int | None:
    """MiB; None for ``UNLIMITED`` and for a setting that this Slurm does not print."""
    return int(text) if text and text.isdigit() else None


def _number(text: str | None, default: int) -> int:
    """The leading number of a setting: ``3 sec`` is 3."""
    match = re.match(r"\d+", text or "")
    return int(match[0]) if match else default


def _exits(text: str) -> tuple[int, ...]:
    """RequeueExit: ``1-9,75`` or ``(null)``."""
    codes: set[int] = set()
    for item in text.split(","):
        first, _, last = item.strip().partition("-")
        if first.isdigit() and (last or first).isdigit():
            codes.update(range(int(first), min(int(last or first), _HIGHEST_EXIT) + 1))
    return tuple(sorted(codes))
