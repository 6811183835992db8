"""Which variants a site and a user allow. Whoever sets a rule, it only ever takes away.

Not a matter of policy, but always so: pickles and code from repositories are never loaded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from cfslurm.core.models.quality import Score
from cfslurm.core.models.variants import CatalogEntry, ModelCatalog, RejectedVariant, Variant
from cfslurm.core.site.settings import Settings
from cfslurm.core.slurm.units import MIB, human_bytes, size_mib
from cfslurm.errors import UserInputError

FORMATS = ("safetensors", "gguf")
# Organizations that publish good quantizations of many models, and whose repositories do not always
# name their base model: looked into besides what the Hub knows. A site may name others.
QUANTIZERS = (
    "RedHatAI", "nvidia", "amd", "Intel", "unsloth", "bartowski", "ggml-org", "lmstudio-community",
    "hugging-quants", "QuantTrio",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What is allowed; ``kind`` is ``organizations``, ``licences``, ``formats`` or ``max_size``.

    ``set_by`` is the place where it is written: a file and a line.
    """

    kind: str
    allowed: tuple[str, ...]
    set_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPolicy:
    """All rules, the site's and the user's, and where to look for quantizations."""

    rules: tuple[Rule, ...] = ()
    quantizers: tuple[str, ...] = QUANTIZERS


@dataclass(frozen=True, slots=True, kw_only=True)
class Standards:
    """What variants are measured by: how good a quantization is, and what is allowed."""

    scores: Mapping[str, Score]
    policy: ModelPolicy = field(default_factory=ModelPolicy)


def read_policy(settings: Settings) -> ModelPolicy:
    """The policy that the settings tell.

    Raises:
        UserInputError: a format or a size that there is not.
    """
    names = [
        f"{who}_{kind}"
        for who in ("model", "my")
        for kind in ("organizations", "licences", "formats")
    ]
    rules = [
        Rule(kind=name.partition("_")[2], allowed=settings.texts(name), set_by=settings.origin(name))
        for name in names
        if settings.texts(name)
    ]  # fmt: skip
    for name in ("model_max_size", "my_max_size"):
        if text := settings.text(name):
            size_mib(text)
            rules.append(Rule(kind="max_size", allowed=(text,), set_by=settings.origin(name)))
    for rule in rules:
        unknown = sorted(set(rule.allowed) - set(FORMATS)) if rule.kind == "formats" else []
        if unknown:
            raise UserInputError(
                f"{unknown[0][:40]!r} is no format of models ({rule.set_by})",
                remedy=f"Write {' or '.join(FORMATS)}.",
            )
    return ModelPolicy(
        rules=tuple(rules), quantizers=settings.texts("model_quantizers") or QUANTIZERS
    )


def forbidden(variant: Variant, policy: ModelPolicy) -> str:
    """Which rule forbids a variant, and who set it; empty if none does."""
    reasons = (_reason(variant, rule) for rule in policy.rules)
    return next((reason for reason in reasons if reason), "")


def permitted(catalog: ModelCatalog, policy: ModelPolicy) -> ModelCatalog:
    """A recorded catalogue without what is forbidden; that stands among the rejected, with the rule."""
    return replace(
        catalog, models={name: _permitted(entry, policy) for name, entry in catalog.models.items()}
    )


def _permitted(entry: CatalogEntry, policy: ModelPolicy) -> CatalogEntry:
    reasons = {variant.id: forbidden(variant, policy) for variant in entry.variants}
    refused = tuple(
        RejectedVariant(repo_id=v.repo_id, quantization=v.quantization, reason=reasons[v.id])
        for v in entry.variants
        if reasons[v.id]
    )
    return replace(
        entry,
        variants=tuple(v for v in entry.variants if not reasons[v.id]),
        rejected=(*entry.rejected, *refused),
    )


def _reason(variant: Variant, rule: Rule) -> str:
    if rule.kind == "max_size":
        limit = rule.allowed[0]
        if variant.total_bytes <= size_mib(limit) * MIB:
            return ""
        return f"it has {human_bytes(variant.total_bytes)}, max_size is {limit} ({rule.set_by})"
    value, words = {
        "organizations": (
            variant.repo_id.partition("/")[0],
            "the organization {} is not among those allowed: {} ({})",
        ),
        "licences": (
            variant.licence,
            "the licence {} is not among those allowed: {} ({})",
        ),
        "formats": (
            "gguf" if variant.family == "gguf" else "safetensors",
            "the format {} is not among those allowed: {} ({})",
        ),
    }[rule.kind]
    if value.lower() in {name.lower() for name in rule.allowed}:
        return ""
    return words.format(value or "(none is named)", _listed(rule.allowed), rule.set_by)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:5])
    return f"{shown}, …" if len(names) > 5 else shown
