"""Slurm's records → the hardware graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache
from types import MappingProxyType

from cfslurm.core.hardware.facts import ClusterFacts
from cfslurm.core.hardware.gpus import GpuCatalogue, GpuFacts, Source, identify
from cfslurm.core.hardware.graph import SCHEMA, GpuSet, GresSet, HardwareGraph, Node
from cfslurm.core.hardware.probe import NodeProbe
from cfslurm.core.hardware.probed import GpuNames, with_probes
from cfslurm.core.hardware.settings import controller_of
from cfslurm.core.hardware.usage import Usage, gpu_usage, other_usage
from cfslurm.core.site.model import GpuOverride
from cfslurm.core.slurm.hostlist import fold
from cfslurm.core.slurm.records import NodeRecord, Partition, Reservation

FactsOf = Callable[[str, tuple[str, ...]], GpuFacts]
_MOST_NOTES = 10
NO_PROBES: Mapping[str, NodeProbe] = MappingProxyType({})


def build_graph(
    facts: ClusterFacts,
    catalogue: GpuCatalogue,
    overrides: Mapping[str, GpuOverride],
    *,
    harvested_at: str,
    probes: Mapping[str, NodeProbe] = NO_PROBES,
) -> HardwareGraph:
    """Join the records to one graph.

    GPU facts come from the nodes' own answers, then the site's overrides, then the catalogue. Nodes
    that Slurm lists without any partition are kept: nobody can use them, and `info` says so.
    """
    reserved = _reserved(facts.reservations, harvested_at)

    @cache  # asked for each node, but there are few kinds of them
    def facts_of(gpu_type: str, features: tuple[str, ...]) -> GpuFacts:
        return _facts(gpu_type, features, catalogue, overrides)

    unsorted = (_node(one, facts_of, reserved.get(one.name, ())) for one in facts.nodes)
    nodes = tuple(sorted(unsorted, key=_by_name))
    names = GpuNames(catalogue=catalogue, overrides=overrides)
    nodes, contradictions = with_probes(nodes, probes, names)
    return HardwareGraph(
        schema=SCHEMA,
        harvested_at=harvested_at,
        backend=facts.backend,
        controller=controller_of(facts.settings),
        nodes=nodes,
        partitions=tuple(sorted((_with_sorted_nodes(p) for p in facts.partitions), key=_by_name)),
        topologies=facts.topologies,
        reservations=facts.reservations,
        licenses=facts.licenses,
        running=facts.running,
        qos=facts.qos,
        associations=facts.associations,
        shares=facts.shares,
        warnings=(*facts.warnings, *_unread(nodes), *_warnings(nodes), *contradictions),
    )


def _by_name(item: Node | Partition) -> str:
    return item.name


def _with_sorted_nodes(partition: Partition) -> Partition:
    return replace(partition, node_names=tuple(sorted(partition.node_names)))


def _reserved(reservations: Sequence[Reservation], harvested_at: str) -> dict[str, tuple[str, ...]]:
    """Node name → the reservations that hold it now."""
    if not reservations:
        return {}
    now = datetime.fromisoformat(harvested_at).timestamp()
    found: dict[str, tuple[str, ...]] = {}
    for one in reservations:
        for name in one.node_names if one.is_active(now) else ():
            found[name] = (*found.get(name, ()), one.name)
    return found


def _node(record: NodeRecord, facts_of: FactsOf, reservations: tuple[str, ...]) -> Node:
    return Node(
        name=record.name,
        address=record.address,
        state=record.state,
        state_flags=record.state_flags,
        reason=record.reason,
        reason_user=record.reason_user,
        reason_time=record.reason_time,
        features=record.features,
        available_features=record.available_features,
        gpus=_gpu_sets(record, facts_of),
        gres=tuple(
            GresSet(name=name, type=gres_type, count=count, used=used)
            for (name, gres_type), (count, used) in sorted(other_usage(record).items())
        ),
        cpus=record.cpus,
        cpus_usable=record.cpus_usable,
        cpus_used=record.cpus_allocated,
        sockets=record.sockets,
        cores_per_socket=record.cores_per_socket,
        threads_per_core=record.threads_per_core,
        real_memory_mib=record.real_memory_mib,
        memory_used_mib=record.memory_allocated_mib,
        tmp_disk_mib=record.tmp_disk_mib,
        partitions=tuple(sorted(record.partitions)),
        weight=record.weight,
        boot_time=record.boot_time,
        slurm_version=record.slurm_version,
        reservations=reservations,
        unread=record.unread,
    )


def _gpu_sets(record: NodeRecord, facts_of: FactsOf) -> tuple[GpuSet, ...]:
    return tuple(
        _gpu_set(gpu_type, usage, facts_of(gpu_type, record.features))
        for gpu_type, usage in sorted(gpu_usage(record).items())
        if usage.count > 0
    )


def _gpu_set(gpu_type: str, usage: Usage, facts: GpuFacts) -> GpuSet:
    return GpuSet(
        gpu_type=gpu_type,
        count=usage.count,
        used=usage.used,
        facts=facts,
        shared=usage.shared,
        used_indices=usage.used_indices,
        sockets=usage.sockets,
    )


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


def _unread(nodes: Sequence[Node]) -> tuple[str, ...]:
    """What could not be read, and of which nodes."""
    found: dict[str, list[str]] = {}
    for node in nodes:
        for note in node.unread:
            found.setdefault(note, []).append(node.name)
    notes = [f"node {fold(names)}: {note}" for note, names in sorted(found.items())]
    more = len(notes) - _MOST_NOTES
    return (*notes[:_MOST_NOTES], *([f"and {more} more like these"] if more > 0 else []))


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
