"""Engines: which quantizations they run on which GPU, and what they need besides the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from cfslurm.core.documents import STRICT
from cfslurm.core.hardware.gpus import GpuFacts
from cfslurm.core.site.model import EngineOverride


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """A program that serves models.

    ``formats`` maps a quantization family to the least NVIDIA compute capability; ``amd`` lists the
    families that run on AMD cards.

    Units: ``context_mib`` is per GPU; ``gpu_memory_utilization`` is the share of GPU memory that
        the engine takes; ``start_s`` is from its start to its first answer, without loading weights.
    """

    __pydantic_config__ = STRICT
    formats: Mapping[str, float]
    amd: tuple[str, ...] = ()
    context_mib: float = 0.0
    gpu_memory_utilization: float = 0.9
    start_s: float = 30.0
    tensor_parallel: Literal["heads", "layers"] = "heads"
    source: str = ""


def with_overrides(
    engines: Mapping[str, Engine], overrides: Mapping[str, EngineOverride]
) -> dict[str, Engine]:
    """The built-in engines with a site's own numbers, and the engines that the site adds."""
    merged = dict(engines)
    for name, override in overrides.items():
        base = merged.get(name, Engine(formats={}, source="site"))
        merged[name] = replace(
            base,
            formats=override.formats or base.formats,
            amd=tuple(sorted(override.formats)) or base.amd,
            context_mib=_first(override.context_mib, base.context_mib),
            gpu_memory_utilization=_first(
                override.gpu_memory_utilization, base.gpu_memory_utilization
            ),
            start_s=_first(override.start_s, base.start_s),
            source="site",
        )
    return merged


def _first(value: float | None, default: float) -> float:
    return default if value is None else value


def unsupported(family: str, gpu: GpuFacts, engine_name: str, engine: Engine) -> str | None:
    """Why an engine cannot run a quantization on a GPU; None if it can.

    An unknown GPU is not refused for its capability: nothing is known against it.
    """
    if family not in engine.formats:
        return f"{engine_name} does not run {family} models"
    if gpu.vendor == "amd":
        return None if family in engine.amd else f"{engine_name} does not run {family} on AMD cards"
    try:
        capability = float(gpu.compute_capability)
    except ValueError:
        return None
    least = engine.formats[family]
    if capability < least:
        return (
            f"{engine_name} runs {family} from compute capability {least:g}, "
            f"{gpu.key} has {capability:g}"
        )
    return None
