"""The site configuration of a sandbox: what its pretend GPUs are."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import jinja2

from cfslurm.core.hardware.gpus import GpuCatalogue
from cfslurm.core.render.cluster_profile import ClusterProfile

TEMPLATE = "site_configs/sandbox.yaml.j2"


@dataclass(frozen=True, slots=True, kw_only=True)
class PretendCard:
    """A card of the catalogue, made ``scale`` times smaller.

    Units: MiB; 10^9 bytes/s; 10^12 operations/s.
    """

    type: str
    catalog: str
    product: str
    memory_mib: int
    bandwidth_gbs: float
    fp16_tflops: float
    fp8_tflops: float


def site_text(
    profile: ClusterProfile,
    catalogue: GpuCatalogue,
    *,
    cluster_name: str,
    folder: Path,
    template: str,
) -> str:
    """Fill in the template of the sandbox' site configuration."""
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.filters["yaml"] = _yaml
    return environment.from_string(template).render(
        description=profile.description or f"Pretend cluster {profile.name}",
        cluster_name=cluster_name,
        gpu_types=pretend_cards(profile, catalogue),
        scale=profile.scale,
        scale_sentence=_scale_sentence(profile.scale),
        note=_note(profile.scale),
        runs=str(folder / "runs"),
        models=str(folder / "models"),
    )


def pretend_cards(profile: ClusterProfile, catalogue: GpuCatalogue) -> tuple[PretendCard, ...]:
    """The cards of a profile, one for each GRES type, in its scale; of a MIG instance, none."""
    cards = []
    for gpus in profile.gpu_types:
        if gpus.mig or gpus.card not in catalogue.cards:
            continue
        facts = catalogue.cards[gpus.card]
        cards.append(
            PretendCard(
                type=gpus.type,
                catalog=gpus.card,
                product=facts.product,
                memory_mib=max(1, round(facts.memory_mib / profile.scale)),
                bandwidth_gbs=_rounded(facts.bandwidth_gbs / profile.scale),
                fp16_tflops=_rounded(facts.fp16_tflops / profile.scale),
                fp8_tflops=_rounded(facts.fp8_tflops / profile.scale),
            )
        )
    return tuple(cards)


def _rounded(number: float) -> float:
    return float(f"{number:.4g}")


def _scale_sentence(scale: int) -> str:
    if scale == 1:
        return "Memory and speed are those of the real cards."
    if scale == 1024:
        return "Memory and speed are 1024 times smaller: 1 MiB stands for 1 GiB."
    return f"Memory and speed are {scale} times smaller than the real cards'."


def _note(scale: int) -> str:
    if scale == 1:
        return "pretend"
    if scale == 1024:
        return "pretend: 1 MiB stands for 1 GiB"
    return f"pretend: {scale} times smaller than the card"


def _yaml(value: object) -> str:
    """A text as YAML: plain where that is safe, else as JSON, which every YAML reader reads."""
    text = str(value)
    plain = text.replace("_", "").replace("-", "").replace("/", "").isalnum()
    if plain and text[0].isalpha() and text.isascii() and text.lower() not in _WORDS:
        return text
    return json.dumps(text, ensure_ascii=False)


_WORDS = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})
