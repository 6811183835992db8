"""The site configuration, version 1: only what Slurm cannot say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from cfslurm.core.documents import STRICT

SCHEMA = "cfslurm.site/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuOverride:
    """What a GRES type of this site is: a catalogue key, and numbers that differ from the catalogue.

    Units: MiB; 10^9 bytes/s; 10^12 operations/s.
    """

    __pydantic_config__ = STRICT
    catalog: str = ""
    memory_mib: int = 0
    bandwidth_gbs: float = 0.0
    fp16_tflops: float = 0.0
    fp8_tflops: float = 0.0
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOverride:
    """An engine of this site, or other numbers for a built-in one.

    ``formats`` maps quantization families (``none``, ``fp8``, ``awq``, ``gptq``, ``gguf`` …) to the
    least NVIDIA compute capability that runs them, 0 for any. ``context_mib`` is what the engine
    holds on each GPU besides weights and KV cache. ``version`` is the engine's in this site's images:
    older and newer versions run other formats and hold other overheads. ``batched_tokens`` is the
    ``--max-num-batched-tokens`` that engines are started with here.
    """

    __pydantic_config__ = STRICT
    version: str = ""
    formats: Mapping[str, float] = field(default_factory=dict)
    context_mib: float | None = None
    batched_tokens: int | None = None
    gpu_memory_utilization: float | None = None
    start_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCacheSite:
    """The shared model cache: ``path`` is written by whoever may, ``tiers`` are read before it."""

    __pydantic_config__ = STRICT
    path: str = ""
    tiers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelsSite:
    """Which models may be used here; an empty field allows all.

    ``formats`` are ``safetensors`` and ``gguf``; ``max_size`` is of one variant (``400G``);
    ``quantizers`` are organizations that are searched for quantizations of a model. ``quality``
    holds scores by quantization, repository or ``repository@quantization``; 100 is the published one.
    """

    __pydantic_config__ = STRICT
    organizations: tuple[str, ...] = ()
    licences: tuple[str, ...] = ()
    formats: tuple[str, ...] = ()
    max_size: str = ""
    quantizers: tuple[str, ...] = ()
    quality: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """Where runs and models lie; ``runs`` must be on a filesystem that all nodes see.

    ``calibration`` is a folder with mode 1777 in which users share what their work has taken; none
    shares nothing. ``probes`` is a folder of answers of nodes that all users read; none keeps each
    user's own.
    """

    __pydantic_config__ = STRICT
    runs: str = ""
    calibration: str = ""
    probes: str = ""
    model_cache: ModelCacheSite = field(default_factory=ModelCacheSite)


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """How models come in. ``prefetch_on`` is ``login``, ``job`` (a CPU job) or ``partition:NAME``."""

    __pydantic_config__ = STRICT
    hf_endpoint: str = ""
    prefetch_on: str = "job"


@dataclass(frozen=True, slots=True, kw_only=True)
class Submit:
    """How jobs are written. ``export`` names environment variables that jobs get besides SLURM_*.

    ``signal_lead`` is how long before its end a job is told to save its state.
    """

    __pydantic_config__ = STRICT
    export: tuple[str, ...] = ()
    signal_lead: str = "2m"
    node_python: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshSite:
    """How old what Slurm has said may be before it is asked again; ``0s`` asks every time.

    ``nodes`` is for what changes with every job, ``settings`` for what administrators change
    (settings, partitions, topology), ``accounts`` for what slurmdbd knows (limits, fair share).
    """

    __pydantic_config__ = STRICT
    nodes: str = "10s"
    settings: str = "10m"
    accounts: str = "10m"


@dataclass(frozen=True, slots=True, kw_only=True)
class SlurmSite:
    """How Slurm is asked; ``reader`` is the way of reading the cluster, ``auto`` the best that there is."""

    __pydantic_config__ = STRICT
    reader: Literal["auto", "text", "json", "pyslurm"] = "auto"
    refresh: RefreshSite = field(default_factory=RefreshSite)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who this site is and whom to ask; shown in help and errors."""

    __pydantic_config__ = STRICT
    name: str = ""
    description: str = ""
    contact: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Which clusters a file is for, by Slurm's ClusterName; any cluster if none is named."""

    __pydantic_config__ = STRICT
    cluster_name: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A site configuration.

    ``gpu_types`` maps Slurm's GRES types to catalogue entries; ``gpu_hour_cost`` maps GRES types to
    the price of one GPU hour in units of the site's choice.
    """

    __pydantic_config__ = STRICT
    schema: Literal["cfslurm.site/1"] = "cfslurm.site/1"
    site: Identity = field(default_factory=Identity)
    match: Match = field(default_factory=Match)
    gpu_types: Mapping[str, GpuOverride] = field(default_factory=dict)
    engines: Mapping[str, EngineOverride] = field(default_factory=dict)
    gpu_hour_cost: Mapping[str, float] = field(default_factory=dict)
    models: ModelsSite = field(default_factory=ModelsSite)
    storage: Storage = field(default_factory=Storage)
    network: Network = field(default_factory=Network)
    slurm: SlurmSite = field(default_factory=SlurmSite)
    submit: Submit = field(default_factory=Submit)
