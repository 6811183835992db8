"""Engines: which quantizations they run on which GPU, and what they need besides the model."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from typing import Literal

from cfslurm.core.documents import STRICT
from cfslurm.core.hardware.gpus import GpuFacts
from cfslurm.core.site.model import EngineOverride


class MemoryModel(StrEnum):
    """How an engine lays out the memory of a GPU."""

    PAGED = "paged"  # vLLM: a pool of pages for keys and values, sized by a profiling run
    STATIC = "static"  # SGLang: a share for weights and cache, the rest for activations
    BUFFERS = "buffers"  # llama.cpp: buffers of a size known beforehand
    DYNAMIC = "dynamic"  # transformers: what is needed at the moment


@dataclass(frozen=True, slots=True, kw_only=True)
class FormatRule:
    """Where some versions of an engine run a quantization family.

    ``nvidia`` is the least compute capability that loads it, None for no NVIDIA card; ``native`` the
    least that computes in it: below that the weights are unpacked before each use, which saves memory
    and no arithmetic. ``amd`` names gfx targets, ``any`` is all of them. The rule holds from version
    ``since`` to before version ``before``, empty for no bound.
    """

    __pydantic_config__ = STRICT

    format: str
    nvidia: float | None = None
    native: float | None = None
    amd: tuple[str, ...] = ()
    since: str = ""
    before: str = ""
    note: str = ""
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Overheads:
    """What some versions of an engine hold besides weights and KV cache.

    Units: MiB on each GPU; the ``parallel`` ones where several GPUs work on one model, ``multicast``
        where they are Hopper or newer and joined by NVLink, which NCCL uses with large buffers. What is
        ``outside`` is not counted against the engine's share. ``sampler_bytes`` is for each sequence
        and each entry of the vocabulary. ``activation_mib`` and, for models that see, ``vision_mib``
        come on top of what is computed.
    """

    __pydantic_config__ = STRICT

    since: str = ""
    non_torch_mib: float = 0.0
    non_torch_parallel_mib: float = 0.0
    non_torch_multicast_mib: float = 0.0
    outside_mib: float = 0.0
    outside_parallel_mib: float = 0.0
    activation_mib: float = 0.0
    vision_mib: float = 0.0
    sampler_bytes: float = 0.0
    graphs: Literal["none", "inside", "outside"] = "none"
    batched_tokens: int = 2048
    batched_tokens_large: int = 2048
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """A program that serves models.

    ``kv_cache_dtypes`` are what it stores keys and values in; ``auto`` is 16 bit everywhere.
    ``context_mib``, where a site gives it, stands for all `Overheads` but the activations;
    ``batched_tokens`` of 0 is the engine's own default.

    Units: ``context_mib`` is per GPU; ``gpu_memory_utilization`` is the share of GPU memory that
        the engine takes; ``start_s`` is from its start to its first answer, without loading weights.
    """

    __pydantic_config__ = STRICT
    formats: tuple[FormatRule, ...]
    version: str = ""
    memory: MemoryModel = MemoryModel.PAGED
    overheads: tuple[Overheads, ...] = ()
    kv_cache_dtypes: tuple[str, ...] = ("auto",)
    context_mib: float | None = None
    batched_tokens: int = 0
    gpu_memory_utilization: float = 0.9
    start_s: float = 30.0
    tensor_parallel: Literal["heads", "layers"] = "heads"
    source: str = ""

    def rule(self, family: str) -> FormatRule | None:
        """The rule of a quantization family in this engine's version."""
        return next((r for r in self.formats if r.format == family and _holds(r, self)), None)

    @property
    def overhead(self) -> Overheads:
        """The overheads of this engine's version: the newest row that is not newer; a site's numbers."""
        rows = [row for row in self.overheads if not is_older(self.version, row.since)]
        known = rows or self.overheads[:1] or (Overheads(source=self.source or "site"),)
        found = max(known, key=lambda row: _numbers(row.since))
        if self.batched_tokens:
            tokens = self.batched_tokens
            found = replace(found, batched_tokens=tokens, batched_tokens_large=tokens)
        if self.context_mib is None:
            return found
        return replace(
            found,
            non_torch_mib=self.context_mib,
            non_torch_parallel_mib=self.context_mib,
            non_torch_multicast_mib=0.0,
            outside_mib=0.0,
            outside_parallel_mib=0.0,
            graphs="none",
            source="site",
        )


