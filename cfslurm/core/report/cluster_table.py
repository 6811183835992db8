"""A cluster for people: what there is, what is free, and how it is joined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cfslurm.core.hardware.gpus import Source
from cfslurm.core.hardware.graph import HardwareGraph, Node, Partition
from cfslurm.core.report.capacity_text import capacity_lines
from cfslurm.core.report.tables import printable, table
from cfslurm.core.slurm.hostlist import fold
from cfslurm.core.slurm.units import MIB, human_bytes, human_seconds

_MARKS = {Source.AMBIGUOUS: "?", Source.UNKNOWN: "?", Source.SITE: "*"}


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuRow:
    """The GPUs of one type in one partition.

    ``memory`` ends in ``*`` where the site's config says it, in ``?`` where nobody knows.
    """

    partition: str
    gpu_type: str
    memory: str
    free: int
    total: int
    nodes: str
    nodes_open: int
    max_time: str
    preemptible: bool


def gpu_rows(graph: HardwareGraph) -> tuple[GpuRow, ...]:
    """Every GPU type of every partition; a partition without GPUs has one row of CPUs."""
    rows = []
    for partition in graph.partitions:
        members = [node for node in graph.nodes if partition.name in node.partitions]
        types = sorted({gpus.gpu_type for node in members for gpus in node.gpus})
        for gpu_type in types:
            rows.append(_gpu_row(partition, gpu_type, members))
        cpu_only = [node for node in members if not node.gpus]
        if cpu_only:
            rows.append(_cpu_row(partition, cpu_only))
    return tuple(rows)


def _gpu_row(partition: Partition, gpu_type: str, members: Sequence[Node]) -> GpuRow:
    having = [node for node in members if any(g.gpu_type == gpu_type for g in node.gpus)]
    sets = [(node, g) for node in having for g in node.gpus if g.gpu_type == gpu_type]
    facts = sets[0][1].facts
    memory = human_bytes(facts.memory_mib * MIB) if facts.memory_mib else ""
    return GpuRow(
        partition=_title(partition),
        gpu_type=gpu_type or "gpu",
        memory=memory + _MARKS.get(facts.source, ""),
        free=sum(g.count - g.used for node, g in sets if node.takes_jobs),
        total=sum(g.count for _, g in sets),
        nodes=fold(node.name for node in having),
        nodes_open=sum(node.takes_jobs for node in having),
        max_time=_time(partition),
        preemptible=partition.is_preemptible,
    )


def _cpu_row(partition: Partition, members: Sequence[Node]) -> GpuRow:
    return GpuRow(
        partition=_title(partition),
        gpu_type="(CPUs)",
        memory="",
        free=sum(node.cpus_usable - node.cpus_used for node in members if node.takes_jobs),
        total=sum(node.cpus for node in members),
        nodes=fold(node.name for node in members),
        nodes_open=sum(node.takes_jobs for node in members),
        max_time=_time(partition),
        preemptible=partition.is_preemptible,
    )


def _title(partition: Partition) -> str:
    mark = "*" if partition.is_default else ""
    return f"{partition.name}{mark}" + ("" if partition.is_up else " (not up)")


def _time(partition: Partition) -> str:
    return "unlimited" if partition.max_time_s is None else human_seconds(partition.max_time_s)


def info_text(graph: HardwareGraph) -> str:
    """Partitions and their GPUs."""
    rows = [
        (
            row.partition,
            row.gpu_type,
            row.memory or "-",
            f"{row.free}/{row.total}",
            row.nodes,
            row.max_time,
            "yes" if row.preemptible else "no",
        )
        for row in gpu_rows(graph)
    ]
    header = ("PARTITION", "GPU", "MEMORY", "FREE/TOTAL", "NODES", "MAXTIME", "PREEMPTIBLE")
    return "\n".join([_head(graph), table(header, rows), *capacity_lines(graph), *_notes(graph)])


def nodes_text(graph: HardwareGraph) -> str:
    """One line for each node."""
    rows = []
    for node in graph.nodes:
        gpus = ", ".join(f"{g.count - g.used}/{g.count} {g.gpu_type or 'gpu'}" for g in node.gpus)
        rows.append(
            (
                node.name,
                "+".join((node.state, *node.state_flags)),
                gpus or "-",
                f"{node.cpus_usable - node.cpus_used}/{node.cpus}",
                human_bytes(node.real_memory_mib * MIB),
                ",".join(node.partitions) or "none",
                ",".join(node.features) or "-",
                _why(node),
            )
        )
    header = (
        "NODE",
        "STATE",
        "GPUS FREE",
        "CPUS FREE",
        "MEMORY",
        "PARTITIONS",
        "FEATURES",
        "REASON",
    )
    return "\n".join([_head(graph), table(header, rows), *_notes(graph)])


def _why(node: Node) -> str:
    """Why a node takes no jobs: the reason and who gave it, the reservations that hold it."""
    signed = f" ({node.reason_user})" if node.reason_user else ""
    kept = (f"reserved: {name}" for name in node.reservations)
    return "; ".join([*([f"{node.reason}{signed}"] if node.reason else []), *kept])


def _head(graph: HardwareGraph) -> str:
    controller = graph.controller
    return (
        f"Cluster {printable(controller.cluster)}   Slurm {printable(controller.slurm_version)}   "
        f"{len(graph.nodes)} nodes   as of {graph.harvested_at}"
    )


def _notes(graph: HardwareGraph) -> list[str]:
    sources = {gpus.facts.source for node in graph.nodes for gpus in node.gpus}
    notes = []
    if Source.PROBE in sources:
        if Source.SITE in sources:
            notes.append("* from the site's config")
        if Source.TABLE in sources:
            notes.append(
                "Some GPU memory is from the built-in table: no node of that kind has told its GPUs"
            )
    elif Source.SITE in sources:
        notes.append(
            "* from the site's config; the rest from the built-in table: no node has told its GPUs"
        )
    elif Source.TABLE in sources:
        notes.append("GPU memory is from the built-in table: no node has told its GPUs")
    return [*notes, *(f"? {printable(warning)}" for warning in graph.warnings)]
