"""Slurm's records → the hardware graph."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from cfslurm.core.hardware.gpus import GpuCatalogue, GpuFacts, Source, identify
from cfslurm.core.hardware.graph import (
    SCHEMA,
    Association,
    Controller,
    GpuSet,
    HardwareGraph,
    Node,
    Partition,
    Qos,
    Switch,
)
from cfslurm.core.site.model import GpuOverride
from cfslurm.core.slurm.gres import Gres
from cfslurm.core.slurm.sacctmgr import AssociationRecord, QosRecord
from cfslurm.core.slurm.scontrol import NodeRecord, PartitionRecord, SwitchRecord
from cfslurm.core.slurm.tres import gpus_in_tres

_CRED_EXPIRE_S = 120  # slurm.conf(5), AuthInfo: cred_expire, the default


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterFacts:
    """What a `ClusterReader` brought back: records, not yet a graph."""

    backend: str
    settings: Mapping[str, str]
    nodes: tuple[NodeRecord, ...]
    partitions: tuple[PartitionRecord, ...]
    switches: tuple[SwitchRecord, ...]
    qos: tuple[QosRecord, ...]
    associations: tuple[AssociationRecord, ...]
    warnings: tuple[str, ...] = ()


def build_graph(
    facts: ClusterFacts,
    catalogue: GpuCatalogue,
    overrides: Mapping[str, GpuOverride],
    *,
    harvested_at: str,
) -> HardwareGraph:
    """Join the records to one graph; GPU facts come from the site's overrides, then the catalogue.

    Nodes that Slurm lists without any partition are kept: nobody can use them, and `info` says so.
    """
    nodes = tuple(
        sorted((_node(record, catalogue, overrides) for record in facts.nodes), key=_by_name)
    )
    return HardwareGraph(
        schema=SCHEMA,
        harvested_at=harvested_at,
        backend=facts.backend,
        controller=_controller(facts.settings),
        nodes=nodes,
        partitions=tuple(sorted((_partition(p) for p in facts.partitions), key=_by_name)),
        switches=tuple(_switch(switch) for switch in facts.switches),
        qos=tuple(_qos(record) for record in facts.qos),
        associations=tuple(_association(record) for record in facts.associations),
        warnings=(*facts.warnings, *_warnings(nodes)),
    )


def _by_name(item: Node | Partition) -> str:
    return item.name


def _node(
    record: NodeRecord, catalogue: GpuCatalogue, overrides: Mapping[str, GpuOverride]
) -> Node:
    return Node(
        name=record.name,
        address=record.address,
        state=record.state,
        state_flags=record.state_flags,
        reason=record.reason,
        features=record.features,
        gpus=_gpu_sets(record, catalogue, overrides),
        cpus=record.cpus,
        cpus_used=record.cpus_allocated,
        sockets=record.sockets,
        real_memory_mib=record.real_memory_mib,
        memory_used_mib=record.memory_allocated_mib,
        partitions=tuple(sorted(record.partitions)),
        weight=record.weight,
    )


def _gpu_sets(
    record: NodeRecord, catalogue: GpuCatalogue, overrides: Mapping[str, GpuOverride]
) -> tuple[GpuSet, ...]:
    configured = _count_by_type(record.gres)
    used = _used_by_type(record, configured)
    return tuple(
        GpuSet(
            gpu_type=gpu_type,
            count=count,
            used=min(count, used.get(gpu_type, 0)),
            facts=_facts(gpu_type, record.features, catalogue, overrides),
        )
        for gpu_type, count in sorted(configured.items())
        if count > 0
    )


def _count_by_type(gres: Sequence[Gres]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for item in gres:
        if item.name == "gpu":
            counts[item.type] = counts.get(item.type, 0) + item.count
    return counts


def _used_by_type(record: NodeRecord, configured: Mapping[str, int]) -> dict[str, int]:
    """GresUsed first; AllocTRES only where GresUsed is absent: it is blank when GPUs are untracked.

    Untyped use on a node with one type belongs to that type; with several types it is counted
    against each of them, so that never more is called free than Slurm has.
    """
    if record.gres_used is not None:
        used = _count_by_type(record.gres_used)
        untyped = 0 if "" in configured else used.pop("", 0)
    else:
        used = gpus_in_tres(record.alloc_tres)
        # The untyped total repeats the typed amounts; what is left of it has a type nobody tracks.
        untyped = max(0, used.pop("", 0) - sum(used.values()))
        if "" in configured:
            used, untyped = {"": untyped + sum(used.values())}, 0
    if untyped:
        used = {gpu_type: used.get(gpu_type, 0) + untyped for gpu_type in configured}
    return used


def _facts(
    gpu_type: str,
    features: tuple[str, ...],
    catalogue: GpuCatalogue,
    overrides: Mapping[str, GpuOverride],
) -> GpuFacts:
    override = overrides.get(gpu_type)
    if override is None:
        return identify(gpu_type, features, catalogue)
    named = identify(override.catalog or gpu_type, features, catalogue)
    return replace(
        named,
        memory_mib=override.memory_mib or named.memory_mib,
        bandwidth_gbs=override.bandwidth_gbs or named.bandwidth_gbs,
        fp16_tflops=override.fp16_tflops or named.fp16_tflops,
        fp8_tflops=override.fp8_tflops or named.fp8_tflops,
        source=Source.SITE,
        note=override.note or named.note,
    )


def _partition(record: PartitionRecord) -> Partition:
    return Partition(
        name=record.name,
        is_up=record.state == "UP" and not record.root_only,
        is_default=record.is_default,
        node_names=tuple(sorted(record.node_names)),
        max_time_s=record.max_time_s,
        max_nodes=record.max_nodes,
        priority_tier=record.priority_tier,
        preempt_mode=record.preempt_mode,
        grace_time_s=record.grace_time_s,
        qos=record.qos,
        allow_accounts=record.allow_accounts,
        allow_groups=record.allow_groups,
    )


def _switch(record: SwitchRecord) -> Switch:
    return Switch(
        name=record.name,
        level=record.level,
        node_names=record.node_names,
        switches=record.switches,
    )


def _qos(record: QosRecord) -> Qos:
    return Qos(
        name=record.name,
        max_wall_s=record.max_wall_s,
        max_tres_per_user=record.max_tres_per_user,
        max_jobs_per_user=record.max_jobs_per_user,
        max_submit_per_user=record.max_submit_per_user,
    )


def _association(record: AssociationRecord) -> Association:
    return Association(
        account=record.account,
        partition=record.partition,
        qos=record.qos,
        max_wall_s=record.max_wall_s,
    )


def _controller(settings: Mapping[str, str]) -> Controller:
    delay = re.search(r"cred_expire=(\d+)", settings.get("AuthInfo", ""))
    return Controller(
        cluster=settings.get("ClusterName", ""),
        slurm_version=settings.get("SLURM_VERSION", ""),
        max_array_size=_number(settings.get("MaxArraySize"), 1001),
        max_job_count=_number(settings.get("MaxJobCount"), 10_000),
        requeue_exits=_exits(settings.get("RequeueExit", "")),
        requeues_jobs=settings.get("JobRequeue", "1") == "1",
        requeue_delay_s=(int(delay[1]) if delay else _CRED_EXPIRE_S) + 1,
        sends_user_signal_on_preemption="preempt_send_user_signal"
        in settings.get("SlurmctldParameters", ""),
        backfills=settings.get("SchedulerType", "") == "sched/backfill",
        kill_wait_s=_number(settings.get("KillWait"), 30),
        has_accounting="slurmdbd" in settings.get("AccountingStorageType", ""),
    )


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
            codes.update(range(int(first), int(last or first) + 1))
    return tuple(sorted(codes))


def _warnings(nodes: Sequence[Node]) -> tuple[str, ...]:
    """What a user should know about GPU facts: each ambiguous or unknown type once."""
    found: dict[str, str] = {}
    for node in nodes:
        for gpus in node.gpus:
            if gpus.facts.source is Source.AMBIGUOUS:
                found[gpus.gpu_type] = (
                    f"GPU type {gpus.facts.note}; assumed {gpus.facts.key}: "
                    "name it in the site config under gpu_types"
                )
            elif gpus.facts.source is Source.UNKNOWN:
                found[gpus.gpu_type] = (
                    f"GPU type {gpus.gpu_type or '(untyped)'!r} on {node.name} is in no table: "
                    "name it in the site config under gpu_types"
                )
    return tuple(found[gpu_type] for gpu_type in sorted(found))