def format_rules(least: Mapping[str, float], *, source: str = "site") -> tuple[FormatRule, ...]:
    """Rules from families and least compute capabilities; all AMD cards run them too.

    >>> format_rules({"fp8": 8.9})[0].nvidia
    8.9
    """
    return tuple(
        FormatRule(format=family, nvidia=capability, amd=("any",), source=source)
        for family, capability in least.items()
    )


def is_older(version: str, than: str) -> bool:
    """True if a version comes before another; an unnamed version is the newest there is.

    >>> is_older("0.9.2", "0.10"), is_older("", "0.10"), is_older("0.10.1", "0.10")
    (True, False, False)
    """
    return bool(version and than) and _numbers(version) < _numbers(than)


@lru_cache(maxsize=256)
def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number[:9]) for number in re.findall(r"\d+", version)[:4])


def _holds(rule: FormatRule, engine: Engine) -> bool:
    ended = rule.before and (not engine.version or not is_older(engine.version, rule.before))
    return not ended and not is_older(engine.version, rule.since)


def with_overrides(
    engines: Mapping[str, Engine], overrides: Mapping[str, EngineOverride]
) -> dict[str, Engine]:
    """The built-in engines with a site's own numbers, and the engines that the site adds."""
    merged = dict(engines)
    for name, override in overrides.items():
        base = merged.get(name, Engine(formats=(), context_mib=0.0, source="site"))
        merged[name] = replace(
            base,
            formats=format_rules(override.formats) or base.formats,
            version=override.version or base.version,
            context_mib=_first(override.context_mib, base.context_mib),
            batched_tokens=override.batched_tokens or base.batched_tokens,
            gpu_memory_utilization=override.gpu_memory_utilization or base.gpu_memory_utilization,
            start_s=base.start_s if override.start_s is None else override.start_s,
            source="site",
        )
    return merged


def _first(value: float | None, default: float | None) -> float | None:
    return default if value is None else value


def unsupported(family: str, gpu: GpuFacts, engine_name: str, engine: Engine) -> str | None:
    """Why an engine cannot run a quantization on a GPU; None if it can.

    An unknown GPU is not refused for its capability: nothing is known against it.
    """
    rule = engine.rule(family)
    called = f"{engine_name} {engine.version}".strip()
    if rule is None:
        return f"{called} does not run {family} models{_elsewhere(family, engine)}"
    if gpu.vendor == "amd":
        return _unsupported_amd(rule, gpu, called)
    if rule.nvidia is None:
        return f"{called} does not run {family} on NVIDIA cards"
    capability = _capability(gpu)
    if capability is not None and capability < rule.nvidia:
        return (
            f"{called} runs {family} from compute capability {rule.nvidia:g}, "
            f"{gpu.key} has {capability:g}"
        )
    return None


def _elsewhere(family: str, engine: Engine) -> str:
    """A hint where another version does."""
    spans = [rule for rule in engine.formats if rule.format == family]
    if not spans:
        return ""
    bounds = [f"since {rule.since}" if rule.since else f"before {rule.before}" for rule in spans]
    return f" (versions {', '.join(bounds)} do)"


def _unsupported_amd(rule: FormatRule, gpu: GpuFacts, called: str) -> str | None:
    if not rule.amd:
        return f"{called} does not run {rule.format} on AMD cards"
    target = gpu.compute_capability
    if "any" in rule.amd or not target or any(target.startswith(name) for name in rule.amd):
        return None
    return f"{called} runs {rule.format} on {', '.join(rule.amd)}, {gpu.key} is {target}"


def _capability(gpu: GpuFacts) -> float | None:
    try:
        return float(gpu.compute_capability)
    except ValueError:
        return None


def consequences(family: str, dtype: str, gpu: GpuFacts, engine: Engine) -> tuple[str, ...]:
    """What a user should know of a quantization on a GPU that runs it.

    Source: BF16 tensor cores exist from compute capability 8.0 on; the rest is the engine's table.
    """
    said: list[str] = []
    capability, rule = _capability(gpu), engine.rule(family)
    if dtype == "bfloat16" and capability is not None and capability < 8.0:
        said.append(
            f"{gpu.key} has no BF16: start the engine with --dtype half; numbers beyond 65504 overflow"
        )
    if rule is not None and capability is not None and capability < (rule.native or 0.0):
        said.append(
            f"{family} is unpacked to 16 bit for arithmetic on {gpu.key}: it saves memory, "
            "not time for long prompts"
        )
    if rule is not None and rule.note:
        said.append(rule.note)
    return tuple(said)
