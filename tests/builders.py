"""Small worlds for tests: clusters and models described in a line each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from cfslurm.core.hardware.build import build_graph
from cfslurm.core.hardware.facts import ClusterFacts
from cfslurm.core.hardware.gpus import GpuCatalogue, read_catalogue
from cfslurm.core.hardware.graph import HardwareGraph
from cfslurm.core.models.engines import Engine, MemoryModel, format_rules
from cfslurm.core.models.speed import Knowledge
from cfslurm.core.models.speed_table import read_speed_table
from cfslurm.core.models.variants import (
    Architecture,
    CatalogEntry,
    ModelCatalog,
    ModelFile,
    Variant,
)
from cfslurm.core.slurm.gres import read_gres
from cfslurm.core.slurm.hostlist import expand
from cfslurm.core.slurm.records import NodeRecord, Partition

GIB = 1024**3
_TABLE = Path(__file__).parent.parent / "cfslurm" / "core" / "hardware" / "gpus.csv"
CATALOGUE: GpuCatalogue = read_catalogue(_TABLE.read_text())

ENGINES: Mapping[str, Engine] = {
    "vllm": Engine(
        formats=format_rules({"none": 7.5, "fp8": 7.5, "awq": 7.5}),
        context_mib=2048,
        gpu_memory_utilization=0.92,
    ),
    "llamacpp": Engine(
        formats=format_rules({"gguf": 6.0}),
        memory=MemoryModel.BUFFERS,
        context_mib=300,
        tensor_parallel="layers",
    ),
}

_SPEEDS = _TABLE.parent.parent / "models" / "speed_efficiencies.csv"
KNOWLEDGE = Knowledge(table=read_speed_table(_SPEEDS.read_text()), cluster="test")

SETTINGS: Mapping[str, str] = {
    "ClusterName": "test",
    "SLURM_VERSION": "22.05.8",
    "MaxArraySize": "1001",
    "SchedulerType": "sched/backfill",
    "RequeueExit": "75",
}


def node(
    name: str,
    gres: str = "",
    *,
    partitions: Sequence[str] = ("gpu",),
    features: Sequence[str] = (),
    used: str = "",
    state: str = "IDLE",
    cpus: int = 64,
    memory_mib: int = 256_000,
    flags: Sequence[str] = (),
) -> NodeRecord:
    """A node as scontrol tells of it."""
    return NodeRecord(
        name=name,
        address=name,
        state=state,
        state_flags=tuple(flags),
        reason="",
        reason_user="",
        reason_time=None,
        features=tuple(features),
        available_features=tuple(features),
        gres=read_gres(gres),
        gres_used=read_gres(used),
        alloc_tres={},
        cpus=cpus,
        cpus_usable=cpus,
        cpus_allocated=0,
        sockets=2,
        cores_per_socket=cpus // 2,
        threads_per_core=1,
        real_memory_mib=memory_mib,
        memory_allocated_mib=0,
        tmp_disk_mib=0,
        partitions=tuple(partitions),
        weight=1,
        boot_time=None,
        slurm_version="22.05.8",
    )


def partition(
    name: str,
    *,
    max_time_s: int | None = 86_400,
    preempt: bool = False,
    default: bool = False,
    state: str = "UP",
    accounts: Sequence[str] = (),
) -> Partition:
    """A partition as scontrol tells of it; its nodes are those that name it."""
    return Partition(
        name=name,
        state=state,
        is_default=default,
        node_names=(),
        max_time_s=max_time_s,
        default_time_s=None,
        min_nodes=0,
        max_nodes=None,
        max_cpus_per_node=None,
        default_memory_per_cpu_mib=None,
        default_memory_per_node_mib=None,
        max_memory_per_cpu_mib=None,
        max_memory_per_node_mib=None,
        oversubscribe="NO",
        exclusive="NO",
        priority_tier=1 if preempt else 10,
        priority_job_factor=1,
        preempt_mode="REQUEUE" if preempt else "OFF",
        grace_time_s=0,
        qos="",
        allow_accounts=tuple(accounts),
        deny_accounts=(),
        allow_groups=(),
        allow_qos=(),
        deny_qos=(),
        root_only=False,
        needs_reservation=False,
    )


def graph(
    nodes: Sequence[NodeRecord],
    partitions: Sequence[Partition] = (partition("gpu", default=True),),
    *,
    settings: Mapping[str, str] = SETTINGS,
) -> HardwareGraph:
    """A cluster."""
    filled = tuple(
        replace(p, node_names=tuple(n.name for n in nodes if p.name in n.partitions))
        for p in partitions
    )
    facts = ClusterFacts(
        backend="test",
        settings=settings,
        nodes=tuple(nodes),
        partitions=filled,
    )
    return build_graph(facts, CATALOGUE, {}, harvested_at="2026-11-21T00:00:00Z")


def lab(**changes: str) -> HardwareGraph:
    """The lab: 4 A100-80, 8 RTX 4090, 2 x 2 RTX 6000 Ada, 2 CPU nodes; partitions gpu, preempt, cpu."""
    gpu, cpu = ("gpu", "preempt"), ("cpu", "preempt")
    nodes = [
        node(
            "a1",
            "gpu:a100_80:4",
            partitions=gpu,
            features=("a100_80", "nvlink"),
            used=changes.get("a1", ""),
        ),
        node("g1", "gpu:rtx4090:8", partitions=gpu, features=("rtx4090",)),
        *(
            node(name, "gpu:rtx6000ada:2", partitions=gpu, features=("rtx6000ada",))
            for name in expand("r[1-2]")
        ),
        *(node(name, partitions=cpu, features=("cpu",), cpus=32) for name in expand("c[1-2]")),
    ]
    partitions = [
        partition("gpu", default=True),
        partition("preempt", preempt=True),
        partition("cpu"),
    ]
    return graph(nodes, partitions)


# For what never looks at the model itself.
NO_ARCHITECTURE = Architecture(
    model_type="x",
    hidden_size=1,
    intermediate_size=1,
    num_hidden_layers=1,
    num_attention_heads=1,
    num_key_value_heads=1,
    head_dim=1,
    vocab_size=1,
    max_position_embeddings=1,
)
LLAMA_70B = Architecture(
    model_type="llama",
    hidden_size=8192,
    intermediate_size=28_672,
    num_hidden_layers=80,
    num_attention_heads=64,
    num_key_value_heads=8,
    head_dim=128,
    vocab_size=128_256,
    max_position_embeddings=131_072,
    parameters=70_600_000_000,
)
LLAMA_8B = replace(
    LLAMA_70B,
    hidden_size=4096,
    intermediate_size=14_336,
    num_hidden_layers=32,
    num_attention_heads=32,
    parameters=8_030_000_000,
)


def variant(
    quantization: str,
    gib: float,
    *,
    architecture: Architecture = LLAMA_8B,
    quality: float = 100.0,
    repo: str = "acme/model",
    group_size: int = 0,
) -> Variant:
    """A variant of one weights file."""
    file = ModelFile(
        path="model.safetensors", size_bytes=int(gib * GIB), sha256="0" * 64, is_weights=True
    )
    return Variant(
        repo_id=repo if quantization == "none" else f"{repo}-{quantization.split(':')[0]}",
        revision="a" * 40,
        quantization=quantization,
        dtype="bfloat16",
        files=(file,),
        architecture=architecture,
        quality=quality,
        quality_source="test",
        group_size=group_size,
    )


def unread_variant(repo_id: str, revision: str) -> Variant:
    """A variant of which only the repository and the commit matter."""
    return Variant(
        repo_id=repo_id,
        revision=revision,
        quantization="none",
        dtype="bfloat16",
        files=(),
        architecture=NO_ARCHITECTURE,
        quality=100,
        quality_source="",
    )


def catalog(**models: Sequence[Variant]) -> ModelCatalog:
    """A catalogue: model name → variants."""
    return ModelCatalog(
        endpoint="http://hub",
        discovered_at="2026-11-21T00:00:00Z",
        models={
            name: CatalogEntry(
                repo_id=variants[0].repo_id, revision="a" * 40, variants=tuple(variants)
            )
            for name, variants in models.items()
        },
    )


def three_sizes() -> tuple[Variant, ...]:
    """16-bit, FP8 and AWQ of a model of 20 billion parameters."""
    return (
        variant("none", 44.0),
        variant("fp8", 22.0, quality=99.5),
        variant("awq", 12.0, quality=97.5, group_size=128),
    )
